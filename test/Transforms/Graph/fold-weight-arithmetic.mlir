// RUN: tessera-opt %s --split-input-file --graph-fold-weight-arithmetic --canonicalize --remark-format=emitRemark --remark-policy=all --remarks-filter='weights' --verify-diagnostics | FileCheck %s

// A filter that is dequantized by one scale for each output: computed once, and read
// through the transpose behind it.

// CHECK:       graph.weights @[[W:computed.*]] : tensor<4x8xf32> from #graph.file<"m", 0, 32> as tensor<4x8xi8>
// CHECK-SAME:    recipe [#graph.elementwise<"arith.extsi" to i32>, #graph.elementwise<"arith.subi" to i32 with
// CHECK-SAME:      #graph.elementwise<"arith.sitofp" to f32>, #graph.elementwise<"arith.mulf" to f32 with
// CHECK-SAME:      recipe [#graph.reshape<[4, 1]>, #graph.broadcast<[4, 8]>]>
// CHECK-LABEL: func.func @dequantized
// CHECK-NEXT:    %[[V:.*]] = graph.weight @[[W]] : tensor<4x8xf32>
// CHECK-NOT:     arith
// CHECK:         linalg.transpose ins(%[[V]]
graph.weights @w : tensor<4x8xi8> from #graph.file<"m", 0, 32> as tensor<4x8xi8>
func.func @dequantized() -> tensor<8x4xf32> {
  %w = graph.weight @w : tensor<4x8xi8>
  %zero = arith.constant dense<3> : tensor<4x8xi32>
  %scales = arith.constant dense<[1.0, 2.0, 3.0, 4.0]> : tensor<4xf32>
  %i = arith.extsi %w : tensor<4x8xi8> to tensor<4x8xi32>
  %c = arith.subi %i, %zero : tensor<4x8xi32>
  %f = arith.sitofp %c : tensor<4x8xi32> to tensor<4x8xf32>
  %s = tensor.expand_shape %scales [[0, 1]] output_shape [4, 1] : tensor<4xf32> into tensor<4x1xf32>
  %b = graph.broadcast_to %s : tensor<4x1xf32> -> tensor<4x8xf32>
  %d = arith.mulf %f, %b : tensor<4x8xf32>
  %e = tensor.empty() : tensor<8x4xf32>
  %t = linalg.transpose ins(%d : tensor<4x8xf32>) outs(%e : tensor<8x4xf32>) permutation = [1, 0]
  return %t : tensor<8x4xf32>
}

// -----

// A filter less the mean of its columns; joins; entries at constant indices. Equal
// computations are stored once.

// CHECK-DAG:   recipe [#graph.elementwise<"arith.subf" to f32 with[{{.*}}#graph.reduce<"arith.addf", [0]>
// CHECK-DAG:   from #graph.concat<{{.*}}> as tensor<8x2xf32>
// CHECK-DAG:   #graph.take<1, <dense<[1, 0, 1]>
// CHECK-LABEL: func.func @others
// CHECK-NOT:     arith.subf
// CHECK-NOT:     linalg.reduce
// CHECK-NOT:     tensor.concat
// CHECK-NOT:     graph.gather
// CHECK:         return
graph.weights @w : tensor<4x2xf32> from #graph.file<"m", 0, 32> as tensor<4x2xf32>
func.func @others(%x: tensor<4x2xf32>)
    -> (tensor<4x2xf32>, tensor<4x2xf32>, tensor<8x2xf32>, tensor<4x3xf32>) {
  %w = graph.weight @w : tensor<4x2xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2xf32>) -> tensor<2xf32>
  %sum = linalg.reduce { arith.addf } ins(%w : tensor<4x2xf32>) outs(%f : tensor<2xf32>) dimensions = [0]
  %b = graph.broadcast_to %sum : tensor<2xf32> -> tensor<4x2xf32>
  %c = arith.subf %w, %b : tensor<4x2xf32>
  %again = arith.subf %w, %b : tensor<4x2xf32>
  %a = arith.mulf %x, %c : tensor<4x2xf32>
  %m = arith.mulf %x, %again : tensor<4x2xf32>
  %j = tensor.concat dim(0) %w, %c : (tensor<4x2xf32>, tensor<4x2xf32>) -> tensor<8x2xf32>
  %i = arith.constant dense<[1, 0, 1]> : tensor<3xi64>
  %g = graph.gather %w[%i] axis 1 : tensor<4x2xf32>, tensor<3xi64> -> tensor<4x3xf32>
  return %a, %m, %j, %g : tensor<4x2xf32>, tensor<4x2xf32>, tensor<8x2xf32>, tensor<4x3xf32>
}

// -----

// Neither what depends on the input, nor what depends on no weight, nor an outer
// product of vectors.

// CHECK-LABEL: func.func @left
// CHECK:         arith.mulf
// CHECK:         arith.addi
// CHECK:         arith.addf
// CHECK:         return
graph.weights @v : tensor<64xf32> from #graph.file<"m", 0, 256> as tensor<64xf32>
func.func @left(%x: tensor<64xf32>) -> (tensor<64xf32>, tensor<64xi32>, tensor<64x64xf32>) {
  %v = graph.weight @v : tensor<64xf32>
  %p = arith.mulf %x, %v : tensor<64xf32>
  %i = graph.iota 0 : tensor<64xi32>
  %one = arith.constant dense<1> : tensor<64xi32>
  %q = arith.addi %i, %one : tensor<64xi32>
  %row = graph.broadcast_to %v : tensor<64xf32> -> tensor<64x64xf32>
  %c = tensor.expand_shape %v [[0, 1]] output_shape [64, 1] : tensor<64xf32> into tensor<64x1xf32>
  %column = graph.broadcast_to %c : tensor<64x1xf32> -> tensor<64x64xf32>
  // expected-remark @+1 {{'arith.addf' of weights is computed in every run}}
  %o = arith.addf %row, %column : tensor<64x64xf32>
  return %p, %q, %o : tensor<64xf32>, tensor<64xi32>, tensor<64x64xf32>
}

// -----

// What has no step is named.

// CHECK-LABEL: func.func @product
// CHECK:         linalg.matmul
graph.weights @w : tensor<2x2xf32> from #graph.file<"m", 0, 16> as tensor<2x2xf32>
func.func @product() -> tensor<2x2xf32> {
  %w = graph.weight @w : tensor<2x2xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x2xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x2xf32>) -> tensor<2x2xf32>
  // expected-remark @+1 {{'linalg.matmul' of weights is computed in every run}}
  %p = linalg.matmul ins(%w, %w : tensor<2x2xf32>, tensor<2x2xf32>) outs(%f : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %p : tensor<2x2xf32>
}
