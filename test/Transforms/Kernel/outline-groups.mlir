// RUN: tessera-opt %s --split-input-file --kernel-outline-groups | FileCheck %s

// A product takes its epilogue along: bias, activation and a residual that
// another kernel computed.

// CHECK-LABEL: kernel.func @matmul
// CHECK-DAG:     graph.broadcast_to
// CHECK-DAG:     linalg.matmul
// CHECK:         arith.addf
// CHECK:         math.tanh
// CHECK:         arith.addf
// CHECK-LABEL: func.func @epilogue
// CHECK-COUNT-1: kernel.call @matmul
// CHECK-NOT:     kernel.call
func.func @epilogue(%x: tensor<6x4xf32>, %w: tensor<4x8xf32>, %b: tensor<8xf32>, %r: tensor<6x8xf32>) -> tensor<6x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<6x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<6x8xf32>) -> tensor<6x8xf32>
  %p = linalg.matmul ins(%x, %w : tensor<6x4xf32>, tensor<4x8xf32>) outs(%f : tensor<6x8xf32>) -> tensor<6x8xf32>
  %bias = graph.broadcast_to %b : tensor<8xf32> -> tensor<6x8xf32>
  %s = arith.addf %p, %bias : tensor<6x8xf32>
  %t = math.tanh %s : tensor<6x8xf32>
  %y = arith.addf %t, %r : tensor<6x8xf32>
  return %y : tensor<6x8xf32>
}

// -----

// Two reductions over the same rows, what is computed once per row, and what
// follows are one kernel, whatever the norm is called.

// CHECK-LABEL: kernel.func @rows
// CHECK-COUNT-2: linalg.reduce
// CHECK-LABEL: func.func @norm
// CHECK-COUNT-1: kernel.call @rows
// CHECK-NOT:     kernel.call
func.func @norm(%x: tensor<6x8xf32>) -> tensor<6x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<6xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<6xf32>) -> tensor<6xf32>
  %sum = linalg.reduce { arith.addf } ins(%x : tensor<6x8xf32>) outs(%f : tensor<6xf32>) dimensions = [1]
  %sq = arith.mulf %x, %x : tensor<6x8xf32>
  %sumsq = linalg.reduce { arith.addf } ins(%sq : tensor<6x8xf32>) outs(%f : tensor<6xf32>) dimensions = [1]
  %d = arith.subf %sumsq, %sum : tensor<6xf32>
  %inv = math.rsqrt %d : tensor<6xf32>
  %col = tensor.expand_shape %inv [[0, 1]] output_shape [6, 1] : tensor<6xf32> into tensor<6x1xf32>
  %wide = graph.broadcast_to %col : tensor<6x1xf32> -> tensor<6x8xf32>
  %y = arith.mulf %x, %wide : tensor<6x8xf32>
  return %y : tensor<6x8xf32>
}

// -----

// A reduction does not join a product: it needs whole rows.

// CHECK-LABEL: kernel.func @matmul
// CHECK-LABEL: kernel.func @rows
// CHECK-LABEL: func.func @reduced_product
// CHECK:         kernel.call @matmul
// CHECK:         kernel.call @rows
func.func @reduced_product(%x: tensor<6x4xf32>, %w: tensor<4x8xf32>) -> tensor<6xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<6x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<6x8xf32>) -> tensor<6x8xf32>
  %p = linalg.matmul ins(%x, %w : tensor<6x4xf32>, tensor<4x8xf32>) outs(%f : tensor<6x8xf32>) -> tensor<6x8xf32>
  %e2 = tensor.empty() : tensor<6xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<6xf32>) -> tensor<6xf32>
  %r = linalg.reduce { arith.addf } ins(%p : tensor<6x8xf32>) outs(%f2 : tensor<6xf32>) dimensions = [1]
  return %r : tensor<6xf32>
}

// -----

// Joining must not make two kernels wait for each other: %t joins the first
// product only if it does not need the second, which needs the first.

// CHECK-LABEL: func.func @no_cycle
// CHECK:         %[[A:.*]] = kernel.call @matmul ins(%arg0
// CHECK:         %[[B:.*]] = kernel.call @{{.*}} ins(%[[A]]
func.func @no_cycle(%x: tensor<8x8xf32>, %w: tensor<8x8xf32>) -> tensor<8x8xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<8x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<8x8xf32>) -> tensor<8x8xf32>
  %p = linalg.matmul ins(%x, %w : tensor<8x8xf32>, tensor<8x8xf32>) outs(%f : tensor<8x8xf32>) -> tensor<8x8xf32>
  %q = linalg.matmul ins(%p, %w : tensor<8x8xf32>, tensor<8x8xf32>) outs(%f : tensor<8x8xf32>) -> tensor<8x8xf32>
  %t = arith.addf %p, %q : tensor<8x8xf32>
  return %t : tensor<8x8xf32>
}

// -----

// What nothing computes is copied into the output.

// CHECK-LABEL: kernel.func @elementwise
// CHECK:         linalg.transpose
// CHECK:         linalg.copy
// CHECK-LABEL: func.func @returned_transpose
// CHECK:         kernel.call @elementwise
func.func @returned_transpose(%x: tensor<2x3xf32>) -> tensor<3x2xf32> {
  %e = tensor.empty() : tensor<3x2xf32>
  %t = linalg.transpose ins(%x : tensor<2x3xf32>) outs(%e : tensor<3x2xf32>) permutation = [1, 0]
  return %t : tensor<3x2xf32>
}
