// RUN: tessera-opt %s --graph-sink-reshapes | FileCheck %s

// A reshape between a product and its epilogue moves below the epilogue; the
// bias, which the reshape only repeats, stays a broadcast.

// CHECK-LABEL: func.func @below_epilogue
// CHECK-SAME:    (%[[X:.*]]: tensor<16x4xf32>, %[[B:.*]]: tensor<8xf32>
// CHECK:         %[[P:.*]] = linalg.matmul
// CHECK:         %[[BIAS:.*]] = graph.broadcast_to %{{.*}} -> tensor<16x8xf32>
// CHECK:         %[[S:.*]] = arith.addf %[[P]], %[[BIAS]] : tensor<16x8xf32>
// CHECK:         %[[T:.*]] = math.tanh %[[S]] : tensor<16x8xf32>
// CHECK:         %[[V:.*]] = tensor.expand_shape %[[T]]
// CHECK:         return %[[V]]
func.func @below_epilogue(%x: tensor<16x4xf32>, %b: tensor<8xf32>, %w: tensor<4x8xf32>, %init: tensor<16x8xf32>) -> tensor<2x8x8xf32> {
  %p = linalg.matmul ins(%x, %w : tensor<16x4xf32>, tensor<4x8xf32>) outs(%init : tensor<16x8xf32>) -> tensor<16x8xf32>
  %v = tensor.expand_shape %p [[0, 1], [2]] output_shape [2, 8, 8] : tensor<16x8xf32> into tensor<2x8x8xf32>
  %bias = graph.broadcast_to %b : tensor<8xf32> -> tensor<2x8x8xf32>
  %s = arith.addf %v, %bias : tensor<2x8x8xf32>
  %t = math.tanh %s : tensor<2x8x8xf32>
  return %t : tensor<2x8x8xf32>
}

// Sizes that depend on a symbol move along.

// CHECK-LABEL: func.func @dynamic
// CHECK:         %[[E:.*]] = math.exp %{{.*}} : tensor<?x4xf32>
// CHECK:         %[[T:.*]] = math.tanh %[[E]] : tensor<?x4xf32>
// CHECK:         tensor.collapse_shape %[[T]] {{\[\[}}0, 1]]
func.func @dynamic(%x: tensor<?x4xf32>) -> tensor<?xf32> {
  %e = math.exp %x : tensor<?x4xf32>
  %v = tensor.collapse_shape %e [[0, 1]] : tensor<?x4xf32> into tensor<?xf32>
  %t = math.tanh %v : tensor<?xf32>
  return %t : tensor<?xf32>
}

// A reshape of an argument is a view of stored bytes already.

// CHECK-LABEL: func.func @of_argument
// CHECK:         %[[V:.*]] = tensor.collapse_shape
// CHECK:         math.tanh %[[V]] : tensor<8xf32>
func.func @of_argument(%x: tensor<2x4xf32>) -> tensor<8xf32> {
  %v = tensor.collapse_shape %x [[0, 1]] : tensor<2x4xf32> into tensor<8xf32>
  %t = math.tanh %v : tensor<8xf32>
  return %t : tensor<8xf32>
}

// The reshaped value is needed twice: moving it would compute nothing less.

// CHECK-LABEL: func.func @second_use
// CHECK:         %[[V:.*]] = tensor.collapse_shape
// CHECK:         math.tanh %[[V]] : tensor<8xf32>
func.func @second_use(%x: tensor<2x4xf32>) -> (tensor<8xf32>, tensor<8xf32>) {
  %e = math.exp %x : tensor<2x4xf32>
  %v = tensor.collapse_shape %e [[0, 1]] : tensor<2x4xf32> into tensor<8xf32>
  %t = math.tanh %v : tensor<8xf32>
  return %t, %v : tensor<8xf32>, tensor<8xf32>
}

// Two repeated dimensions become one; two that carry elements stay apart.

// CHECK-LABEL: func.func @broadcasts
// CHECK:         graph.broadcast_to %{{.*}} : tensor<1x8xf32> -> tensor<6x8xf32>
// CHECK:         %[[KEPT:.*]] = graph.broadcast_to %{{.*}} : tensor<3x1xf32> -> tensor<2x3x8xf32>
// CHECK:         tensor.collapse_shape %[[KEPT]]
func.func @broadcasts(%a: tensor<8xf32>, %b: tensor<3x1xf32>) -> (tensor<6x8xf32>, tensor<6x8xf32>) {
  %0 = graph.broadcast_to %a : tensor<8xf32> -> tensor<2x3x8xf32>
  %1 = tensor.collapse_shape %0 [[0, 1], [2]] : tensor<2x3x8xf32> into tensor<6x8xf32>
  %2 = graph.broadcast_to %b : tensor<3x1xf32> -> tensor<2x3x8xf32>
  %3 = tensor.collapse_shape %2 [[0, 1], [2]] : tensor<2x3x8xf32> into tensor<6x8xf32>
  return %1, %3 : tensor<6x8xf32>, tensor<6x8xf32>
}

// Two computed values: an expansion moves below (its residual is collapsed), a
// collapse stays, or the two would take turns for ever.

// CHECK-LABEL: func.func @two_computed
// CHECK:         %[[A:.*]] = math.exp %{{.*}} : tensor<8xf32>
// CHECK:         %[[B:.*]] = math.exp %{{.*}} : tensor<2x4xf32>
// CHECK:         %[[C:.*]] = tensor.collapse_shape %[[B]]
// CHECK:         %[[S:.*]] = arith.addf %[[A]], %[[C]] : tensor<8xf32>
// CHECK:         tensor.expand_shape %[[S]]
func.func @two_computed(%x: tensor<8xf32>, %y: tensor<2x4xf32>) -> tensor<2x4xf32> {
  %a = math.exp %x : tensor<8xf32>
  %b = math.exp %y : tensor<2x4xf32>
  %v = tensor.expand_shape %a [[0, 1]] output_shape [2, 4] : tensor<8xf32> into tensor<2x4xf32>
  %s = arith.addf %v, %b : tensor<2x4xf32>
  return %s : tensor<2x4xf32>
}

// An expansion that is read twice moves if both readers are elementwise.

// CHECK-LABEL: func.func @read_twice
// CHECK:         %[[P:.*]] = linalg.matmul
// CHECK:         %[[T:.*]] = math.tanh %[[P]] : tensor<16x8xf32>
// CHECK:         %[[M:.*]] = arith.mulf %[[P]], %[[T]] : tensor<16x8xf32>
// CHECK:         tensor.expand_shape %[[M]]
func.func @read_twice(%x: tensor<16x4xf32>, %w: tensor<4x8xf32>, %init: tensor<16x8xf32>) -> tensor<2x8x8xf32> {
  %p = linalg.matmul ins(%x, %w : tensor<16x4xf32>, tensor<4x8xf32>) outs(%init : tensor<16x8xf32>) -> tensor<16x8xf32>
  %v = tensor.expand_shape %p [[0, 1], [2]] output_shape [2, 8, 8] : tensor<16x8xf32> into tensor<2x8x8xf32>
  %t = math.tanh %v : tensor<2x8x8xf32>
  %m = arith.mulf %v, %t : tensor<2x8x8xf32>
  return %m : tensor<2x8x8xf32>
}

// A reduction beside it keeps both in one shape.

// CHECK-LABEL: func.func @beside_reduction
// CHECK:         %[[V:.*]] = tensor.expand_shape
// CHECK:         linalg.reduce {{.*}} ins(%[[V]]
// CHECK:         math.tanh %[[V]] : tensor<2x8x8xf32>
func.func @beside_reduction(%x: tensor<16x4xf32>, %w: tensor<4x8xf32>, %init: tensor<16x8xf32>, %zero: tensor<2x8xf32>) -> (tensor<2x8xf32>, tensor<2x8x8xf32>) {
  %p = linalg.matmul ins(%x, %w : tensor<16x4xf32>, tensor<4x8xf32>) outs(%init : tensor<16x8xf32>) -> tensor<16x8xf32>
  %v = tensor.expand_shape %p [[0, 1], [2]] output_shape [2, 8, 8] : tensor<16x8xf32> into tensor<2x8x8xf32>
  %r = linalg.reduce { arith.addf } ins(%v : tensor<2x8x8xf32>) outs(%zero : tensor<2x8xf32>) dimensions = [2]
  %t = math.tanh %v : tensor<2x8x8xf32>
  return %r, %t : tensor<2x8xf32>, tensor<2x8x8xf32>
}

// A broadcast number needs no reshape. (Upstream's folds crash at two expansions of
// a tensor of rank 0.)

// CHECK-LABEL: func.func @broadcast_number
// CHECK-SAME:    (%[[X:.*]]: tensor<f32>)
// CHECK-NEXT:    %[[B:.*]] = graph.broadcast_to %[[X]] : tensor<f32> -> tensor<2x1x2x4xf32>
// CHECK-NEXT:    return %[[B]]
func.func @broadcast_number(%x: tensor<f32>) -> tensor<2x1x2x4xf32> {
  %b = graph.broadcast_to %x : tensor<f32> -> tensor<2x2x1x4xf32>
  %c = tensor.collapse_shape %b [[0], [1, 2], [3]] : tensor<2x2x1x4xf32> into tensor<2x2x4xf32>
  %e = tensor.expand_shape %c [[0, 1], [2], [3]] output_shape [2, 1, 2, 4] : tensor<2x2x4xf32> into tensor<2x1x2x4xf32>
  return %e : tensor<2x1x2x4xf32>
}
