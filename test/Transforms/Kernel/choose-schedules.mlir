// RUN: tessera-opt %s --kernel-set-machine=cpu=x86-64-v3 --kernel-choose-schedules | FileCheck %s --check-prefixes=CHECK,AVX2
// RUN: tessera-opt %s --kernel-set-machine=cpu=znver4 --kernel-choose-schedules | FileCheck %s --check-prefixes=CHECK,AVX512
// RUN: tessera-opt %s --kernel-set-machine=cpu=emeraldrapids --kernel-choose-schedules | FileCheck %s --check-prefix=PREFETCH
// RUN: not tessera-opt %s --kernel-choose-schedules 2>&1 | FileCheck %s --check-prefix=NONE

// NONE: expects a machine, but the module has no attribute 'kernel.machine': run kernel-set-machine before

// CHECK-LABEL: kernel.func @product
// AVX2-SAME:     #kernel.contraction<{{.*}}lanes = 8
// AVX512-SAME:   #kernel.contraction<{{.*}}lanes = 16
// CHECK-SAME:    #kernel.generic]
kernel.func @product(%x: tensor<6x4xf32>, %w: tensor<4x8xf32>, %out: tensor<6x8xf32>) -> tensor<6x8xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (6, 4)>, affine_map<() -> (4, 8)>, affine_map<() -> (6, 8)>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<6x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<6x8xf32>) -> tensor<6x8xf32>
  %p = linalg.matmul ins(%x, %w : tensor<6x4xf32>, tensor<4x8xf32>) outs(%f : tensor<6x8xf32>) -> tensor<6x8xf32>
  kernel.yield %p : tensor<6x8xf32>
}

// CHECK-LABEL: kernel.func @scale
// AVX2-SAME:     #kernel.rows<lanes = 8, unroll = 4, taskElements = {{[0-9]+}}>
// AVX512-SAME:   #kernel.rows<lanes = 16, unroll = 4, taskElements = {{[0-9]+}}, streamBytes = 25165824>
// PREFETCH:      #kernel.rows<lanes = 16, unroll = 4, taskElements = {{[0-9]+}}, prefetchRows = 1>
kernel.func @scale(%x: tensor<6xf32>, %out: tensor<6xf32>) -> tensor<6xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (6)>, affine_map<() -> (6)>]} {
  %r = arith.mulf %x, %x : tensor<6xf32>
  kernel.yield %r : tensor<6xf32>
}

// Arithmetic hides the stores: they need not go past the caches.
// CHECK-LABEL: kernel.func @angle
// AVX512-SAME:   #kernel.rows<lanes = 16, unroll = 4, taskElements = {{[0-9]+}}>
kernel.func @angle(%x: tensor<6xf32>, %out: tensor<6xf32>) -> tensor<6xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (6)>, affine_map<() -> (6)>]} {
  %r = math.sin %x : tensor<6xf32>
  kernel.yield %r : tensor<6xf32>
}

// CHECK-LABEL: kernel.func @attention
// AVX2-SAME:     #kernel.attention<{{.*}}lanes = 8
// AVX512-SAME:   #kernel.attention<{{.*}}lanes = 16
// CHECK-SAME:    #kernel.generic]
kernel.func @attention(%q: tensor<1x2x16x8xf32>, %out: tensor<1x2x16x8xf32>) -> tensor<1x2x16x8xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (1, 2, 16, 8)>, affine_map<() -> (1, 2, 16, 8)>]} {
  %o = attention.sdpa %q, %q, %q scale 0.5 : tensor<1x2x16x8xf32>, tensor<1x2x16x8xf32>, tensor<1x2x16x8xf32> -> tensor<1x2x16x8xf32>
  kernel.yield %o : tensor<1x2x16x8xf32>
}

// A head too long for any scratch leaves the generic route.

// CHECK-LABEL: kernel.func @long_heads
// CHECK-SAME:    kernel.missed = "a head is too long for the scratch of a task"
// CHECK-SAME:    schedules = [#kernel.generic]
kernel.func @long_heads(%q: tensor<1x1x2x16384xf32>, %out: tensor<1x1x2x16384xf32>) -> tensor<1x1x2x16384xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (1, 1, 2, 16384)>, affine_map<() -> (1, 1, 2, 16384)>]} {
  %o = attention.sdpa %q, %q, %q scale 0.5 : tensor<1x1x2x16384xf32>, tensor<1x1x2x16384xf32>, tensor<1x1x2x16384xf32> -> tensor<1x1x2x16384xf32>
  kernel.yield %o : tensor<1x1x2x16384xf32>
}

// A schedule that is there already is left alone.

// CHECK-LABEL: kernel.func @tuned
// CHECK-SAME:    schedules = [#kernel.generic]
kernel.func @tuned(%x: tensor<6xf32>, %out: tensor<6xf32>) -> tensor<6xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.generic], shapes = [affine_map<() -> (6)>, affine_map<() -> (6)>]} {
  %r = arith.mulf %x, %x : tensor<6xf32>
  kernel.yield %r : tensor<6xf32>
}

// Tasks of about the same time: bytes limit the sum, arithmetic the powers.
// CHECK-LABEL: kernel.func @bytes
// AVX2-SAME:     taskElements = 16384>
// CHECK-LABEL: kernel.func @powers
// AVX2-SAME:     taskElements = 2048>
kernel.func @bytes(%x: tensor<99xf32>, %y: tensor<99xf32>, %out: tensor<99xf32>) -> tensor<99xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (99)>, affine_map<() -> (99)>, affine_map<() -> (99)>]} {
  %s = arith.addf %x, %y : tensor<99xf32>
  kernel.yield %s : tensor<99xf32>
}
kernel.func @powers(%x: tensor<99xf32>, %y: tensor<99xf32>, %out: tensor<99xf32>) -> tensor<99xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (99)>, affine_map<() -> (99)>, affine_map<() -> (99)>]} {
  %p = math.powf %x, %y : tensor<99xf32>
  kernel.yield %p : tensor<99xf32>
}
