// RUN: tessera-opt %s --split-input-file --kernel-outline-groups | FileCheck %s

// Heads are split and merged by views outside and transposes inside; the kernel
// writes its output with the heads merged.

// CHECK-LABEL: kernel.func @attention
// CHECK-SAME:    %{{.+}}: tensor<2x5x3x8xf32>, %{{.+}}: tensor<2x5x3x8xf32>, %{{.+}}: tensor<2x5x3x8xf32>
// CHECK-COUNT-3: linalg.transpose
// CHECK:         %[[O:.+]] = attention.sdpa
// CHECK:         %[[T:.+]] = linalg.transpose ins(%[[O]]
// CHECK:         kernel.yield %[[T]] : tensor<2x5x3x8xf32>
// CHECK-LABEL: func.func @heads
// CHECK-COUNT-3: tensor.expand_shape
// CHECK-NOT:     kernel.call
// CHECK:         %[[C:.+]] = kernel.call @attention
// CHECK:         tensor.collapse_shape %[[C]]
// CHECK-NOT:     kernel.call
func.func @heads(%q: tensor<2x5x24xf32>, %k: tensor<2x5x24xf32>, %v: tensor<2x5x24xf32>) -> tensor<2x5x24xf32> {
  %q4 = tensor.expand_shape %q [[0], [1], [2, 3]] output_shape [2, 5, 3, 8] : tensor<2x5x24xf32> into tensor<2x5x3x8xf32>
  %k4 = tensor.expand_shape %k [[0], [1], [2, 3]] output_shape [2, 5, 3, 8] : tensor<2x5x24xf32> into tensor<2x5x3x8xf32>
  %v4 = tensor.expand_shape %v [[0], [1], [2, 3]] output_shape [2, 5, 3, 8] : tensor<2x5x24xf32> into tensor<2x5x3x8xf32>
  %e = tensor.empty() : tensor<2x3x5x8xf32>
  %qt = linalg.transpose ins(%q4 : tensor<2x5x3x8xf32>) outs(%e : tensor<2x3x5x8xf32>) permutation = [0, 2, 1, 3]
  %kt = linalg.transpose ins(%k4 : tensor<2x5x3x8xf32>) outs(%e : tensor<2x3x5x8xf32>) permutation = [0, 2, 1, 3]
  %vt = linalg.transpose ins(%v4 : tensor<2x5x3x8xf32>) outs(%e : tensor<2x3x5x8xf32>) permutation = [0, 2, 1, 3]
  %o = attention.sdpa %qt, %kt, %vt scale 0.125 : tensor<2x3x5x8xf32>, tensor<2x3x5x8xf32>, tensor<2x3x5x8xf32> -> tensor<2x3x5x8xf32>
  %f = tensor.empty() : tensor<2x5x3x8xf32>
  %t = linalg.transpose ins(%o : tensor<2x3x5x8xf32>) outs(%f : tensor<2x5x3x8xf32>) permutation = [0, 2, 1, 3]
  %m = tensor.collapse_shape %t [[0], [1], [2, 3]] : tensor<2x5x3x8xf32> into tensor<2x5x24xf32>
  return %m : tensor<2x5x24xf32>
}

// -----

// Layers that share a bias of queries x keys compute it each, from the mask of
// the keys.

// CHECK-LABEL: kernel.func @attention
// CHECK-SAME:    tensor<2x5xi8>
// CHECK:         arith.select
// CHECK:         attention.sdpa
// CHECK-LABEL: kernel.func @attention_0
// CHECK:         arith.select
// CHECK-LABEL: func.func @shared_bias
// CHECK-COUNT-2: kernel.call @attention
// CHECK-NOT:     kernel.call
func.func @shared_bias(%q: tensor<2x3x5x8xf32>, %mask: tensor<2x5xi1>) -> tensor<2x3x5x8xf32> {
  %zero = arith.constant dense<0.0> : tensor<2x1x5x5xf32>
  %low = arith.constant dense<-10000.0> : tensor<2x1x5x5xf32>
  %m4 = tensor.expand_shape %mask [[0], [1, 2, 3]] output_shape [2, 1, 1, 5] : tensor<2x5xi1> into tensor<2x1x1x5xi1>
  %wide = graph.broadcast_to %m4 : tensor<2x1x1x5xi1> -> tensor<2x1x5x5xi1>
  %bias = arith.select %wide, %zero, %low : tensor<2x1x5x5xi1>, tensor<2x1x5x5xf32>
  %o = attention.sdpa %q, %q, %q bias %bias scale 0.125 : tensor<2x3x5x8xf32>, tensor<2x3x5x8xf32>, tensor<2x3x5x8xf32> bias tensor<2x1x5x5xf32> -> tensor<2x3x5x8xf32>
  %p = attention.sdpa %o, %o, %q bias %bias scale 0.125 : tensor<2x3x5x8xf32>, tensor<2x3x5x8xf32>, tensor<2x3x5x8xf32> bias tensor<2x1x5x5xf32> -> tensor<2x3x5x8xf32>
  return %p : tensor<2x3x5x8xf32>
}

// -----

// The sum of two stored biases costs more to compute from them than to read.

// CHECK-LABEL: kernel.func @elementwise
// CHECK:         arith.addf
// CHECK-LABEL: kernel.func @attention
// CHECK-NOT:     arith.addf
// CHECK-LABEL: func.func @stored_bias
func.func @stored_bias(%q: tensor<2x3x5x8xf32>, %a: tensor<2x1x5x5xf32>, %b: tensor<2x1x5x5xf32>) -> tensor<2x3x5x8xf32> {
  %bias = arith.addf %a, %b : tensor<2x1x5x5xf32>
  %o = attention.sdpa %q, %q, %q bias %bias scale 0.125 : tensor<2x3x5x8xf32>, tensor<2x3x5x8xf32>, tensor<2x3x5x8xf32> bias tensor<2x1x5x5xf32> -> tensor<2x3x5x8xf32>
  return %o : tensor<2x3x5x8xf32>
}

// -----

// Causality with the length of a cache: the offset becomes arithmetic on symbols.

// CHECK-LABEL: kernel.func @attention
// CHECK-SAME:    %[[S0:[a-z0-9]+]]: index, %{{[a-z0-9]+}}: index) -> 
// CHECK:         attention.sdpa {{.+}} offset %{{.+}} scale
// CHECK-LABEL: func.func @cache
graph.symbol @past min 0 typical 128 max 1024
graph.symbol @new min 1 typical 1 max 1024
func.func @cache(%q: tensor<1x3x?x8xf32> {graph.dims = [1, 3, @new, 8]},
                 %k: tensor<1x3x?x8xf32> {graph.dims = [1, 3, @past, 8]}) -> tensor<1x3x?x8xf32> {
  %past = graph.size @past
  %o = attention.sdpa %q, %k, %k offset %past scale 0.125 causal : tensor<1x3x?x8xf32>, tensor<1x3x?x8xf32>, tensor<1x3x?x8xf32> -> tensor<1x3x?x8xf32>
  return %o : tensor<1x3x?x8xf32>
}
