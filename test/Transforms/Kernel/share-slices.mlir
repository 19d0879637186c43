// RUN: tessera-opt %s --kernel-share-slices --kernel-merge-identical --split-input-file | FileCheck %s

// Four kernels that take a row each are one.
// CHECK-LABEL: kernel.func @a(
// CHECK-SAME:    %[[X:.*]]: tensor<?x8xf32>, %{{.*}}: tensor<1x8xf32>, %{{.*}}: index, %[[FIRST:.*]]: index)
// CHECK-SAME:    shapes = [affine_map<()[s0, s1] -> (s0, 8)>
// CHECK:         tensor.extract_slice %[[X]][%[[FIRST]], 0] [1, 8] [1, 1]
// CHECK-NOT:   kernel.func
// CHECK:       func.func @rows
// CHECK:         kernel.call @a {{.*}} sizes(%{{.*}}, %c0
// CHECK:         kernel.call @a {{.*}} sizes(%{{.*}}, %c5
// CHECK:         kernel.call @a {{.*}} sizes(%{{.*}}, %c2
// CHECK:         kernel.call @a {{.*}} sizes(%{{.*}}, %c7
kernel.func @a(%x: tensor<?x8xf32>, %out: tensor<1x8xf32>, %n: index) -> tensor<1x8xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<()[s0] -> (s0, 8)>, affine_map<()[s0] -> (1, 8)>]} {
  %s = tensor.extract_slice %x[0, 0] [1, 8] [1, 1] : tensor<?x8xf32> to tensor<1x8xf32>
  %y = math.exp %s : tensor<1x8xf32>
  kernel.yield %y : tensor<1x8xf32>
}
kernel.func @b(%x: tensor<?x8xf32>, %out: tensor<1x8xf32>, %n: index) -> tensor<1x8xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<()[s0] -> (s0, 8)>, affine_map<()[s0] -> (1, 8)>]} {
  %s = tensor.extract_slice %x[5, 0] [1, 8] [1, 1] : tensor<?x8xf32> to tensor<1x8xf32>
  %y = math.exp %s : tensor<1x8xf32>
  kernel.yield %y : tensor<1x8xf32>
}
kernel.func @c(%x: tensor<?x8xf32>, %out: tensor<1x8xf32>, %n: index) -> tensor<1x8xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<()[s0] -> (s0, 8)>, affine_map<()[s0] -> (1, 8)>]} {
  %s = tensor.extract_slice %x[2, 0] [1, 8] [1, 1] : tensor<?x8xf32> to tensor<1x8xf32>
  %y = math.exp %s : tensor<1x8xf32>
  kernel.yield %y : tensor<1x8xf32>
}
kernel.func @d(%x: tensor<?x8xf32>, %out: tensor<1x8xf32>, %n: index) -> tensor<1x8xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<()[s0] -> (s0, 8)>, affine_map<()[s0] -> (1, 8)>]} {
  %s = tensor.extract_slice %x[7, 0] [1, 8] [1, 1] : tensor<?x8xf32> to tensor<1x8xf32>
  %y = math.exp %s : tensor<1x8xf32>
  kernel.yield %y : tensor<1x8xf32>
}
func.func @rows(%x: tensor<?x8xf32>, %n: index) -> (tensor<1x8xf32>, tensor<1x8xf32>, tensor<1x8xf32>, tensor<1x8xf32>) {
  %e = tensor.empty() : tensor<1x8xf32>
  %a = kernel.call @a ins(%x : tensor<?x8xf32>) outs(%e : tensor<1x8xf32>) sizes(%n) -> tensor<1x8xf32>
  %b = kernel.call @b ins(%x : tensor<?x8xf32>) outs(%e : tensor<1x8xf32>) sizes(%n) -> tensor<1x8xf32>
  %c = kernel.call @c ins(%x : tensor<?x8xf32>) outs(%e : tensor<1x8xf32>) sizes(%n) -> tensor<1x8xf32>
  %d = kernel.call @d ins(%x : tensor<?x8xf32>) outs(%e : tensor<1x8xf32>) sizes(%n) -> tensor<1x8xf32>
  return %a, %b, %c, %d : tensor<1x8xf32>, tensor<1x8xf32>, tensor<1x8xf32>, tensor<1x8xf32>
}

// -----

// Two keep their constants, and so do slices of columns.
// CHECK-LABEL: kernel.func @first(
// CHECK:         tensor.extract_slice %{{.*}}[0, 0]
// CHECK:       kernel.func @second(
// CHECK:         tensor.extract_slice %{{.*}}[1, 0]
// CHECK:       kernel.func @column(
// CHECK:         tensor.extract_slice %{{.*}}[0, 1]
kernel.func @first(%x: tensor<4x8xf32>, %out: tensor<1x4xf32>) -> tensor<1x4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4, 8)>, affine_map<() -> (1, 4)>]} {
  %s = tensor.extract_slice %x[0, 0] [1, 4] [1, 1] : tensor<4x8xf32> to tensor<1x4xf32>
  %y = math.exp %s : tensor<1x4xf32>
  kernel.yield %y : tensor<1x4xf32>
}
kernel.func @second(%x: tensor<4x8xf32>, %out: tensor<1x4xf32>) -> tensor<1x4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4, 8)>, affine_map<() -> (1, 4)>]} {
  %s = tensor.extract_slice %x[1, 0] [1, 4] [1, 1] : tensor<4x8xf32> to tensor<1x4xf32>
  %y = math.exp %s : tensor<1x4xf32>
  kernel.yield %y : tensor<1x4xf32>
}
kernel.func @column(%x: tensor<4x8xf32>, %out: tensor<1x4xf32>) -> tensor<1x4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4, 8)>, affine_map<() -> (1, 4)>]} {
  %s = tensor.extract_slice %x[0, 1] [1, 4] [1, 1] : tensor<4x8xf32> to tensor<1x4xf32>
  %y = math.exp %s : tensor<1x4xf32>
  kernel.yield %y : tensor<1x4xf32>
}
func.func @main(%x: tensor<4x8xf32>) -> (tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x4xf32>) {
  %e = tensor.empty() : tensor<1x4xf32>
  %a = kernel.call @first ins(%x : tensor<4x8xf32>) outs(%e : tensor<1x4xf32>) -> tensor<1x4xf32>
  %b = kernel.call @second ins(%x : tensor<4x8xf32>) outs(%e : tensor<1x4xf32>) -> tensor<1x4xf32>
  %c = kernel.call @column ins(%x : tensor<4x8xf32>) outs(%e : tensor<1x4xf32>) -> tensor<1x4xf32>
  return %a, %b, %c : tensor<1x4xf32>, tensor<1x4xf32>, tensor<1x4xf32>
}
