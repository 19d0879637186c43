// RUN: tessera-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(raise-attention))' --remark-format=emitRemark --remark-policy=all --remarks-filter='attention' --verify-diagnostics | FileCheck %s

// CHECK-NOT: attention.sdpa

func.func @another_use(%q: tensor<5x8xf32>, %kt: tensor<8x7xf32>, %v: tensor<7x4xf32>) -> (tensor<5x4xf32>, tensor<5x7xf32>) {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %s = linalg.matmul ins(%q, %kt : tensor<5x8xf32>, tensor<8x7xf32>) outs(%f : tensor<5x7xf32>) -> tensor<5x7xf32>
  // expected-remark @+1 {{no attention: scores or probabilities have another use}}
  %p = linalg.softmax dimension(1) ins(%s : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %e2 = tensor.empty() : tensor<5x4xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  %y = linalg.matmul ins(%p, %v : tensor<5x7xf32>, tensor<7x4xf32>) outs(%f2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  return %y, %p : tensor<5x4xf32>, tensor<5x7xf32>
}

// -----

func.func @other_axis(%q: tensor<5x8xf32>, %kt: tensor<8x7xf32>, %v: tensor<7x4xf32>) -> tensor<5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %s = linalg.matmul ins(%q, %kt : tensor<5x8xf32>, tensor<8x7xf32>) outs(%f : tensor<5x7xf32>) -> tensor<5x7xf32>
  // expected-remark @+1 {{no attention: softmax does not run along the keys of the product}}
  %p = linalg.softmax dimension(0) ins(%s : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %e2 = tensor.empty() : tensor<5x4xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  %y = linalg.matmul ins(%p, %v : tensor<5x7xf32>, tensor<7x4xf32>) outs(%f2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  return %y : tensor<5x4xf32>
}

// -----

// A hidden key would still weigh in a row where all are hidden.

func.func @small_selection(%q: tensor<5x8xf32>, %kt: tensor<8x7xf32>, %v: tensor<7x4xf32>, %m: tensor<5x7xi1>) -> tensor<5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant dense<-10000.0> : tensor<5x7xf32>
  %e = tensor.empty() : tensor<5x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %s = linalg.matmul ins(%q, %kt : tensor<5x8xf32>, tensor<8x7xf32>) outs(%f : tensor<5x7xf32>) -> tensor<5x7xf32>
  // expected-remark @+1 {{no attention: a selection of scores or a number that is not low enough to hide a key}}
  %x = arith.select %m, %s, %low : tensor<5x7xi1>, tensor<5x7xf32>
  %p = linalg.softmax dimension(1) ins(%x : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %e2 = tensor.empty() : tensor<5x4xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  %y = linalg.matmul ins(%p, %v : tensor<5x7xf32>, tensor<7x4xf32>) outs(%f2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  return %y : tensor<5x4xf32>
}

// -----

func.func @other_source(%s: tensor<5x7xf32>, %v: tensor<7x4xf32>) -> tensor<5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x7xf32>
  // expected-remark @+1 {{no attention: the scores come from 'math.exp'}}
  %x = math.exp %s : tensor<5x7xf32>
  %p = linalg.softmax dimension(1) ins(%x : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %e2 = tensor.empty() : tensor<5x4xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  %y = linalg.matmul ins(%p, %v : tensor<5x7xf32>, tensor<7x4xf32>) outs(%f2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  return %y : tensor<5x4xf32>
}

// -----

func.func @factor_of_each_key(%q: tensor<5x8xf32>, %kt: tensor<8x7xf32>, %v: tensor<7x4xf32>, %w: tensor<7xf32>) -> tensor<5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %wide = graph.broadcast_to %w : tensor<7xf32> -> tensor<5x7xf32>
  %e = tensor.empty() : tensor<5x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %s = linalg.matmul ins(%q, %kt : tensor<5x8xf32>, tensor<8x7xf32>) outs(%f : tensor<5x7xf32>) -> tensor<5x7xf32>
  // expected-remark @+1 {{no attention: the scores are multiplied with a tensor that differs from key to key}}
  %x = arith.mulf %s, %wide : tensor<5x7xf32>
  %p = linalg.softmax dimension(1) ins(%x : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %e2 = tensor.empty() : tensor<5x4xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  %y = linalg.matmul ins(%p, %v : tensor<5x7xf32>, tensor<7x4xf32>) outs(%f2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  return %y : tensor<5x4xf32>
}

// -----

func.func @high_limit(%q: tensor<5x8xf32>, %kt: tensor<8x7xf32>, %v: tensor<7x4xf32>) -> tensor<5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant dense<-100.0> : tensor<5x7xf32>
  %e = tensor.empty() : tensor<5x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %s = linalg.matmul ins(%q, %kt : tensor<5x8xf32>, tensor<8x7xf32>) outs(%f : tensor<5x7xf32>) -> tensor<5x7xf32>
  // expected-remark @+1 {{no attention: a lower limit of the scores that is not low enough to hide a key}}
  %x = arith.maximumf %s, %low : tensor<5x7xf32>
  %p = linalg.softmax dimension(1) ins(%x : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %e2 = tensor.empty() : tensor<5x4xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  %y = linalg.matmul ins(%p, %v : tensor<5x7xf32>, tensor<7x4xf32>) outs(%f2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  return %y : tensor<5x4xf32>
}

// -----

func.func @limit_before_a_bias(%q: tensor<5x8xf32>, %kt: tensor<8x7xf32>, %v: tensor<7x4xf32>, %b: tensor<5x7xf32>) -> tensor<5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %low = arith.constant dense<-3.40282347E+38> : tensor<5x7xf32>
  %e = tensor.empty() : tensor<5x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %s = linalg.matmul ins(%q, %kt : tensor<5x8xf32>, tensor<8x7xf32>) outs(%f : tensor<5x7xf32>) -> tensor<5x7xf32>
  // expected-remark @+1 {{no attention: a lower limit of the scores that is not the last step}}
  %l = arith.maximumf %s, %low : tensor<5x7xf32>
  %x = arith.addf %l, %b : tensor<5x7xf32>
  %p = linalg.softmax dimension(1) ins(%x : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %e2 = tensor.empty() : tensor<5x4xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  %y = linalg.matmul ins(%p, %v : tensor<5x7xf32>, tensor<7x4xf32>) outs(%f2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  return %y : tensor<5x4xf32>
}

// -----

func.func @larger_of_two(%q: tensor<5x8xf32>, %kt: tensor<8x7xf32>, %v: tensor<7x4xf32>, %b: tensor<5x7xf32>) -> tensor<5x4xf32> {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<5x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %s = linalg.matmul ins(%q, %kt : tensor<5x8xf32>, tensor<8x7xf32>) outs(%f : tensor<5x7xf32>) -> tensor<5x7xf32>
  // expected-remark @+1 {{no attention: the scores are one of two tensors}}
  %x = arith.maximumf %s, %b : tensor<5x7xf32>
  %p = linalg.softmax dimension(1) ins(%x : tensor<5x7xf32>) outs(%e : tensor<5x7xf32>) -> tensor<5x7xf32>
  %e2 = tensor.empty() : tensor<5x4xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  %y = linalg.matmul ins(%p, %v : tensor<5x7xf32>, tensor<7x4xf32>) outs(%f2 : tensor<5x4xf32>) -> tensor<5x4xf32>
  return %y : tensor<5x4xf32>
}
