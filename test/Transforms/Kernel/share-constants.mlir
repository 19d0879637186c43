// RUN: tessera-opt %s --kernel-share-constants --kernel-merge-identical --split-input-file | FileCheck %s

// Four kernels that take a row each are one.
// CHECK-LABEL: kernel.func @a(
// CHECK-SAME:    %[[X:.*]]: tensor<?x8xf32>, %{{.*}}: tensor<1x8xf32>, %{{.*}}: index, %[[FIRST:.*]]: index)
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

// -----

// Numbers that all differ are weights of one element; 6 stays a constant.
// CHECK-DAG:   graph.weights @[[W:number[_0-9]*]] : tensor<f32> from dense<2.000000e-01>
// CHECK-LABEL: kernel.func @p(
// CHECK-SAME:    %[[X:.*]]: tensor<8xf32>, %[[NUMBER:.*]]: tensor<f32>, %{{.*}}: tensor<8xf32>)
// CHECK-SAME:    shapes = [#[[ROW:.*]], #{{.*}}, #[[ROW]]]
// CHECK:         %[[WIDE:.*]] = graph.broadcast_to %[[NUMBER]] : tensor<f32> -> tensor<8xf32>
// CHECK:         arith.mulf %[[X]], %[[WIDE]]
// CHECK:         arith.minimumf %{{.*}}, %{{cst.*}}
// CHECK-NOT:   kernel.func
// CHECK:       func.func @scaled
// CHECK:         %[[B:.*]] = graph.weight @[[W]] : tensor<f32>
// CHECK:         kernel.call @p ins(%{{.*}}, %[[B]] : tensor<8xf32>, tensor<f32>)
kernel.func @p(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (8)>, affine_map<() -> (8)>]} {
  %scale = arith.constant dense<0.1> : tensor<8xf32>
  %six = arith.constant dense<6.0> : tensor<8xf32>
  %y = arith.mulf %x, %scale : tensor<8xf32>
  %z = arith.minimumf %y, %six : tensor<8xf32>
  kernel.yield %z : tensor<8xf32>
}
kernel.func @q(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (8)>, affine_map<() -> (8)>]} {
  %scale = arith.constant dense<0.2> : tensor<8xf32>
  %six = arith.constant dense<6.0> : tensor<8xf32>
  %y = arith.mulf %x, %scale : tensor<8xf32>
  %z = arith.minimumf %y, %six : tensor<8xf32>
  kernel.yield %z : tensor<8xf32>
}
kernel.func @r(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (8)>, affine_map<() -> (8)>]} {
  %scale = arith.constant dense<0.3> : tensor<8xf32>
  %six = arith.constant dense<6.0> : tensor<8xf32>
  %y = arith.mulf %x, %scale : tensor<8xf32>
  %z = arith.minimumf %y, %six : tensor<8xf32>
  kernel.yield %z : tensor<8xf32>
}
kernel.func @s(%x: tensor<8xf32>, %out: tensor<8xf32>) -> tensor<8xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (8)>, affine_map<() -> (8)>]} {
  %scale = arith.constant dense<0.4> : tensor<8xf32>
  %six = arith.constant dense<6.0> : tensor<8xf32>
  %y = arith.mulf %x, %scale : tensor<8xf32>
  %z = arith.minimumf %y, %six : tensor<8xf32>
  kernel.yield %z : tensor<8xf32>
}
func.func @scaled(%x: tensor<8xf32>) -> tensor<8xf32> {
  %e = tensor.empty() : tensor<8xf32>
  %p = kernel.call @p ins(%x : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %q = kernel.call @q ins(%p : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %r = kernel.call @r ins(%q : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  %s = kernel.call @s ins(%r : tensor<8xf32>) outs(%e : tensor<8xf32>) -> tensor<8xf32>
  return %s : tensor<8xf32>
}

// -----

// Zero points of quantized layers are numbers, too.
// CHECK-LABEL: kernel.func @za(
// CHECK-SAME:    %[[X:[^:]*]]: tensor<8xi32>, %[[ZERO:[^:]*]]: tensor<i32>
// CHECK:         %[[ALL:.*]] = graph.broadcast_to %[[ZERO]] : tensor<i32> -> tensor<8xi32>
// CHECK:         arith.subi %[[X]], %[[ALL]]
// CHECK-NOT:   kernel.func
kernel.func @za(%x: tensor<8xi32>, %out: tensor<8xi32>) -> tensor<8xi32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (8)>, affine_map<() -> (8)>]} {
  %z = arith.constant dense<3> : tensor<8xi32>
  %y = arith.subi %x, %z : tensor<8xi32>
  kernel.yield %y : tensor<8xi32>
}
kernel.func @zb(%x: tensor<8xi32>, %out: tensor<8xi32>) -> tensor<8xi32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (8)>, affine_map<() -> (8)>]} {
  %z = arith.constant dense<114> : tensor<8xi32>
  %y = arith.subi %x, %z : tensor<8xi32>
  kernel.yield %y : tensor<8xi32>
}
kernel.func @zc(%x: tensor<8xi32>, %out: tensor<8xi32>) -> tensor<8xi32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (8)>, affine_map<() -> (8)>]} {
  %z = arith.constant dense<126> : tensor<8xi32>
  %y = arith.subi %x, %z : tensor<8xi32>
  kernel.yield %y : tensor<8xi32>
}
kernel.func @zd(%x: tensor<8xi32>, %out: tensor<8xi32>) -> tensor<8xi32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (8)>, affine_map<() -> (8)>]} {
  %z = arith.constant dense<7> : tensor<8xi32>
  %y = arith.subi %x, %z : tensor<8xi32>
  kernel.yield %y : tensor<8xi32>
}
func.func @layers(%x: tensor<8xi32>) -> (tensor<8xi32>, tensor<8xi32>, tensor<8xi32>, tensor<8xi32>) {
  %e = tensor.empty() : tensor<8xi32>
  %a = kernel.call @za ins(%x : tensor<8xi32>) outs(%e : tensor<8xi32>) -> tensor<8xi32>
  %b = kernel.call @zb ins(%x : tensor<8xi32>) outs(%e : tensor<8xi32>) -> tensor<8xi32>
  %c = kernel.call @zc ins(%x : tensor<8xi32>) outs(%e : tensor<8xi32>) -> tensor<8xi32>
  %d = kernel.call @zd ins(%x : tensor<8xi32>) outs(%e : tensor<8xi32>) -> tensor<8xi32>
  return %a, %b, %c, %d : tensor<8xi32>, tensor<8xi32>, tensor<8xi32>, tensor<8xi32>
}
