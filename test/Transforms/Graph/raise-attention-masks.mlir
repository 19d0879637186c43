// RUN: tessera-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(raise-attention),canonicalize,cse)' | FileCheck %s

// A mask of keys that was computed on queries x keys is computed on keys; that
// counters are not negative hides nothing.

// CHECK-LABEL: @mask_of_keys
// CHECK-NOT:     graph.iota
// CHECK:         %[[B:.+]] = arith.select %{{.+}} : tensor<1x1x1x7xi1>, tensor<1x1x1x7xf32>
// CHECK:         attention.sdpa %{{.+}} bias %[[B]] scale {{.+}} bias tensor<1x1x1x7xf32>
func.func @mask_of_keys(%q: tensor<5x8xf32>, %kt: tensor<8x7xf32>, %v: tensor<7x4xf32>, %m: tensor<7xi1>) -> tensor<5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %none = arith.constant dense<0.0> : tensor<5x7xf32>
  %low = arith.constant dense<-3.40282347E+38> : tensor<5x7xf32>
  %start = arith.constant dense<0> : tensor<5x7xi64>
  %i = graph.iota 0 : tensor<5x7xi64>
  %all = arith.cmpi sge, %i, %start : tensor<5x7xi64>
  %mw = graph.broadcast_to %m : tensor<7xi1> -> tensor<5x7xi1>
  %seen = arith.andi %all, %mw : tensor<5x7xi1>
  %b = arith.select %seen, %none, %low : tensor<5x7xi1>, tensor<5x7xf32>
  %e = tensor.empty() : tensor<5x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %s = linalg.matmul ins(%q, %kt : tensor<5x8xf32>, tensor<8x7xf32>) outs(%f : tensor<5x7xf32>) -> tensor<5x7xf32>
  %x = arith.addf %s, %b : tensor<5x7xf32>
  %p = linalg.softmax dimension(1) ins(%x : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %e2 = tensor.empty() : tensor<5x4xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  %y = linalg.matmul ins(%p, %v : tensor<5x7xf32>, tensor<7x4xf32>) outs(%f2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  return %y : tensor<5x4xf32>
}

// -----

// CHECK-LABEL: @nothing_hidden
// CHECK:         attention.sdpa %{{.+}}, %{{.+}}, %{{.+}} scale
func.func @nothing_hidden(%q: tensor<5x8xf32>, %kt: tensor<8x7xf32>, %v: tensor<7x4xf32>) -> tensor<5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant dense<0xFF800000> : tensor<5x7xf32>
  %start = arith.constant dense<0> : tensor<5x7xi64>
  %i = graph.iota 0 : tensor<5x7xi64>
  %all = arith.cmpi sle, %start, %i : tensor<5x7xi64>
  %e = tensor.empty() : tensor<5x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %s = linalg.matmul ins(%q, %kt : tensor<5x8xf32>, tensor<8x7xf32>) outs(%f : tensor<5x7xf32>) -> tensor<5x7xf32>
  %x = arith.select %all, %s, %low : tensor<5x7xi1>, tensor<5x7xf32>
  %p = linalg.softmax dimension(1) ins(%x : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %e2 = tensor.empty() : tensor<5x4xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  %y = linalg.matmul ins(%p, %v : tensor<5x7xf32>, tensor<7x4xf32>) outs(%f2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  return %y : tensor<5x4xf32>
}

// -----

// A selection of queries and keys stays on both, inverted where true hides.

// CHECK-LABEL: @two_masks
// CHECK-SAME:    %{{.+}}: tensor<5x8xf32>, %{{.+}}: tensor<8x7xf32>, %{{.+}}: tensor<7x4xf32>, %[[A:.+]]: tensor<5x7xi1>, %[[B:.+]]: tensor<7xi1>
// CHECK:         %[[N:.+]] = arith.xori
// CHECK:         %[[M:.+]] = arith.andi
// CHECK:         attention.sdpa %{{.+}} mask %[[M]] scale {{.+}} mask tensor<1x1x5x7xi1>
func.func @two_masks(%q: tensor<5x8xf32>, %kt: tensor<8x7xf32>, %v: tensor<7x4xf32>, %a: tensor<5x7xi1>, %b: tensor<7xi1>) -> tensor<5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant dense<0xFF800000> : tensor<5x7xf32>
  %e = tensor.empty() : tensor<5x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %s = linalg.matmul ins(%q, %kt : tensor<5x8xf32>, tensor<8x7xf32>) outs(%f : tensor<5x7xf32>) -> tensor<5x7xf32>
  %x = arith.select %a, %s, %low : tensor<5x7xi1>, tensor<5x7xf32>
  %bw = graph.broadcast_to %b : tensor<7xi1> -> tensor<5x7xi1>
  %x2 = arith.select %bw, %low, %x : tensor<5x7xi1>, tensor<5x7xf32>
  %p = linalg.softmax dimension(1) ins(%x2 : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %e2 = tensor.empty() : tensor<5x4xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  %y = linalg.matmul ins(%p, %v : tensor<5x7xf32>, tensor<7x4xf32>) outs(%f2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  return %y : tensor<5x4xf32>
}

// -----

// A factor that all keys share goes to the queries.

// CHECK-LABEL: @factor_of_each_query
// CHECK:         %[[Q:.+]] = arith.mulf %{{.+}}, %{{.+}} : tensor<1x1x5x8xf32>
// CHECK:         attention.sdpa %[[Q]]
func.func @factor_of_each_query(%q: tensor<5x8xf32>, %kt: tensor<8x7xf32>, %v: tensor<7x4xf32>, %w: tensor<5x1xf32>) -> tensor<5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %wide = graph.broadcast_to %w : tensor<5x1xf32> -> tensor<5x7xf32>
  %e = tensor.empty() : tensor<5x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %s = linalg.matmul ins(%q, %kt : tensor<5x8xf32>, tensor<8x7xf32>) outs(%f : tensor<5x7xf32>) -> tensor<5x7xf32>
  %x = arith.mulf %s, %wide : tensor<5x7xf32>
  %p = linalg.softmax dimension(1) ins(%x : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %e2 = tensor.empty() : tensor<5x4xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  %y = linalg.matmul ins(%p, %v : tensor<5x7xf32>, tensor<7x4xf32>) outs(%f2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  return %y : tensor<5x4xf32>
}

// -----

// A lower limit of the scores becomes one of the bias.

// CHECK-LABEL: @lower_limit
// CHECK:         %[[B:.+]] = arith.maximumf %{{.+}} : tensor<1x1x1x7xf32>
// CHECK:         attention.sdpa %{{.+}} bias %[[B]]
func.func @lower_limit(%q: tensor<5x8xf32>, %kt: tensor<8x7xf32>, %v: tensor<7x4xf32>, %m: tensor<7xi1>) -> tensor<5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %none = arith.constant dense<0.0> : tensor<5x7xf32>
  %away = arith.constant dense<0xFF800000> : tensor<5x7xf32>
  %low = arith.constant dense<-3.40282347E+38> : tensor<5x7xf32>
  %mw = graph.broadcast_to %m : tensor<7xi1> -> tensor<5x7xi1>
  %b = arith.select %mw, %none, %away : tensor<5x7xi1>, tensor<5x7xf32>
  %e = tensor.empty() : tensor<5x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %s = linalg.matmul ins(%q, %kt : tensor<5x8xf32>, tensor<8x7xf32>) outs(%f : tensor<5x7xf32>) -> tensor<5x7xf32>
  %t = arith.addf %s, %b : tensor<5x7xf32>
  %x = arith.maximumf %t, %low : tensor<5x7xf32>
  %p = linalg.softmax dimension(1) ins(%x : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %e2 = tensor.empty() : tensor<5x4xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  %y = linalg.matmul ins(%p, %v : tensor<5x7xf32>, tensor<7x4xf32>) outs(%f2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  return %y : tensor<5x4xf32>
}
