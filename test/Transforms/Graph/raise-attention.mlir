// RUN: tessera-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(raise-attention),canonicalize,cse)' | FileCheck %s

#q = affine_map<(b, h, m, n, k) -> (b, h, m, k)>
#k = affine_map<(b, h, m, n, k) -> (b, h, n, k)>
#t = affine_map<(b, h, m, n, k) -> (b, h, k, n)>
#o = affine_map<(b, h, m, n, k) -> (b, h, m, n)>

// The keys come transposed, half of the scale sits on each operand.

// CHECK-LABEL: @scales_on_operands
// CHECK-SAME:    %[[Q:.+]]: tensor<2x3x5x8xf32>, %[[KT:.+]]: tensor<2x3x8x7xf32>, %[[V:.+]]: tensor
// CHECK:         %[[K:.+]] = linalg.transpose ins(%[[KT]] {{.+}} permutation = [0, 1, 3, 2]
// CHECK:         %[[O:.+]] = attention.sdpa %[[Q]], %[[K]], %[[V]] scale 1.250000e-01 :
// CHECK-NEXT:    return %[[O]]
func.func @scales_on_operands(%q: tensor<2x3x5x8xf32>, %kt: tensor<2x3x8x7xf32>, %v: tensor<2x3x7x4xf32>) -> tensor<2x3x5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %half = arith.constant dense<0.5> : tensor<2x3x5x8xf32>
  %quarter = arith.constant dense<4.0> : tensor<2x3x8x7xf32>
  %qs = arith.mulf %half, %q : tensor<2x3x5x8xf32>
  %ks = arith.divf %kt, %quarter : tensor<2x3x8x7xf32>
  %e = tensor.empty() : tensor<2x3x5x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x3x5x7xf32>) -> tensor<2x3x5x7xf32>
  %s = linalg.contract indexing_maps = [#q, #t, #o] ins(%qs, %ks : tensor<2x3x5x8xf32>, tensor<2x3x8x7xf32>) outs(%f : tensor<2x3x5x7xf32>) -> tensor<2x3x5x7xf32>
  %p = linalg.softmax dimension(3) ins(%s : tensor<2x3x5x7xf32>) outs(%e : tensor<2x3x5x7xf32>) -> tensor<2x3x5x7xf32>
  %e2 = tensor.empty() : tensor<2x3x5x4xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2x3x5x4xf32>) -> tensor<2x3x5x4xf32>
  %y = linalg.contract indexing_maps = [#q, #t, #o] ins(%p, %v : tensor<2x3x5x7xf32>, tensor<2x3x7x4xf32>) outs(%f2 : tensor<2x3x5x4xf32>) -> tensor<2x3x5x4xf32>
  return %y : tensor<2x3x5x4xf32>
}

// -----

// Batch and heads in one dimension, split again for the bias.

// CHECK-LABEL: @collapsed_heads
// CHECK-SAME:    %[[Q:.+]]: tensor<6x5x8xf32>, %[[K:.+]]: tensor<6x7x8xf32>, %[[V:.+]]: tensor<6x7x4xf32>, %[[B:.+]]: tensor<2x1x5x7xf32>
// CHECK-DAG:     %[[Q4:.+]] = tensor.expand_shape %[[Q]] {{.+}} into tensor<2x3x5x8xf32>
// CHECK-DAG:     %[[K4:.+]] = tensor.expand_shape %[[K]] {{.+}} into tensor<2x3x7x8xf32>
// CHECK-DAG:     %[[V4:.+]] = tensor.expand_shape %[[V]] {{.+}} into tensor<2x3x7x4xf32>
// CHECK:         %[[O:.+]] = attention.sdpa %[[Q4]], %[[K4]], %[[V4]] bias %[[B]] scale 5.000000e-01 :
// CHECK:         tensor.collapse_shape %[[O]] {{.+}} into tensor<6x5x4xf32>
func.func @collapsed_heads(%q: tensor<6x5x8xf32>, %k: tensor<6x7x8xf32>, %v: tensor<6x7x4xf32>, %b: tensor<2x1x5x7xf32>) -> tensor<6x5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %two = arith.constant dense<2.0> : tensor<6x5x7xf32>
  %te = tensor.empty() : tensor<6x8x7xf32>
  %kt = linalg.transpose ins(%k : tensor<6x7x8xf32>) outs(%te : tensor<6x8x7xf32>) permutation = [0, 2, 1]
  %e = tensor.empty() : tensor<6x5x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<6x5x7xf32>) -> tensor<6x5x7xf32>
  %s = linalg.batch_matmul ins(%q, %kt : tensor<6x5x8xf32>, tensor<6x8x7xf32>) outs(%f : tensor<6x5x7xf32>) -> tensor<6x5x7xf32>
  %d = arith.divf %s, %two : tensor<6x5x7xf32>
  %x = tensor.expand_shape %d [[0, 1], [2], [3]] output_shape [2, 3, 5, 7] : tensor<6x5x7xf32> into tensor<2x3x5x7xf32>
  %bw = graph.broadcast_to %b : tensor<2x1x5x7xf32> -> tensor<2x3x5x7xf32>
  %a = arith.addf %bw, %x : tensor<2x3x5x7xf32>
  %c = tensor.collapse_shape %a [[0, 1], [2], [3]] : tensor<2x3x5x7xf32> into tensor<6x5x7xf32>
  %p = linalg.softmax dimension(2) ins(%c : tensor<6x5x7xf32>) outs(%e : tensor<6x5x7xf32>) -> tensor<6x5x7xf32>
  %e2 = tensor.empty() : tensor<6x5x4xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<6x5x4xf32>) -> tensor<6x5x4xf32>
  %y = linalg.batch_matmul ins(%p, %v : tensor<6x5x7xf32>, tensor<6x7x4xf32>) outs(%f2 : tensor<6x5x4xf32>) -> tensor<6x5x4xf32>
  return %y : tensor<6x5x4xf32>
}

// -----

#q = affine_map<(b, h, m, n, k) -> (b, h, m, k)>
#k = affine_map<(b, h, m, n, k) -> (b, h, n, k)>
#t = affine_map<(b, h, m, n, k) -> (b, h, k, n)>
#o = affine_map<(b, h, m, n, k) -> (b, h, m, n)>

// A mask of -inf, a soft cap before it, and a guard against rows of NaN.

// CHECK-LABEL: @mask_softcap_guard
// CHECK:         attention.sdpa %{{.+}} mask %{{.+}} scale 6.000000e+00 softcap = 3.000000e+00 masked_rows = zero : {{.+}} mask tensor<2x1x1x7xi1>
func.func @mask_softcap_guard(%q: tensor<2x3x5x8xf32>, %k: tensor<2x3x7x8xf32>, %v: tensor<2x3x7x4xf32>, %m: tensor<2x1x1x7xi1>) -> tensor<2x3x5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant dense<0xFF800000> : tensor<2x3x5x7xf32>
  %none = arith.constant dense<0.0> : tensor<2x3x5x7xf32>
  %two = arith.constant dense<2.0> : tensor<2x3x5x7xf32>
  %three = arith.constant dense<3.0> : tensor<2x3x5x7xf32>
  %e = tensor.empty() : tensor<2x3x5x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x3x5x7xf32>) -> tensor<2x3x5x7xf32>
  %s = linalg.contract indexing_maps = [#q, #k, #o] ins(%q, %k : tensor<2x3x5x8xf32>, tensor<2x3x7x8xf32>) outs(%f : tensor<2x3x5x7xf32>) -> tensor<2x3x5x7xf32>
  %s2 = arith.mulf %s, %two : tensor<2x3x5x7xf32>
  %t = math.tanh %s2 : tensor<2x3x5x7xf32>
  %t3 = arith.mulf %three, %t : tensor<2x3x5x7xf32>
  %mw = graph.broadcast_to %m : tensor<2x1x1x7xi1> -> tensor<2x3x5x7xi1>
  %x = arith.select %mw, %t3, %low : tensor<2x3x5x7xi1>, tensor<2x3x5x7xf32>
  %p = linalg.softmax dimension(3) ins(%x : tensor<2x3x5x7xf32>) outs(%e : tensor<2x3x5x7xf32>) -> tensor<2x3x5x7xf32>
  %nan = arith.cmpf uno, %p, %p : tensor<2x3x5x7xf32>
  %g = arith.select %nan, %none, %p : tensor<2x3x5x7xi1>, tensor<2x3x5x7xf32>
  %e2 = tensor.empty() : tensor<2x3x5x4xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2x3x5x4xf32>) -> tensor<2x3x5x4xf32>
  %y = linalg.contract indexing_maps = [#q, #t, #o] ins(%g, %v : tensor<2x3x5x7xf32>, tensor<2x3x7x4xf32>) outs(%f2 : tensor<2x3x5x4xf32>) -> tensor<2x3x5x4xf32>
  return %y : tensor<2x3x5x4xf32>
}

// -----

#q = affine_map<(b, h, m, n, k) -> (b, h, m, k)>
#k = affine_map<(b, h, m, n, k) -> (b, h, n, k)>
#t = affine_map<(b, h, m, n, k) -> (b, h, k, n)>
#o = affine_map<(b, h, m, n, k) -> (b, h, m, n)>

// Softmax taken apart, without a transpose of the keys; a selection of the lowest
// number is a sum, and no mask.

// CHECK-LABEL: @decomposed
// CHECK:         %[[B:.+]] = arith.select %{{.+}}, %{{.+}}, %{{.+}} : tensor<2x1x1x7xi1>, tensor<2x1x1x7xf32>
// CHECK:         attention.sdpa %{{.+}} bias %[[B]] scale 1.000000e+00 :
func.func @decomposed(%q: tensor<2x3x5x8xf32>, %k: tensor<2x3x7x8xf32>, %v: tensor<2x3x7x4xf32>, %m: tensor<2x1x1x7xi1>) -> tensor<2x3x5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %inf = arith.constant 0xFF800000 : f32
  %low = arith.constant dense<-3.40282347E+38> : tensor<2x3x5x7xf32>
  %e = tensor.empty() : tensor<2x3x5x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x3x5x7xf32>) -> tensor<2x3x5x7xf32>
  %s = linalg.contract indexing_maps = [#q, #k, #o] ins(%q, %k : tensor<2x3x5x8xf32>, tensor<2x3x7x8xf32>) outs(%f : tensor<2x3x5x7xf32>) -> tensor<2x3x5x7xf32>
  %mw = graph.broadcast_to %m : tensor<2x1x1x7xi1> -> tensor<2x3x5x7xi1>
  %x = arith.select %mw, %s, %low : tensor<2x3x5x7xi1>, tensor<2x3x5x7xf32>
  %re = tensor.empty() : tensor<2x3x5xf32>
  %rm = linalg.fill ins(%inf : f32) outs(%re : tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  %max = linalg.reduce { arith.maximumf } ins(%x : tensor<2x3x5x7xf32>) outs(%rm : tensor<2x3x5xf32>) dimensions = [3]
  %max1 = tensor.expand_shape %max [[0], [1], [2, 3]] output_shape [2, 3, 5, 1] : tensor<2x3x5xf32> into tensor<2x3x5x1xf32>
  %maxw = graph.broadcast_to %max1 : tensor<2x3x5x1xf32> -> tensor<2x3x5x7xf32>
  %d = arith.subf %x, %maxw : tensor<2x3x5x7xf32>
  %exp = math.exp %d : tensor<2x3x5x7xf32>
  %rs = linalg.fill ins(%zero : f32) outs(%re : tensor<2x3x5xf32>) -> tensor<2x3x5xf32>
  %sum = linalg.reduce { arith.addf } ins(%exp : tensor<2x3x5x7xf32>) outs(%rs : tensor<2x3x5xf32>) dimensions = [3]
  %sum1 = tensor.expand_shape %sum [[0], [1], [2, 3]] output_shape [2, 3, 5, 1] : tensor<2x3x5xf32> into tensor<2x3x5x1xf32>
  %sumw = graph.broadcast_to %sum1 : tensor<2x3x5x1xf32> -> tensor<2x3x5x7xf32>
  %p = arith.divf %exp, %sumw : tensor<2x3x5x7xf32>
  %e2 = tensor.empty() : tensor<2x3x5x4xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<2x3x5x4xf32>) -> tensor<2x3x5x4xf32>
  %y = linalg.contract indexing_maps = [#q, #t, #o] ins(%p, %v : tensor<2x3x5x7xf32>, tensor<2x3x7x4xf32>) outs(%f2 : tensor<2x3x5x4xf32>) -> tensor<2x3x5x4xf32>
  return %y : tensor<2x3x5x4xf32>
}

// -----

#q = affine_map<(b, h, m, n, k) -> (b, h, m, k)>
#k = affine_map<(b, h, m, n, k) -> (b, h, n, k)>
#t = affine_map<(b, h, m, n, k) -> (b, h, k, n)>
#o = affine_map<(b, h, m, n, k) -> (b, h, m, n)>

// Keys and values repeated for groups of heads are not.

// CHECK-LABEL: @repeated_keys
// CHECK-SAME:    %[[Q:.+]]: tensor<?x6x?x8xf32>, %[[K:.+]]: tensor<?x2x?x8xf32>, %[[V:.+]]: tensor<?x2x?x8xf32>
// CHECK-NOT:     graph.broadcast_to
// CHECK:         attention.sdpa %[[Q]], %[[K]], %[[V]] scale
func.func @repeated_keys(%q: tensor<?x6x?x8xf32>, %k: tensor<?x2x?x8xf32>, %v: tensor<?x2x?x8xf32>) -> tensor<?x6x?x8xf32> {
  %zero = arith.constant 0.0 : f32
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %b = tensor.dim %q, %c0 : tensor<?x6x?x8xf32>
  %m = tensor.dim %q, %c2 : tensor<?x6x?x8xf32>
  %n = tensor.dim %k, %c2 : tensor<?x2x?x8xf32>
  %bk = tensor.dim %k, %c0 : tensor<?x2x?x8xf32>
  %bv = tensor.dim %v, %c0 : tensor<?x2x?x8xf32>
  %nv = tensor.dim %v, %c2 : tensor<?x2x?x8xf32>
  %k5 = tensor.expand_shape %k [[0], [1, 2], [3], [4]] output_shape [%bk, 2, 1, %n, 8] : tensor<?x2x?x8xf32> into tensor<?x2x1x?x8xf32>
  %kw = graph.broadcast_to %k5 sizes(%bk, %n) : tensor<?x2x1x?x8xf32> -> tensor<?x2x3x?x8xf32>
  %k4 = tensor.collapse_shape %kw [[0], [1, 2], [3], [4]] : tensor<?x2x3x?x8xf32> into tensor<?x6x?x8xf32>
  %v5 = tensor.expand_shape %v [[0], [1, 2], [3], [4]] output_shape [%bv, 2, 1, %nv, 8] : tensor<?x2x?x8xf32> into tensor<?x2x1x?x8xf32>
  %vw = graph.broadcast_to %v5 sizes(%bv, %nv) : tensor<?x2x1x?x8xf32> -> tensor<?x2x3x?x8xf32>
  %v4 = tensor.collapse_shape %vw [[0], [1, 2], [3], [4]] : tensor<?x2x3x?x8xf32> into tensor<?x6x?x8xf32>
  %e = tensor.empty(%b, %m, %n) : tensor<?x6x?x?xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x6x?x?xf32>) -> tensor<?x6x?x?xf32>
  %s = linalg.contract indexing_maps = [#q, #k, #o] ins(%q, %k4 : tensor<?x6x?x8xf32>, tensor<?x6x?x8xf32>) outs(%f : tensor<?x6x?x?xf32>) -> tensor<?x6x?x?xf32>
  %p = linalg.softmax dimension(3) ins(%s : tensor<?x6x?x?xf32>) outs(%e : tensor<?x6x?x?xf32>) -> tensor<?x6x?x?xf32>
  %e2 = tensor.empty(%b, %m) : tensor<?x6x?x8xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<?x6x?x8xf32>) -> tensor<?x6x?x8xf32>
  %y = linalg.contract indexing_maps = [#q, #t, #o] ins(%p, %v4 : tensor<?x6x?x?xf32>, tensor<?x6x?x8xf32>) outs(%f2 : tensor<?x6x?x8xf32>) -> tensor<?x6x?x8xf32>
  return %y : tensor<?x6x?x8xf32>
}

// -----

// Half precision: products in f32, rounded to f16 in between; one head.

// CHECK-LABEL: @half
// CHECK:         %[[O:.+]] = attention.sdpa %{{.+}} : tensor<1x1x5x8xf16>, tensor<1x1x7x8xf16>, tensor<1x1x7x4xf16> -> tensor<1x1x5x4xf16>
// CHECK-NEXT:    %[[C:.+]] = tensor.collapse_shape %[[O]]
// CHECK-NEXT:    return %[[C]] : tensor<5x4xf16>
func.func @half(%q: tensor<5x8xf16>, %kt: tensor<8x7xf16>, %v: tensor<7x4xf16>) -> tensor<5x4xf16> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %s = linalg.matmul ins(%q, %kt : tensor<5x8xf16>, tensor<8x7xf16>) outs(%f : tensor<5x7xf32>) -> tensor<5x7xf32>
  %h = arith.truncf %s : tensor<5x7xf32> to tensor<5x7xf16>
  %x = arith.extf %h : tensor<5x7xf16> to tensor<5x7xf32>
  %p = linalg.softmax dimension(1) ins(%x : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %ph = arith.truncf %p : tensor<5x7xf32> to tensor<5x7xf16>
  %e2 = tensor.empty() : tensor<5x4xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  %y = linalg.matmul ins(%ph, %v : tensor<5x7xf16>, tensor<7x4xf16>) outs(%f2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  %r = arith.truncf %y : tensor<5x4xf32> to tensor<5x4xf16>
  return %r : tensor<5x4xf16>
}
