// RUN: tessera-opt %s --graph-fold-scales-into-weights | FileCheck %s

// CHECK-DAG: graph.weights @[[F:filter_[0-9]+]] : tensor<1x1x4x2xf32> {{.*}} recipe [#graph.scale<3, dense<[2.000000e+00, 3.000000e+00]> : tensor<2xf32>>]
// CHECK-DAG: graph.weights @[[M:matrix_[0-9]+]] : tensor<4x2xf32> {{.*}} recipe [#graph.transpose<[1, 0]>, #graph.scale<1, dense<5.000000e-01> : tensor<2xf32>>]
graph.weights @filter : tensor<1x1x4x2xf32> from #graph.file<"m", 0, 32> as tensor<1x1x4x2xf32>
graph.weights @matrix : tensor<4x2xf32> from #graph.file<"m", 0, 32> as tensor<2x4xf32>
  recipe [#graph.transpose<[1, 0]>]

// (conv + [1, 1]) * [2, 3] + [10, 20] - 1: bias [2 + 9, 3 + 19].

// CHECK-LABEL: func.func @normalized
// CHECK:         %[[W:.*]] = graph.weight @[[F]]
// CHECK:         %[[C:.*]] = graph.conv %{{.*}}, %[[W]]
// CHECK:         %[[B:.*]] = arith.constant dense<[1.100000e+01, 2.200000e+01]> : tensor<2xf32>
// CHECK:         %[[V:.*]] = graph.broadcast_to %[[B]] sizes(%{{.*}})
// CHECK:         %[[S:.*]] = arith.addf %[[C]], %[[V]]
// CHECK-NOT:     arith
// CHECK:         math.exp %[[S]]
func.func @normalized(%x: tensor<?x3x3x4xf32>, %n: index) -> tensor<?x3x3x2xf32> {
  %w = graph.weight @filter : tensor<1x1x4x2xf32>
  %c = graph.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0], [0, 0] groups 1 : tensor<?x3x3x4xf32>, tensor<1x1x4x2xf32> -> tensor<?x3x3x2xf32>
  %one = arith.constant dense<1.0> : tensor<2xf32>
  %ones = graph.broadcast_to %one sizes(%n) : tensor<2xf32> -> tensor<?x3x3x2xf32>
  %b = arith.addf %c, %ones : tensor<?x3x3x2xf32>
  %scale = arith.constant dense<[[[2.0, 3.0]]]> : tensor<1x1x2xf32>
  %scales = graph.broadcast_to %scale sizes(%n) : tensor<1x1x2xf32> -> tensor<?x3x3x2xf32>
  %m = arith.mulf %scales, %b : tensor<?x3x3x2xf32>
  %shift = arith.constant dense<[10.0, 20.0]> : tensor<2xf32>
  %shifts = graph.broadcast_to %shift sizes(%n) : tensor<2xf32> -> tensor<?x3x3x2xf32>
  %s = arith.addf %m, %shifts : tensor<?x3x3x2xf32>
  %d = arith.subf %s, %ones : tensor<?x3x3x2xf32>
  %e = math.exp %d : tensor<?x3x3x2xf32>
  return %e : tensor<?x3x3x2xf32>
}

// A product divided by a splat: no addition stays.

// CHECK-LABEL: func.func @product
// CHECK:         %[[W:.*]] = graph.weight @[[M]]
// CHECK:         %[[P:.*]] = linalg.matmul ins(%{{.*}}, %[[W]]
// CHECK-NOT:     arith.divf
// CHECK:         return %[[P]]
func.func @product(%x: tensor<3x4xf32>) -> tensor<3x2xf32> {
  %w = graph.weight @matrix : tensor<4x2xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<3x2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<3x2xf32>) -> tensor<3x2xf32>
  %p = linalg.matmul ins(%x, %w : tensor<3x4xf32>, tensor<4x2xf32>) outs(%f : tensor<3x2xf32>) -> tensor<3x2xf32>
  %two = arith.constant dense<2.0> : tensor<3x2xf32>
  %d = arith.divf %p, %two : tensor<3x2xf32>
  return %d : tensor<3x2xf32>
}

// A dot product has no columns.

// CHECK-LABEL: func.func @dot
// CHECK:         linalg.contract
// CHECK:         arith.divf
func.func @dot(%x: tensor<4xf32>, %y: tensor<4xf32>) -> tensor<f32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<f32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<f32>) -> tensor<f32>
  %p = linalg.contract indexing_maps = [affine_map<(k) -> (k)>, affine_map<(k) -> (k)>, affine_map<(k) -> ()>]
    ins(%x, %y : tensor<4xf32>, tensor<4xf32>) outs(%f : tensor<f32>) -> tensor<f32>
  %two = arith.constant dense<2.0> : tensor<f32>
  %d = arith.divf %p, %two : tensor<f32>
  return %d : tensor<f32>
}

// The unscaled result has another use; a factor for each row; a division by the
// result; one bias alone.

// CHECK-LABEL: func.func @left_alone
// CHECK-COUNT-2: arith.mulf
// CHECK:         arith.divf
// CHECK:         arith.addf
func.func @left_alone(%x: tensor<2x4xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>) {
  %w = graph.weight @matrix : tensor<4x2xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  %p = linalg.matmul ins(%x, %w : tensor<2x4xf32>, tensor<4x2xf32>) outs(%f : tensor<2x2xf32>) -> tensor<2x2xf32>
  %two = arith.constant dense<2.0> : tensor<2x2xf32>
  %a = arith.mulf %p, %two : tensor<2x2xf32>
  %q = linalg.matmul ins(%x, %w : tensor<2x4xf32>, tensor<4x2xf32>) outs(%f : tensor<2x2xf32>) -> tensor<2x2xf32>
  %rows = arith.constant dense<[[2.0], [3.0]]> : tensor<2x1xf32>
  %r = graph.broadcast_to %rows : tensor<2x1xf32> -> tensor<2x2xf32>
  %b = arith.mulf %q, %r : tensor<2x2xf32>
  %s = linalg.matmul ins(%x, %w : tensor<2x4xf32>, tensor<4x2xf32>) outs(%f : tensor<2x2xf32>) -> tensor<2x2xf32>
  %c = arith.divf %two, %s : tensor<2x2xf32>
  %t = linalg.matmul ins(%x, %w : tensor<2x4xf32>, tensor<4x2xf32>) outs(%f : tensor<2x2xf32>) -> tensor<2x2xf32>
  %d = arith.addf %t, %two : tensor<2x2xf32>
  return %p, %a, %b, %c, %d : tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>, tensor<2x2xf32>
}
