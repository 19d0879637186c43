// RUN: tessera-opt %s --pass-pipeline="builtin.module(func.func(kernel-store-operands))" | FileCheck %s
// RUN: tessera-opt %s --pass-pipeline="builtin.module(kernel-set-machine{cpu=znver4},func.func(kernel-store-operands))" | FileCheck %s --check-prefix=PAIRS

// CHECK-LABEL: func.func @transposed_window
// CHECK: %[[TURNED:.*]] = linalg.transpose
// CHECK: %[[COPY:.*]] = linalg.copy ins(%[[TURNED]]
// CHECK: graph.pool max %[[COPY]]
// Two windows have one copy.
// CHECK-NOT: linalg.copy
// CHECK: graph.pool average %[[COPY]]
func.func @transposed_window(%x: tensor<1x4x8x8xf32>) -> (tensor<1x8x8x4xf32>, tensor<1x8x8x4xf32>) {
  %e = tensor.empty() : tensor<1x8x8x4xf32>
  %t = linalg.transpose ins(%x : tensor<1x4x8x8xf32>) outs(%e : tensor<1x8x8x4xf32>) permutation = [0, 2, 3, 1]
  %p = graph.pool max %t kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1]
    : tensor<1x8x8x4xf32> -> tensor<1x8x8x4xf32>
  %q = graph.pool average %t kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1]
    : tensor<1x8x8x4xf32> -> tensor<1x8x8x4xf32>
  return %p, %q : tensor<1x8x8x4xf32>, tensor<1x8x8x4xf32>
}

// CHECK-LABEL: func.func @plain_window
// CHECK-NOT: linalg.copy
func.func @plain_window(%x: tensor<1x8x8x4xf32>) -> tensor<1x8x8x4xf32> {
  %p = graph.pool max %x kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1]
    : tensor<1x8x8x4xf32> -> tensor<1x8x8x4xf32>
  return %p : tensor<1x8x8x4xf32>
}

// CHECK-LABEL: func.func @half_product
// CHECK-SAME: %[[A:[a-z0-9]*]]: tensor<?x64xf16>
// CHECK: %[[WIDE:.*]] = arith.extf %[[A]] : tensor<?x64xf16> to tensor<?x64xf32>
// CHECK: linalg.matmul ins(%[[WIDE]], %{{.*}} : tensor<?x64xf32>, tensor<64x96xf16>)
func.func @half_product(%a: tensor<?x64xf16>, %b: tensor<64x96xf16>, %c: tensor<?x96xf32>) -> tensor<?x96xf32> {
  %q = linalg.matmul ins(%a, %b : tensor<?x64xf16>, tensor<64x96xf16>) outs(%c : tensor<?x96xf32>) -> tensor<?x96xf32>
  return %q : tensor<?x96xf32>
}

// CHECK-LABEL: func.func @few_columns
// CHECK-NOT: arith.extf
func.func @few_columns(%a: tensor<?x64xf16>, %b: tensor<64x32xf16>, %c: tensor<?x32xf32>) -> tensor<?x32xf32> {
  %q = linalg.matmul ins(%a, %b : tensor<?x64xf16>, tensor<64x32xf16>) outs(%c : tensor<?x32xf32>) -> tensor<?x32xf32>
  return %q : tensor<?x32xf32>
}

// CHECK-LABEL: func.func @single_product
// CHECK-NOT: arith.extf
func.func @single_product(%a: tensor<?x64xf32>, %b: tensor<64x96xf32>, %c: tensor<?x96xf32>) -> tensor<?x96xf32> {
  %q = linalg.matmul ins(%a, %b : tensor<?x64xf32>, tensor<64x96xf32>) outs(%c : tensor<?x96xf32>) -> tensor<?x96xf32>
  return %q : tensor<?x96xf32>
}

// CHECK-LABEL: func.func @half_convolution
// CHECK: %[[WIDE:.*]] = arith.extf
// CHECK: graph.conv %[[WIDE]]
func.func @half_convolution(%x: tensor<1x8x8x4xf16>, %w: tensor<3x3x4x6xf16>) -> tensor<1x6x6x6xf32> {
  %y = graph.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0], [0, 0] groups 1
    : tensor<1x8x8x4xf16>, tensor<3x3x4x6xf16> -> tensor<1x6x6x6xf32>
  return %y : tensor<1x6x6x6xf32>
}

// Channels come first and stay there: planes of one channel.
// CHECK-LABEL: func.func @planes
// CHECK: %[[PLANES:.*]] = tensor.collapse_shape %{{.*}} {{\[\[}}0, 1], [2], [3]] : tensor<?x4x?x40xf32> into tensor<?x?x40xf32>
// CHECK: %[[LINES:.*]] = tensor.expand_shape %[[PLANES]] {{\[\[}}0], [1], [2, 3]]
// CHECK: %[[POOLED:.*]] = graph.pool max %[[LINES]] {{.*}} : tensor<?x?x40x1xf32> -> tensor<?x?x40x1xf32>
// CHECK: %[[JOINED:.*]] = tensor.collapse_shape %[[POOLED]]
// CHECK: %[[BACK:.*]] = tensor.expand_shape %[[JOINED]] {{\[\[}}0, 1], [2], [3]]
// CHECK-SAME: into tensor<?x4x?x40xf32>
// CHECK: return %[[BACK]]
func.func @planes(%x: tensor<?x4x?x40xf32>, %n: index, %h: index) -> tensor<?x4x?x40xf32> {
  %e = tensor.empty(%n, %h) : tensor<?x?x40x4xf32>
  %t = linalg.transpose ins(%x : tensor<?x4x?x40xf32>) outs(%e : tensor<?x?x40x4xf32>) permutation = [0, 2, 3, 1]
  %p = graph.pool max %t kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1]
    : tensor<?x?x40x4xf32> -> tensor<?x?x40x4xf32>
  %f = tensor.empty(%n, %h) : tensor<?x4x?x40xf32>
  %y = linalg.transpose ins(%p : tensor<?x?x40x4xf32>) outs(%f : tensor<?x4x?x40xf32>) permutation = [0, 3, 1, 2]
  return %y : tensor<?x4x?x40xf32>
}

// A row of wide strides is no vector's work.
// CHECK-LABEL: func.func @wide_strides
// CHECK: linalg.copy
// CHECK: graph.pool
// CHECK: linalg.transpose
func.func @wide_strides(%x: tensor<1x4x16x16xf32>) -> tensor<1x4x2x2xf32> {
  %e = tensor.empty() : tensor<1x16x16x4xf32>
  %t = linalg.transpose ins(%x : tensor<1x4x16x16xf32>) outs(%e : tensor<1x16x16x4xf32>) permutation = [0, 2, 3, 1]
  %p = graph.pool max %t kernel [8, 8] strides [8, 8] dilations [1, 1] pads [0, 0], [0, 0]
    : tensor<1x16x16x4xf32> -> tensor<1x2x2x4xf32>
  %f = tensor.empty() : tensor<1x4x2x2xf32>
  %y = linalg.transpose ins(%p : tensor<1x2x2x4xf32>) outs(%f : tensor<1x4x2x2xf32>) permutation = [0, 3, 1, 2]
  return %y : tensor<1x4x2x2xf32>
}

// Nor is a row of few, or of nobody knows how many.
// CHECK-LABEL: func.func @unknown_width
// CHECK: linalg.copy
// CHECK: graph.pool
func.func @unknown_width(%x: tensor<1x4x16x?xf32>, %w: index) -> tensor<1x4x16x?xf32> {
  %e = tensor.empty(%w) : tensor<1x16x?x4xf32>
  %t = linalg.transpose ins(%x : tensor<1x4x16x?xf32>) outs(%e : tensor<1x16x?x4xf32>) permutation = [0, 2, 3, 1]
  %p = graph.pool max %t kernel [3, 3] strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1]
    : tensor<1x16x?x4xf32> -> tensor<1x16x?x4xf32>
  %f = tensor.empty(%w) : tensor<1x4x16x?xf32>
  %y = linalg.transpose ins(%p : tensor<1x16x?x4xf32>) outs(%f : tensor<1x4x16x?xf32>) permutation = [0, 3, 1, 2]
  return %y : tensor<1x4x16x?xf32>
}

// Where pairs of bf16 are multiplied, nothing is widened.

// CHECK-LABEL: func.func @pairs
// CHECK: arith.extf
// PAIRS-LABEL: func.func @pairs
// PAIRS-NOT: arith.extf
func.func @pairs(%a: tensor<?x64xbf16>, %b: tensor<64x96xbf16>, %c: tensor<?x96xf32>) -> tensor<?x96xf32> {
  %q = linalg.matmul ins(%a, %b : tensor<?x64xbf16>, tensor<64x96xbf16>) outs(%c : tensor<?x96xf32>) -> tensor<?x96xf32>
  return %q : tensor<?x96xf32>
}
