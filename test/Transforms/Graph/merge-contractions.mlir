// RUN: tessera-opt %s --graph-merge-contractions --cse | FileCheck %s

graph.symbol @n min 0 typical 128 max 512
graph.weights @wq : tensor<8x32xf32> from #graph.file<"m", 0, 1024> as tensor<8x32xf32>
graph.weights @wk : tensor<8x16xf32> from #graph.file<"m", 1024, 512> as tensor<16x8xf32> recipe [#graph.transpose<[1, 0]>]
graph.weights @wv : tensor<8x16xf32> from #graph.file<"m", 1536, 512> as tensor<8x16xf32>
graph.weights @wa : tensor<8x32xf32> from #graph.file<"m", 2048, 1024> as tensor<8x32xf32>
graph.weights @wb : tensor<8x32xf32> from #graph.file<"m", 3072, 1024> as tensor<8x32xf32>
graph.weights @we : tensor<8x16xf32> from #graph.file<"m", 1024, 512> as tensor<8x16xf32>
graph.weights @wr : tensor<8x18xf32> from #graph.file<"m", 0, 576> as tensor<8x18xf32>
graph.weights @bq : tensor<32xf32> from #graph.file<"m", 4096, 128> as tensor<32xf32>
graph.weights @bv : tensor<16xf32> from #graph.file<"m", 4224, 64> as tensor<16xf32>

// Query, key and value of attention with grouped heads; keys have no bias.

// CHECK-DAG: graph.weights @[[W:wq_merged.*]] : tensor<8x64xf32> from #graph.concat<<#graph.file<"m", 0, 1024> as tensor<8x32xf32> recipe [#graph.transpose<[1, 0]>]>, <#graph.file<"m", 1024, 512> as tensor<16x8xf32> recipe []>, <#graph.file<"m", 1536, 512> as tensor<8x16xf32> recipe [#graph.transpose<[1, 0]>]>> as tensor<64x8xf32> recipe [#graph.transpose<[1, 0]>]
// CHECK-DAG: graph.weights @[[B:wq_merged.*]] : tensor<64xf32> from #graph.concat<<#graph.file<"m", 4096, 128> as tensor<32xf32> recipe []>, <dense<-0.000000e+00> : tensor<16xf32> as tensor<16xf32> recipe []>, <#graph.file<"m", 4224, 64> {{.*}}>>

// CHECK-LABEL: func.func @attention
// CHECK:         %[[P:.*]] = linalg.matmul {{.*}} outs(%{{.*}} : tensor<?x64xf32>)
// CHECK:         %[[Z:.*]] = arith.addf %[[P]], %{{.*}} : tensor<?x64xf32>
// CHECK-NOT:     linalg.matmul
// CHECK:         %[[R:.*]] = tensor.expand_shape %[[Z]] {{\[\[}}0, 1], [2]] {{.*}} into tensor<1x?x64xf32>
// CHECK:         tensor.extract_slice %[[R]][0, 0, 0] [1, %{{.*}}, 32] [1, 1, 1]
// CHECK:         tensor.extract_slice %[[R]][0, 0, 32] [1, %{{.*}}, 16] [1, 1, 1]
// CHECK:         tensor.extract_slice %[[R]][0, 0, 48] [1, %{{.*}}, 16] [1, 1, 1]
// CHECK:         attention.sdpa
func.func @attention(%x: tensor<?x8xf32> {graph.dims = [@n, 8]}) -> tensor<1x4x?x8xf32> {
  %n = graph.size @n
  %zero = arith.constant 0.0 : f32
  %q0_w = graph.weight @wq : tensor<8x32xf32>
  %q0_e = tensor.empty(%n) : tensor<?x32xf32>
  %q0_f = linalg.fill ins(%zero : f32) outs(%q0_e : tensor<?x32xf32>) -> tensor<?x32xf32>
  %q0 = linalg.matmul ins(%x, %q0_w : tensor<?x8xf32>, tensor<8x32xf32>) outs(%q0_f : tensor<?x32xf32>) -> tensor<?x32xf32>
  %bq = graph.weight @bq : tensor<32xf32>
  %q1_b = graph.broadcast_to %bq sizes(%n) : tensor<32xf32> -> tensor<?x32xf32>
  %q1 = arith.addf %q0, %q1_b : tensor<?x32xf32>
  %k0_w = graph.weight @wk : tensor<8x16xf32>
  %k0_e = tensor.empty(%n) : tensor<?x16xf32>
  %k0_f = linalg.fill ins(%zero : f32) outs(%k0_e : tensor<?x16xf32>) -> tensor<?x16xf32>
  %k0 = linalg.matmul ins(%x, %k0_w : tensor<?x8xf32>, tensor<8x16xf32>) outs(%k0_f : tensor<?x16xf32>) -> tensor<?x16xf32>
  %v0_w = graph.weight @wv : tensor<8x16xf32>
  %v0_e = tensor.empty(%n) : tensor<?x16xf32>
  %v0_f = linalg.fill ins(%zero : f32) outs(%v0_e : tensor<?x16xf32>) -> tensor<?x16xf32>
  %v0 = linalg.matmul ins(%x, %v0_w : tensor<?x8xf32>, tensor<8x16xf32>) outs(%v0_f : tensor<?x16xf32>) -> tensor<?x16xf32>
  %bv = graph.weight @bv : tensor<16xf32>
  %v1_b = graph.broadcast_to %bv sizes(%n) : tensor<16xf32> -> tensor<?x16xf32>
  %v1 = arith.addf %v0, %v1_b : tensor<?x16xf32>
  %q_h = tensor.expand_shape %q1 [[0, 1], [2, 3]] output_shape [1, %n, 4, 8] : tensor<?x32xf32> into tensor<1x?x4x8xf32>
  %q_i = tensor.empty(%n) : tensor<1x4x?x8xf32>
  %q = linalg.transpose ins(%q_h : tensor<1x?x4x8xf32>) outs(%q_i : tensor<1x4x?x8xf32>) permutation = [0, 2, 1, 3]
  %k_h = tensor.expand_shape %k0 [[0, 1], [2, 3]] output_shape [1, %n, 2, 8] : tensor<?x16xf32> into tensor<1x?x2x8xf32>
  %k_i = tensor.empty(%n) : tensor<1x2x?x8xf32>
  %k = linalg.transpose ins(%k_h : tensor<1x?x2x8xf32>) outs(%k_i : tensor<1x2x?x8xf32>) permutation = [0, 2, 1, 3]
  %v_h = tensor.expand_shape %v1 [[0, 1], [2, 3]] output_shape [1, %n, 2, 8] : tensor<?x16xf32> into tensor<1x?x2x8xf32>
  %v_i = tensor.empty(%n) : tensor<1x2x?x8xf32>
  %v = linalg.transpose ins(%v_h : tensor<1x?x2x8xf32>) outs(%v_i : tensor<1x2x?x8xf32>) permutation = [0, 2, 1, 3]
  %y = attention.sdpa %q, %k, %v scale 1.0 : tensor<1x4x?x8xf32>, tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32> -> tensor<1x4x?x8xf32>
  return %y : tensor<1x4x?x8xf32>
}

// A gated layer: the product's kernel computes what reads it.

// CHECK-LABEL: func.func @epilogue
// CHECK-COUNT-2: linalg.matmul
func.func @epilogue(%x: tensor<?x8xf32> {graph.dims = [@n, 8]}) -> tensor<?x32xf32> {
  %n = graph.size @n
  %zero = arith.constant 0.0 : f32
  %a_w = graph.weight @wa : tensor<8x32xf32>
  %a_e = tensor.empty(%n) : tensor<?x32xf32>
  %a_f = linalg.fill ins(%zero : f32) outs(%a_e : tensor<?x32xf32>) -> tensor<?x32xf32>
  %a = linalg.matmul ins(%x, %a_w : tensor<?x8xf32>, tensor<8x32xf32>) outs(%a_f : tensor<?x32xf32>) -> tensor<?x32xf32>
  %b_w = graph.weight @wb : tensor<8x32xf32>
  %b_e = tensor.empty(%n) : tensor<?x32xf32>
  %b_f = linalg.fill ins(%zero : f32) outs(%b_e : tensor<?x32xf32>) -> tensor<?x32xf32>
  %b = linalg.matmul ins(%x, %b_w : tensor<?x8xf32>, tensor<8x32xf32>) outs(%b_f : tensor<?x32xf32>) -> tensor<?x32xf32>
  %t = math.tanh %a : tensor<?x32xf32>
  %y = arith.mulf %t, %b : tensor<?x32xf32>
  return %y : tensor<?x32xf32>
}

// Query and key are one product; the value is an output as well.

// CHECK-LABEL: func.func @output
// CHECK:         linalg.matmul {{.*}} outs(%{{.*}} : tensor<?x48xf32>)
// CHECK:         %[[V:.*]] = linalg.matmul {{.*}} outs(%{{.*}} : tensor<?x16xf32>)
// CHECK:         return %[[V]]
func.func @output(%x: tensor<?x8xf32> {graph.dims = [@n, 8]}) -> (tensor<?x16xf32>, tensor<1x4x?x8xf32>) {
  %n = graph.size @n
  %zero = arith.constant 0.0 : f32
  %q0_w = graph.weight @wq : tensor<8x32xf32>
  %q0_e = tensor.empty(%n) : tensor<?x32xf32>
  %q0_f = linalg.fill ins(%zero : f32) outs(%q0_e : tensor<?x32xf32>) -> tensor<?x32xf32>
  %q0 = linalg.matmul ins(%x, %q0_w : tensor<?x8xf32>, tensor<8x32xf32>) outs(%q0_f : tensor<?x32xf32>) -> tensor<?x32xf32>
  %k0_w = graph.weight @wk : tensor<8x16xf32>
  %k0_e = tensor.empty(%n) : tensor<?x16xf32>
  %k0_f = linalg.fill ins(%zero : f32) outs(%k0_e : tensor<?x16xf32>) -> tensor<?x16xf32>
  %k0 = linalg.matmul ins(%x, %k0_w : tensor<?x8xf32>, tensor<8x16xf32>) outs(%k0_f : tensor<?x16xf32>) -> tensor<?x16xf32>
  %v0_w = graph.weight @wv : tensor<8x16xf32>
  %v0_e = tensor.empty(%n) : tensor<?x16xf32>
  %v0_f = linalg.fill ins(%zero : f32) outs(%v0_e : tensor<?x16xf32>) -> tensor<?x16xf32>
  %v0 = linalg.matmul ins(%x, %v0_w : tensor<?x8xf32>, tensor<8x16xf32>) outs(%v0_f : tensor<?x16xf32>) -> tensor<?x16xf32>
  %q_h = tensor.expand_shape %q0 [[0, 1], [2, 3]] output_shape [1, %n, 4, 8] : tensor<?x32xf32> into tensor<1x?x4x8xf32>
  %q_i = tensor.empty(%n) : tensor<1x4x?x8xf32>
  %q = linalg.transpose ins(%q_h : tensor<1x?x4x8xf32>) outs(%q_i : tensor<1x4x?x8xf32>) permutation = [0, 2, 1, 3]
  %k_h = tensor.expand_shape %k0 [[0, 1], [2, 3]] output_shape [1, %n, 2, 8] : tensor<?x16xf32> into tensor<1x?x2x8xf32>
  %k_i = tensor.empty(%n) : tensor<1x2x?x8xf32>
  %k = linalg.transpose ins(%k_h : tensor<1x?x2x8xf32>) outs(%k_i : tensor<1x2x?x8xf32>) permutation = [0, 2, 1, 3]
  %v_h = tensor.expand_shape %v0 [[0, 1], [2, 3]] output_shape [1, %n, 2, 8] : tensor<?x16xf32> into tensor<1x?x2x8xf32>
  %v_i = tensor.empty(%n) : tensor<1x2x?x8xf32>
  %v = linalg.transpose ins(%v_h : tensor<1x?x2x8xf32>) outs(%v_i : tensor<1x2x?x8xf32>) permutation = [0, 2, 1, 3]
  %y = attention.sdpa %q, %k, %v scale 1.0 : tensor<1x4x?x8xf32>, tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32> -> tensor<1x4x?x8xf32>
  return %v0, %y : tensor<?x16xf32>, tensor<1x4x?x8xf32>
}

// A transposed output is a copy anyway: keys and values that are kept for later.

// CHECK-LABEL: func.func @transposed_output
// CHECK-COUNT-1: linalg.matmul
// CHECK-NOT:     linalg.matmul
// CHECK:         return
func.func @transposed_output(%x: tensor<?x8xf32> {graph.dims = [@n, 8]}) -> (tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>) {
  %n = graph.size @n
  %zero = arith.constant 0.0 : f32
  %k0_w = graph.weight @wk : tensor<8x16xf32>
  %k0_e = tensor.empty(%n) : tensor<?x16xf32>
  %k0_f = linalg.fill ins(%zero : f32) outs(%k0_e : tensor<?x16xf32>) -> tensor<?x16xf32>
  %k0 = linalg.matmul ins(%x, %k0_w : tensor<?x8xf32>, tensor<8x16xf32>) outs(%k0_f : tensor<?x16xf32>) -> tensor<?x16xf32>
  %v0_w = graph.weight @wv : tensor<8x16xf32>
  %v0_e = tensor.empty(%n) : tensor<?x16xf32>
  %v0_f = linalg.fill ins(%zero : f32) outs(%v0_e : tensor<?x16xf32>) -> tensor<?x16xf32>
  %v0 = linalg.matmul ins(%x, %v0_w : tensor<?x8xf32>, tensor<8x16xf32>) outs(%v0_f : tensor<?x16xf32>) -> tensor<?x16xf32>
  %k_h = tensor.expand_shape %k0 [[0, 1], [2, 3]] output_shape [1, %n, 2, 8] : tensor<?x16xf32> into tensor<1x?x2x8xf32>
  %k_i = tensor.empty(%n) : tensor<1x2x?x8xf32>
  %k = linalg.transpose ins(%k_h : tensor<1x?x2x8xf32>) outs(%k_i : tensor<1x2x?x8xf32>) permutation = [0, 2, 1, 3]
  %v_h = tensor.expand_shape %v0 [[0, 1], [2, 3]] output_shape [1, %n, 2, 8] : tensor<?x16xf32> into tensor<1x?x2x8xf32>
  %v_i = tensor.empty(%n) : tensor<1x2x?x8xf32>
  %v = linalg.transpose ins(%v_h : tensor<1x?x2x8xf32>) outs(%v_i : tensor<1x2x?x8xf32>) permutation = [0, 2, 1, 3]
  return %k, %v : tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>
}

// A weight that something else reads would be stored twice.

// CHECK-LABEL: func.func @read_twice
// CHECK-COUNT-2: linalg.matmul
func.func @read_twice(%x: tensor<?x8xf32> {graph.dims = [@n, 8]}) -> (tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>, tensor<8x16xf32>) {
  %n = graph.size @n
  %zero = arith.constant 0.0 : f32
  %k0_w = graph.weight @we : tensor<8x16xf32>
  %k0_e = tensor.empty(%n) : tensor<?x16xf32>
  %k0_f = linalg.fill ins(%zero : f32) outs(%k0_e : tensor<?x16xf32>) -> tensor<?x16xf32>
  %k0 = linalg.matmul ins(%x, %k0_w : tensor<?x8xf32>, tensor<8x16xf32>) outs(%k0_f : tensor<?x16xf32>) -> tensor<?x16xf32>
  %v0_w = graph.weight @wv : tensor<8x16xf32>
  %v0_e = tensor.empty(%n) : tensor<?x16xf32>
  %v0_f = linalg.fill ins(%zero : f32) outs(%v0_e : tensor<?x16xf32>) -> tensor<?x16xf32>
  %v0 = linalg.matmul ins(%x, %v0_w : tensor<?x8xf32>, tensor<8x16xf32>) outs(%v0_f : tensor<?x16xf32>) -> tensor<?x16xf32>
  %k_h = tensor.expand_shape %k0 [[0, 1], [2, 3]] output_shape [1, %n, 2, 8] : tensor<?x16xf32> into tensor<1x?x2x8xf32>
  %k_i = tensor.empty(%n) : tensor<1x2x?x8xf32>
  %k = linalg.transpose ins(%k_h : tensor<1x?x2x8xf32>) outs(%k_i : tensor<1x2x?x8xf32>) permutation = [0, 2, 1, 3]
  %v_h = tensor.expand_shape %v0 [[0, 1], [2, 3]] output_shape [1, %n, 2, 8] : tensor<?x16xf32> into tensor<1x?x2x8xf32>
  %v_i = tensor.empty(%n) : tensor<1x2x?x8xf32>
  %v = linalg.transpose ins(%v_h : tensor<1x?x2x8xf32>) outs(%v_i : tensor<1x2x?x8xf32>) permutation = [0, 2, 1, 3]
  %e = math.exp %k0_w : tensor<8x16xf32>
  return %k, %v, %e : tensor<1x2x?x8xf32>, tensor<1x2x?x8xf32>, tensor<8x16xf32>
}

// Another product stands between: the first result would wait for the second.

// CHECK-LABEL: func.func @apart
// CHECK-COUNT-3: linalg.matmul
func.func @apart(%x: tensor<?x8xf32> {graph.dims = [@n, 8]}, %other: tensor<?x8xf32> {graph.dims = [@n, 8]}) -> (tensor<1x2x?x8xf32>, tensor<?x32xf32>, tensor<1x2x?x8xf32>) {
  %n = graph.size @n
  %zero = arith.constant 0.0 : f32
  %k0_w = graph.weight @wk : tensor<8x16xf32>
  %k0_e = tensor.empty(%n) : tensor<?x16xf32>
  %k0_f = linalg.fill ins(%zero : f32) outs(%k0_e : tensor<?x16xf32>) -> tensor<?x16xf32>
  %k0 = linalg.matmul ins(%x, %k0_w : tensor<?x8xf32>, tensor<8x16xf32>) outs(%k0_f : tensor<?x16xf32>) -> tensor<?x16xf32>
  %o_w = graph.weight @wa : tensor<8x32xf32>
  %o_e = tensor.empty(%n) : tensor<?x32xf32>
  %o_f = linalg.fill ins(%zero : f32) outs(%o_e : tensor<?x32xf32>) -> tensor<?x32xf32>
  %o = linalg.matmul ins(%other, %o_w : tensor<?x8xf32>, tensor<8x32xf32>) outs(%o_f : tensor<?x32xf32>) -> tensor<?x32xf32>
  %v0_w = graph.weight @wv : tensor<8x16xf32>
  %v0_e = tensor.empty(%n) : tensor<?x16xf32>
  %v0_f = linalg.fill ins(%zero : f32) outs(%v0_e : tensor<?x16xf32>) -> tensor<?x16xf32>
  %v0 = linalg.matmul ins(%x, %v0_w : tensor<?x8xf32>, tensor<8x16xf32>) outs(%v0_f : tensor<?x16xf32>) -> tensor<?x16xf32>
  %k_h = tensor.expand_shape %k0 [[0, 1], [2, 3]] output_shape [1, %n, 2, 8] : tensor<?x16xf32> into tensor<1x?x2x8xf32>
  %k_i = tensor.empty(%n) : tensor<1x2x?x8xf32>
  %k = linalg.transpose ins(%k_h : tensor<1x?x2x8xf32>) outs(%k_i : tensor<1x2x?x8xf32>) permutation = [0, 2, 1, 3]
  %v_h = tensor.expand_shape %v0 [[0, 1], [2, 3]] output_shape [1, %n, 2, 8] : tensor<?x16xf32> into tensor<1x?x2x8xf32>
  %v_i = tensor.empty(%n) : tensor<1x2x?x8xf32>
  %v = linalg.transpose ins(%v_h : tensor<1x?x2x8xf32>) outs(%v_i : tensor<1x2x?x8xf32>) permutation = [0, 2, 1, 3]
  return %k, %o, %v : tensor<1x2x?x8xf32>, tensor<?x32xf32>, tensor<1x2x?x8xf32>
}

// How a target packs columns does not count here: any number of them is joined.

// CHECK-LABEL: func.func @ragged
// CHECK:         linalg.matmul {{.*}} outs(%{{.*}} : tensor<?x34xf32>)
// CHECK-NOT:     linalg.matmul
// CHECK:         return
func.func @ragged(%x: tensor<?x8xf32> {graph.dims = [@n, 8]}) -> (tensor<1x2x?x8xf32>, tensor<1x2x?x9xf32>) {
  %n = graph.size @n
  %zero = arith.constant 0.0 : f32
  %k0_w = graph.weight @wk : tensor<8x16xf32>
  %k0_e = tensor.empty(%n) : tensor<?x16xf32>
  %k0_f = linalg.fill ins(%zero : f32) outs(%k0_e : tensor<?x16xf32>) -> tensor<?x16xf32>
  %k0 = linalg.matmul ins(%x, %k0_w : tensor<?x8xf32>, tensor<8x16xf32>) outs(%k0_f : tensor<?x16xf32>) -> tensor<?x16xf32>
  %v0_w = graph.weight @wr : tensor<8x18xf32>
  %v0_e = tensor.empty(%n) : tensor<?x18xf32>
  %v0_f = linalg.fill ins(%zero : f32) outs(%v0_e : tensor<?x18xf32>) -> tensor<?x18xf32>
  %v0 = linalg.matmul ins(%x, %v0_w : tensor<?x8xf32>, tensor<8x18xf32>) outs(%v0_f : tensor<?x18xf32>) -> tensor<?x18xf32>
  %k_h = tensor.expand_shape %k0 [[0, 1], [2, 3]] output_shape [1, %n, 2, 8] : tensor<?x16xf32> into tensor<1x?x2x8xf32>
  %k_i = tensor.empty(%n) : tensor<1x2x?x8xf32>
  %k = linalg.transpose ins(%k_h : tensor<1x?x2x8xf32>) outs(%k_i : tensor<1x2x?x8xf32>) permutation = [0, 2, 1, 3]
  %v_h = tensor.expand_shape %v0 [[0, 1], [2, 3]] output_shape [1, %n, 2, 9] : tensor<?x18xf32> into tensor<1x?x2x9xf32>
  %v_i = tensor.empty(%n) : tensor<1x2x?x9xf32>
  %v = linalg.transpose ins(%v_h : tensor<1x?x2x9xf32>) outs(%v_i : tensor<1x2x?x9xf32>) permutation = [0, 2, 1, 3]
  return %k, %v : tensor<1x2x?x8xf32>, tensor<1x2x?x9xf32>
}
