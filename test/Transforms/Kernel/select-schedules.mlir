// RUN: tessera-opt %s --kernel-select-schedules | FileCheck %s

// The row emitter takes this kernel: the fallback goes.

// CHECK-LABEL: kernel.func @scale
// CHECK-SAME:    schedules = [#kernel.rows<lanes = 8, unroll = 4, taskElements = 1024>]
kernel.func @scale(%x: tensor<6xf32>, %out: tensor<6xf32>) -> tensor<6xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.rows<lanes = 8, unroll = 4, taskElements = 1024>, #kernel.generic],
                shapes = [affine_map<() -> (6)>, affine_map<() -> (6)>]} {
  %r = arith.mulf %x, %x : tensor<6xf32>
  kernel.yield %r : tensor<6xf32>
}

// A contraction builder finds no contraction here: the next schedule is taken,
// and the kernel says why.

// CHECK-LABEL: kernel.func @no_contraction
// CHECK-SAME:    kernel.missed =
// CHECK-SAME:    schedules = [#kernel.generic]
kernel.func @no_contraction(%x: tensor<6xf32>, %out: tensor<6xf32>) -> tensor<6xf32>
    attributes {outputs = 1 : i64,
                schedules = [#kernel.contraction<rows = 6, vectors = 2, lanes = 8, taskRows = 6, taskPanels = 1, depth = 0, prefetchRows = 0>, #kernel.generic],
                shapes = [affine_map<() -> (6)>, affine_map<() -> (6)>]} {
  %r = arith.mulf %x, %x : tensor<6xf32>
  kernel.yield %r : tensor<6xf32>
}

// What stands behind the first schedule without a condition is never taken.

// CHECK-LABEL: kernel.func @guarded
// CHECK-SAME:    schedules = [#kernel.guarded<#{{.*}}, #kernel.rows<lanes = 8, unroll = 1, taskElements = 1024>>, #kernel.rows<lanes = 8, unroll = 4, taskElements = 1024>]
#short = affine_set<()[s0] : (99 - s0 >= 0)>
kernel.func @guarded(%x: tensor<?xf32>, %out: tensor<?xf32>, %n: index) -> tensor<?xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<()[s0] -> (s0)>, affine_map<()[s0] -> (s0)>],
                schedules = [#kernel.guarded<#short, #kernel.rows<lanes = 8, unroll = 1, taskElements = 1024>>,
                             #kernel.rows<lanes = 8, unroll = 4, taskElements = 1024>, #kernel.generic]} {
  %r = arith.mulf %x, %x : tensor<?xf32>
  kernel.yield %r : tensor<?xf32>
}
