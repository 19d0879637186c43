// RUN: tessera-opt %s --pass-pipeline='builtin.module(func.func(graph-fold-pads-into-convolutions))' | FileCheck %s

// CHECK-LABEL: func.func @zero
// CHECK-NOT:     tensor.pad
// CHECK:         graph.conv %arg0, %arg1 {{.*}} pads [1, 2], [1, 3]
func.func @zero(%x: tensor<1x4x4x2xf32>, %w: tensor<3x3x2x8xf32>) -> tensor<1x4x7x8xf32> {
  %zero = arith.constant 0.0 : f32
  %p = tensor.pad %x low[0, 0, 1, 0] high[0, 1, 2, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %zero : f32
  } : tensor<1x4x4x2xf32> to tensor<1x5x7x2xf32>
  %c = graph.conv %p, %w strides [1, 1] dilations [1, 1] pads [1, 1], [0, 1] groups 1 : tensor<1x5x7x2xf32>, tensor<3x3x2x8xf32> -> tensor<1x4x7x8xf32>
  return %c : tensor<1x4x7x8xf32>
}

// Ones, and channels.

// CHECK-LABEL: func.func @other
// CHECK-COUNT-2: tensor.pad
func.func @other(%x: tensor<1x4x4x2xf32>, %w: tensor<1x1x2x8xf32>, %v: tensor<1x1x3x8xf32>) -> (tensor<1x5x4x8xf32>, tensor<1x4x4x8xf32>) {
  %zero = arith.constant 0.0 : f32
  %one = arith.constant 1.0 : f32
  %p = tensor.pad %x low[0, 0, 0, 0] high[0, 1, 0, 0] {
  ^bb0(%a: index, %b: index, %c: index, %d: index):
    tensor.yield %one : f32
  } : tensor<1x4x4x2xf32> to tensor<1x5x4x2xf32>
  %c = graph.conv %p, %w strides [1, 1] dilations [1, 1] pads [0, 0], [0, 0] groups 1 : tensor<1x5x4x2xf32>, tensor<1x1x2x8xf32> -> tensor<1x5x4x8xf32>
  %q = tensor.pad %x low[0, 0, 0, 0] high[0, 0, 0, 1] {
  ^bb0(%a: index, %b: index, %c1: index, %d: index):
    tensor.yield %zero : f32
  } : tensor<1x4x4x2xf32> to tensor<1x4x4x3xf32>
  %d = graph.conv %q, %v strides [1, 1] dilations [1, 1] pads [0, 0], [0, 0] groups 1 : tensor<1x4x4x3xf32>, tensor<1x1x3x8xf32> -> tensor<1x4x4x8xf32>
  return %c, %d : tensor<1x5x4x8xf32>, tensor<1x4x4x8xf32>
}
