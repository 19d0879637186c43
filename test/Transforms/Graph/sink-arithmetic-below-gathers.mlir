// RUN: tessera-opt %s --split-input-file --graph-sink-arithmetic-below-gathers --canonicalize | FileCheck %s

// Rows of bytes, and of one scale for each row, are gathered.

// CHECK-LABEL: func.func @rows
// CHECK-SAME:    %[[I:.*]]: tensor<?xi64>
// CHECK-DAG:     %[[T:.*]] = graph.weight @table
// CHECK-DAG:     %[[S:.*]] = graph.weight @scales
// CHECK-DAG:     %[[R:.*]] = graph.gather %[[T]][%[[I]]] axis 0 : tensor<100x8xi8>, tensor<?xi64> -> tensor<?x8xi8>
// CHECK-DAG:     %[[F:.*]] = arith.sitofp %[[R]] : tensor<?x8xi8> to tensor<?x8xf32>
// CHECK-DAG:     %[[Q:.*]] = graph.gather %[[S]][%[[I]]] axis 0 : tensor<100x1xf32>, tensor<?xi64> -> tensor<?x1xf32>
// CHECK-DAG:     %[[B:.*]] = graph.broadcast_to %[[Q]]
// CHECK:         arith.mulf %[[F]], %[[B]] : tensor<?x8xf32>
graph.weights @table : tensor<100x8xi8> from #graph.file<"m", 0, 800> as tensor<100x8xi8>
graph.weights @scales : tensor<100x1xf32> from #graph.file<"m", 800, 400> as tensor<100x1xf32>
func.func @rows(%i: tensor<?xi64>) -> tensor<?x8xf32> {
  %t = graph.weight @table : tensor<100x8xi8>
  %s = graph.weight @scales : tensor<100x1xf32>
  %f = arith.sitofp %t : tensor<100x8xi8> to tensor<100x8xf32>
  %b = graph.broadcast_to %s : tensor<100x1xf32> -> tensor<100x8xf32>
  %d = arith.mulf %f, %b : tensor<100x8xf32>
  %g = graph.gather %d[%i] axis 0 : tensor<100x8xf32>, tensor<?xi64> -> tensor<?x8xf32>
  return %g : tensor<?x8xf32>
}

// -----

// One scale for each column, and one for all; indices of two dimensions.

// CHECK-LABEL: func.func @columns
// CHECK:         graph.gather %{{.*}} axis 0 : tensor<100x8xi8>, tensor<2x3xi64> -> tensor<2x3x8xi8>
// CHECK:         arith.mulf %{{.*}} : tensor<2x3x8xf32>
// CHECK:         arith.mulf %{{.*}} : tensor<2x3x8xf32>
graph.weights @table : tensor<100x8xi8> from #graph.file<"m", 0, 800> as tensor<100x8xi8>
graph.weights @scales : tensor<8xf32> from #graph.file<"m", 800, 32> as tensor<8xf32>
func.func @columns(%i: tensor<2x3xi64>) -> tensor<2x3x8xf32> {
  %t = graph.weight @table : tensor<100x8xi8>
  %s = graph.weight @scales : tensor<8xf32>
  %half = arith.constant dense<0.5> : tensor<100x8xf32>
  %f = arith.sitofp %t : tensor<100x8xi8> to tensor<100x8xf32>
  %b = graph.broadcast_to %s : tensor<8xf32> -> tensor<100x8xf32>
  %d = arith.mulf %f, %b : tensor<100x8xf32>
  %h = arith.mulf %d, %half : tensor<100x8xf32>
  %g = graph.gather %h[%i] axis 0 : tensor<100x8xf32>, tensor<2x3xi64> -> tensor<2x3x8xf32>
  return %g : tensor<2x3x8xf32>
}

// -----

// Not where something else reads the table, nor where it is no larger than what it is
// computed from, nor along another dimension.

// CHECK-LABEL: func.func @left
// CHECK-COUNT-3: graph.gather %{{.*}}f32>, tensor<?xi64>
graph.weights @table : tensor<100x8xi8> from #graph.file<"m", 0, 800> as tensor<100x8xi8>
graph.weights @floats : tensor<100x8xf32> from #graph.file<"m", 0, 3200> as tensor<100x8xf32>
func.func @left(%i: tensor<?xi64>) -> (tensor<?x8xf32>, tensor<100x8xf32>, tensor<?x8xf32>, tensor<100x?xf32>) {
  %t = graph.weight @table : tensor<100x8xi8>
  %f = arith.sitofp %t : tensor<100x8xi8> to tensor<100x8xf32>
  %a = graph.gather %f[%i] axis 0 : tensor<100x8xf32>, tensor<?xi64> -> tensor<?x8xf32>
  %w = graph.weight @floats : tensor<100x8xf32>
  %n = arith.negf %w : tensor<100x8xf32>
  %b = graph.gather %n[%i] axis 0 : tensor<100x8xf32>, tensor<?xi64> -> tensor<?x8xf32>
  %u = arith.uitofp %t : tensor<100x8xi8> to tensor<100x8xf32>
  %c = graph.gather %u[%i] axis 1 : tensor<100x8xf32>, tensor<?xi64> -> tensor<100x?xf32>
  return %a, %f, %b, %c : tensor<?x8xf32>, tensor<100x8xf32>, tensor<?x8xf32>, tensor<100x?xf32>
}
