// RUN: tessera-opt %s --graph-reduce-narrow-rows --graph-fold-weight-arithmetic | FileCheck %s

graph.weights @levels : tensor<64x32xi8> from dense<3> : tensor<64x32xi8> as tensor<64x32xi8>
graph.weights @wide : tensor<64x32xf32> from dense<3.0> : tensor<64x32xf32> as tensor<64x32xf32>

// The numbers are computed where they are summed.
// CHECK-LABEL: func @one_row
// CHECK: %[[LEVELS:.*]] = graph.weight @levels
// CHECK: %[[NUMBERS:.*]] = arith.sitofp %[[LEVELS]]
// CHECK: %[[ROW:.*]] = graph.broadcast_to %arg0 : tensor<1x32xf32> -> tensor<64x32xf32>
// CHECK: %[[PRODUCTS:.*]] = arith.mulf %[[ROW]], %[[NUMBERS]]
// CHECK: %[[SUMS:.*]] = linalg.reduce ins(%[[PRODUCTS]] : tensor<64x32xf32>) {{.*}} dimensions = [1]
// CHECK: tensor.expand_shape %[[SUMS]] {{.*}} into tensor<1x64xf32>
// CHECK-NOT: linalg.matmul
func.func @one_row(%x: tensor<1x32xf32>) -> tensor<1x64xf32> {
  %levels = graph.weight @levels : tensor<64x32xi8>
  %numbers = arith.sitofp %levels : tensor<64x32xi8> to tensor<64x32xf32>
  %e = tensor.empty() : tensor<32x64xf32>
  %turned = linalg.transpose ins(%numbers : tensor<64x32xf32>) outs(%e : tensor<32x64xf32>) permutation = [1, 0]
  %zero = arith.constant 0.0 : f32
  %o = tensor.empty() : tensor<1x64xf32>
  %start = linalg.fill ins(%zero : f32) outs(%o : tensor<1x64xf32>) -> tensor<1x64xf32>
  %y = linalg.matmul ins(%x, %turned : tensor<1x32xf32>, tensor<32x64xf32>) outs(%start : tensor<1x64xf32>) -> tensor<1x64xf32>
  return %y : tensor<1x64xf32>
}

// Two rows, weights of floats, and sums that start elsewhere stay products.
// CHECK-LABEL: func @two_rows
// CHECK: graph.weight @computed
// CHECK: linalg.matmul
func.func @two_rows(%x: tensor<2x32xf32>) -> tensor<2x64xf32> {
  %levels = graph.weight @levels : tensor<64x32xi8>
  %numbers = arith.sitofp %levels : tensor<64x32xi8> to tensor<64x32xf32>
  %e = tensor.empty() : tensor<32x64xf32>
  %turned = linalg.transpose ins(%numbers : tensor<64x32xf32>) outs(%e : tensor<32x64xf32>) permutation = [1, 0]
  %zero = arith.constant 0.0 : f32
  %o = tensor.empty() : tensor<2x64xf32>
  %start = linalg.fill ins(%zero : f32) outs(%o : tensor<2x64xf32>) -> tensor<2x64xf32>
  %y = linalg.matmul ins(%x, %turned : tensor<2x32xf32>, tensor<32x64xf32>) outs(%start : tensor<2x64xf32>) -> tensor<2x64xf32>
  return %y : tensor<2x64xf32>
}

// CHECK-LABEL: func @floats
// CHECK: linalg.matmul
func.func @floats(%x: tensor<1x32xf32>) -> tensor<1x64xf32> {
  %numbers = graph.weight @wide : tensor<64x32xf32>
  %e = tensor.empty() : tensor<32x64xf32>
  %turned = linalg.transpose ins(%numbers : tensor<64x32xf32>) outs(%e : tensor<32x64xf32>) permutation = [1, 0]
  %zero = arith.constant 0.0 : f32
  %o = tensor.empty() : tensor<1x64xf32>
  %start = linalg.fill ins(%zero : f32) outs(%o : tensor<1x64xf32>) -> tensor<1x64xf32>
  %y = linalg.matmul ins(%x, %turned : tensor<1x32xf32>, tensor<32x64xf32>) outs(%start : tensor<1x64xf32>) -> tensor<1x64xf32>
  return %y : tensor<1x64xf32>
}

// CHECK-LABEL: func @start
// CHECK: linalg.matmul
func.func @start(%x: tensor<1x32xf32>, %start: tensor<1x64xf32>) -> tensor<1x64xf32> {
  %levels = graph.weight @levels : tensor<64x32xi8>
  %numbers = arith.sitofp %levels : tensor<64x32xi8> to tensor<64x32xf32>
  %e = tensor.empty() : tensor<32x64xf32>
  %turned = linalg.transpose ins(%numbers : tensor<64x32xf32>) outs(%e : tensor<32x64xf32>) permutation = [1, 0]
  %y = linalg.matmul ins(%x, %turned : tensor<1x32xf32>, tensor<32x64xf32>) outs(%start : tensor<1x64xf32>) -> tensor<1x64xf32>
  return %y : tensor<1x64xf32>
}
