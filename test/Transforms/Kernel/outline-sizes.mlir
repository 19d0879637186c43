// RUN: tessera-opt %s --kernel-outline-groups | FileCheck %s

// A kernel does not wait for the size of what it computes itself.

// CHECK-LABEL: func.func @own_size
// CHECK:         %[[N:.*]] = graph.size @own
// CHECK:         kernel.call @{{.*}} sizes(%[[N]])
// CHECK-NOT:     tensor.dim
// CHECK:         return
graph.symbol @own min 0 typical 8 max 512
func.func @own_size(%x: tensor<?x4xf32> {graph.dims = [@own, 4]}, %y: tensor<?x2x2xf32> {graph.dims = [@own, 2, 2]}) -> tensor<?x4xf32> {
  %c0 = arith.constant 0 : index
  %e = math.exp %x : tensor<?x4xf32>
  %n = tensor.dim %e, %c0 : tensor<?x4xf32>
  %w = tensor.collapse_shape %y [[0], [1, 2]] : tensor<?x2x2xf32> into tensor<?x4xf32>
  %b = tensor.empty(%n) : tensor<?x4xf32>
  %t = linalg.copy ins(%w : tensor<?x4xf32>) outs(%b : tensor<?x4xf32>) -> tensor<?x4xf32>
  %s = arith.addf %e, %t : tensor<?x4xf32>
  return %s : tensor<?x4xf32>
}
