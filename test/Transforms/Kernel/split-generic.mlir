// RUN: tessera-opt %s --split-input-file --kernel-split-generic --cse | FileCheck %s

// The product is a value between two kernels; the epilogue is one loop nest. Both
// know why they are here.
// CHECK-LABEL: kernel.func @dense_0
// CHECK-SAME:    kernel.missed = "too narrow"
// CHECK:         linalg.fill
// CHECK:         iterator_types = ["parallel", "parallel", "reduction"]
// CHECK-LABEL: kernel.func @dense_1
// CHECK-SAME:    kernel.missed = "too narrow"
// CHECK:         linalg.generic
// CHECK:           arith.addf
// CHECK:           math.tanh
// CHECK-NOT:     linalg.generic
// CHECK-LABEL: func.func @main
// CHECK:         %[[P:.+]] = kernel.call @dense_0
// CHECK:         kernel.call @dense_1 ins(%[[P]],
#x = affine_map<()[s0] -> (s0, 8)>
#w = affine_map<()[s0] -> (8, 4)>
#b = affine_map<()[s0] -> (4)>
#y = affine_map<()[s0] -> (s0, 4)>
kernel.func @dense(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %bias: tensor<4xf32>, %out: tensor<?x4xf32>, %n: index) -> tensor<?x4xf32>
    attributes {kernel.missed = "too narrow", outputs = 1 : i64, schedules = [#kernel.generic], shapes = [#x, #w, #b, #y]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty(%n) : tensor<?x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x4xf32>) -> tensor<?x4xf32>
  %product = linalg.matmul ins(%x, %w : tensor<?x8xf32>, tensor<8x4xf32>) outs(%init : tensor<?x4xf32>) -> tensor<?x4xf32>
  %biases = graph.broadcast_to %bias sizes(%n) : tensor<4xf32> -> tensor<?x4xf32>
  %sum = arith.addf %product, %biases : tensor<?x4xf32>
  %result = math.tanh %sum : tensor<?x4xf32>
  kernel.yield %result : tensor<?x4xf32>
}
func.func @main(%x: tensor<?x8xf32>, %w: tensor<8x4xf32>, %bias: tensor<4xf32>, %n: index) -> tensor<?x4xf32> {
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %r = kernel.call @dense ins(%x, %w, %bias : tensor<?x8xf32>, tensor<8x4xf32>, tensor<4xf32>) outs(%e : tensor<?x4xf32>) sizes(%n) -> tensor<?x4xf32>
  return %r : tensor<?x4xf32>
}

// -----

// One destination: the parts of a join are written where they belong.
// CHECK-LABEL: kernel.func @join
// CHECK-COUNT-2: tensor.insert_slice
// CHECK:         kernel.yield
// CHECK-LABEL: func.func @main
// CHECK:         kernel.call @join
// CHECK-NOT:     kernel.call
kernel.func @join(%a: tensor<2xf32>, %b: tensor<3xf32>, %out: tensor<5xf32>) -> tensor<5xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.generic],
                shapes = [affine_map<() -> (2)>, affine_map<() -> (3)>, affine_map<() -> (5)>]} {
  %y = tensor.concat dim(0) %a, %b : (tensor<2xf32>, tensor<3xf32>) -> tensor<5xf32>
  kernel.yield %y : tensor<5xf32>
}
func.func @main(%a: tensor<2xf32>, %b: tensor<3xf32>) -> tensor<5xf32> {
  %e = tensor.empty() : tensor<5xf32>
  %r = kernel.call @join ins(%a, %b : tensor<2xf32>, tensor<3xf32>) outs(%e : tensor<5xf32>) -> tensor<5xf32>
  return %r : tensor<5xf32>
}

// -----

// Other schedules are left alone.
// CHECK-LABEL: kernel.func @rows
// CHECK:         linalg.softmax
#s = affine_map<() -> (4, 8)>
kernel.func @rows(%x: tensor<4x8xf32>, %out: tensor<4x8xf32>) -> tensor<4x8xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 4, taskElements = 4096>], shapes = [#s, #s]} {
  %e = tensor.empty() : tensor<4x8xf32>
  %y = linalg.softmax dimension(1) ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  kernel.yield %y : tensor<4x8xf32>
}
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %e = tensor.empty() : tensor<4x8xf32>
  %r = kernel.call @rows ins(%x : tensor<4x8xf32>) outs(%e : tensor<4x8xf32>) -> tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}

// -----

// Both branches compute the same: each writes what it gives itself.
// CHECK-LABEL: func.func @branches
// CHECK:         scf.if
// CHECK:           kernel.call @dense_0
// CHECK-NOT:       own_place
// CHECK:           kernel.call @dense_1 {{.*}} {kernel.own_place = 0 : i64}
// CHECK:         } else {
// CHECK:           kernel.call @dense_{{.*}} {kernel.own_place = 1 : i64}
#v = affine_map<() -> (4, 4)>
kernel.func @dense(%x: tensor<4x4xf32>, %out: tensor<4x4xf32>) -> tensor<4x4xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.generic], shapes = [#v, #v]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x4xf32>) -> tensor<4x4xf32>
  %product = linalg.matmul ins(%x, %x : tensor<4x4xf32>, tensor<4x4xf32>) outs(%init : tensor<4x4xf32>) -> tensor<4x4xf32>
  %result = math.tanh %product : tensor<4x4xf32>
  kernel.yield %result : tensor<4x4xf32>
}
func.func @branches(%x: tensor<4x4xf32>, %c: i1) -> tensor<4x4xf32> {
  %e = tensor.empty() : tensor<4x4xf32>
  %r = scf.if %c -> tensor<4x4xf32> {
    %a = kernel.call @dense ins(%x : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {kernel.own_place = 0 : i64} -> tensor<4x4xf32>
    scf.yield %a : tensor<4x4xf32>
  } else {
    %b = kernel.call @dense ins(%x : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) {kernel.own_place = 1 : i64} -> tensor<4x4xf32>
    scf.yield %b : tensor<4x4xf32>
  }
  return %r : tensor<4x4xf32>
}
