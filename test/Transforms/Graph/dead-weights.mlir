// RUN: tessera-opt %s --tessera-graph | FileCheck %s

// Weights are private to their module: what nothing reads any more, here the matrix as it
// is in the file, goes away, and so does what nobody ever read.

// CHECK-NOT:   graph.weights @w :
// CHECK-NOT:   graph.weights @unread
// CHECK:       graph.weights @w_{{.*}} recipe [#graph.transpose<[1, 0]>
// CHECK-NOT:   graph.weights
// CHECK-LABEL: func.func @main
graph.weights @w : tensor<32x16xf32> from #graph.file<"m", 0, 2048> as tensor<32x16xf32>
graph.weights @unread : tensor<32x16xf32> from #graph.file<"m", 2048, 2048> as tensor<32x16xf32>
func.func @main(%x: tensor<4x16xf32> {graph.name = "x", graph.dims = [4, 16]})
    -> (tensor<4x32xf32> {graph.name = "y"}) {
  %w = graph.weight @w : tensor<32x16xf32>
  %zero = arith.constant 0.0 : f32
  %turned = tensor.empty() : tensor<16x32xf32>
  %t = linalg.transpose ins(%w : tensor<32x16xf32>) outs(%turned : tensor<16x32xf32>) permutation = [1, 0]
  %e = tensor.empty() : tensor<4x32xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x32xf32>) -> tensor<4x32xf32>
  %y = linalg.matmul ins(%x, %t : tensor<4x16xf32>, tensor<16x32xf32>) outs(%f : tensor<4x32xf32>) -> tensor<4x32xf32>
  return %y : tensor<4x32xf32>
}
