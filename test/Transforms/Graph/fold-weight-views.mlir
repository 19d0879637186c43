// RUN: tessera-opt %s --graph-fold-weight-views | FileCheck %s

// A chain of views is one recipe; equal views share a weight, and others keep
// the one that they read.

// CHECK-DAG: graph.weights @w : tensor<4x6xf32>
// CHECK-DAG: graph.weights @[[T:w_[0-9_]+]] : tensor<6x4xf32> {{.*}} recipe [#graph.transpose<[1, 0]>]
// CHECK-DAG: graph.weights @[[V:w_[0-9_]+]] : tensor<6x4xf32> {{.*}} recipe [#graph.transpose<[1, 0]>, #graph.reverse<[0]>]
// CHECK-DAG: graph.weights @[[R:w_[0-9_]+]] : tensor<24xf32> {{.*}} recipe [#graph.transpose<[1, 0]>, #graph.reshape<[24]>]
graph.weights @w : tensor<4x6xf32> from #graph.file<"m", 0, 96> as tensor<4x6xf32>

// CHECK-LABEL: func.func @main
// CHECK-DAG:     graph.weight @[[R]] : tensor<24xf32>
// CHECK-DAG:     graph.weight @[[T]] : tensor<6x4xf32>
// CHECK-DAG:     graph.weight @[[V]] : tensor<6x4xf32>
// CHECK-DAG:     graph.weight @w : tensor<4x6xf32>
// CHECK-NOT:     linalg.transpose
// CHECK-NOT:     graph.reverse
func.func @main() -> (tensor<24xf32>, tensor<6x4xf32>, tensor<4x6xf32>, tensor<6x4xf32>) {
  %w = graph.weight @w : tensor<4x6xf32>
  %e = tensor.empty() : tensor<6x4xf32>
  %t = linalg.transpose ins(%w : tensor<4x6xf32>) outs(%e : tensor<6x4xf32>) permutation = [1, 0]
  %r = tensor.collapse_shape %t [[0, 1]] : tensor<6x4xf32> into tensor<24xf32>
  %v = graph.reverse %t [0] : tensor<6x4xf32>
  return %r, %t, %w, %v : tensor<24xf32>, tensor<6x4xf32>, tensor<4x6xf32>, tensor<6x4xf32>
}

// Halves of a weight are stored in its stead; a part of what is read as a whole
// stays a view.

// CHECK-LABEL: func.func @slices
// CHECK-DAG:     graph.weight @{{bias_[0-9_]+}} : tensor<3xf32>
// CHECK-DAG:     graph.weight @{{bias_[0-9_]+}} : tensor<3xf32>
// CHECK-DAG:     %[[T:.*]] = graph.weight @table : tensor<4x6xf32>
// CHECK-DAG:     tensor.extract_slice %[[T]]
// CHECK-NOT:     tensor.extract_slice
graph.weights @bias : tensor<6xf32> from #graph.file<"m", 0, 24> as tensor<6xf32>
graph.weights @table : tensor<4x6xf32> from #graph.file<"m", 24, 96> as tensor<4x6xf32>
func.func @slices() -> (tensor<3xf32>, tensor<3xf32>, tensor<4x6xf32>, tensor<2x6xf32>) {
  %b = graph.weight @bias : tensor<6xf32>
  %low = tensor.extract_slice %b[0] [3] [1] : tensor<6xf32> to tensor<3xf32>
  %high = tensor.extract_slice %b[3] [3] [1] : tensor<6xf32> to tensor<3xf32>
  %t = graph.weight @table : tensor<4x6xf32>
  %part = tensor.extract_slice %t[1, 0] [2, 6] [1, 1] : tensor<4x6xf32> to tensor<2x6xf32>
  return %low, %high, %t, %part : tensor<3xf32>, tensor<3xf32>, tensor<4x6xf32>, tensor<2x6xf32>
}
