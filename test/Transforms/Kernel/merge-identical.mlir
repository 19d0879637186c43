// RUN: tessera-opt %s --kernel-merge-identical | FileCheck %s

// CHECK: kernel.func @exp(
// CHECK-NOT: kernel.func @same(
kernel.func @exp(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>, affine_map<() -> (4)>]} {
  %y = math.exp %x : tensor<4xf32>
  kernel.yield %y : tensor<4xf32>
}
kernel.func @same(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {kernel.missed = "some reason", outputs = 1 : i64,
                shapes = [affine_map<() -> (4)>, affine_map<() -> (4)>]} {
  %y = math.exp %x : tensor<4xf32>
  kernel.yield %y : tensor<4xf32>
}
// CHECK: kernel.func @other_operand(
kernel.func @other_operand(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>, affine_map<() -> (4)>]} {
  %y = math.exp %out : tensor<4xf32>
  kernel.yield %y : tensor<4xf32>
}
// CHECK: kernel.func @other_schedule(
kernel.func @other_schedule(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.generic],
                shapes = [affine_map<() -> (4)>, affine_map<() -> (4)>]} {
  %y = math.exp %x : tensor<4xf32>
  kernel.yield %y : tensor<4xf32>
}
// CHECK: kernel.func @other_attribute(
kernel.func @other_attribute(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>, affine_map<() -> (4)>]} {
  %y = math.exp %x fastmath<fast> : tensor<4xf32>
  kernel.yield %y : tensor<4xf32>
}

// CHECK-LABEL: func.func @main
// CHECK: kernel.call @exp
// CHECK: kernel.call @exp
// CHECK: kernel.call @other_operand
// CHECK: kernel.call @other_schedule
// CHECK: kernel.call @other_attribute
func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %a = kernel.call @exp ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %b = kernel.call @same ins(%a : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %c = kernel.call @other_operand ins(%b : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %d = kernel.call @other_schedule ins(%c : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %f = kernel.call @other_attribute ins(%d : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %f : tensor<4xf32>
}
