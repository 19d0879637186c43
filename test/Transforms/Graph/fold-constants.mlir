// RUN: tessera-opt %s --graph-fold-constants | FileCheck %s

graph.weights @gain : tensor<4xf32> from dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32> as tensor<4xf32>
graph.weights @turned : tensor<3x2xf32> from dense<1.0> : tensor<2x3xf32> as tensor<2x3xf32>
  recipe [#graph.transpose<[1, 0]>]

// Of a weight, through a reshape, with a broadcast scalar.

// CHECK-LABEL: func.func @vector
// CHECK:         arith.constant dense<{{.*}}1.000000e+00{{.*}}5.000000e-01{{.*}}> : tensor<4x1xf32>
func.func @vector() -> tensor<4x1xf32> {
  %w = graph.weight @gain : tensor<4xf32>
  %e = tensor.expand_shape %w [[0, 1]] output_shape [4, 1] : tensor<4xf32> into tensor<4x1xf32>
  %zero = arith.constant dense<0.0> : tensor<1xf32>
  %z = graph.broadcast_to %zero : tensor<1xf32> -> tensor<4x1xf32>
  %s = arith.mulf %e, %e : tensor<4x1xf32>
  %a = arith.addf %s, %z : tensor<4x1xf32>
  %r = math.rsqrt %a : tensor<4x1xf32>
  return %r : tensor<4x1xf32>
}

// A transposed weight is not computed with, nor is an argument.

// CHECK-LABEL: func.func @unknown
// CHECK:         arith.mulf %{{.*}} : tensor<3x2xf32>
// CHECK:         arith.addf %{{.*}} : tensor<3x2xf32>
func.func @unknown(%x: tensor<3x2xf32>) -> (tensor<3x2xf32>, tensor<3x2xf32>) {
  %w = graph.weight @turned : tensor<3x2xf32>
  %s = arith.mulf %w, %w : tensor<3x2xf32>
  %c = arith.constant dense<1.0> : tensor<3x2xf32>
  %a = arith.addf %x, %c : tensor<3x2xf32>
  return %s, %a : tensor<3x2xf32>, tensor<3x2xf32>
}

// Large tensors are left to the artifact.

// CHECK-LABEL: func.func @large
// CHECK:         arith.addf %{{.*}} : tensor<300x300xf32>
func.func @large() -> tensor<300x300xf32> {
  %c = arith.constant dense<1.0> : tensor<300x300xf32>
  %a = arith.addf %c, %c : tensor<300x300xf32>
  return %a : tensor<300x300xf32>
}
