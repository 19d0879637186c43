// RUN: tessera-opt %s --canonicalize | FileCheck %s

// CHECK-LABEL: @broadcast_to_same_type
// CHECK-SAME:    %[[X:.+]]: tensor<2x3xf32>
// CHECK-NEXT:    return %[[X]]
func.func @broadcast_to_same_type(%x: tensor<2x3xf32>) -> tensor<2x3xf32> {
  %y = graph.broadcast_to %x : tensor<2x3xf32> -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// Equal types with unknown sizes may still be 1 against something else.
// CHECK-LABEL: @broadcast_to_unknown_size
// CHECK:         graph.broadcast_to
func.func @broadcast_to_unknown_size(%x: tensor<?xf32>, %n: index) -> tensor<?xf32> {
  %y = graph.broadcast_to %x sizes(%n) : tensor<?xf32> -> tensor<?xf32>
  return %y : tensor<?xf32>
}
