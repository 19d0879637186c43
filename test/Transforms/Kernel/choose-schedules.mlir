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

// The rows of a convolution are those of the kernel that is built: of 36 x 14 x 8
// positions 8 are too few, and then the most are taken, of which a task has three
// lines.
// CHECK-LABEL: kernel.func @rows_of_the_longest
// AVX512-SAME:   taskRows = 126,
kernel.func @rows_of_the_longest(%x: tensor<1x36x14x8x16xf32>, %w: tensor<3x3x3x16x16xf32>, %out: tensor<1x36x14x8x16xf32>) -> tensor<1x36x14x8x16xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (1, 36, 14, 8, 16)>, affine_map<() -> (3, 3, 3, 16, 16)>, affine_map<() -> (1, 36, 14, 8, 16)>]} {
  %y = graph.conv %x, %w strides [1, 1, 1] dilations [1, 1, 1] pads [1, 1, 1], [1, 1, 1] groups 1
    : tensor<1x36x14x8x16xf32>, tensor<3x3x3x16x16xf32> -> tensor<1x36x14x8x16xf32>
  kernel.yield %y : tensor<1x36x14x8x16xf32>
}

// Several elements of the contracted dimension a step where the machine has it.
// CHECK-LABEL: kernel.func @bytes_by_bytes
// AVX2-SAME:     #kernel.contraction<{{.*}}accumulate = bytes_in_f32>
// AVX512-SAME:   #kernel.contraction<{{.*}}accumulate = u8s8_quads>
#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#result = affine_map<(m, n, k) -> (m, n)>
kernel.func @bytes_by_bytes(%x: tensor<6x4xi8>, %w: tensor<4x8xi8>, %out: tensor<6x8xi32>) -> tensor<6x8xi32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (6, 4)>, affine_map<() -> (4, 8)>, affine_map<() -> (6, 8)>]} {
  %zero = arith.constant 0 : i32
  %e = tensor.empty() : tensor<6x8xi32>
  %f = linalg.fill ins(%zero : i32) outs(%e : tensor<6x8xi32>) -> tensor<6x8xi32>
  %p = linalg.generic {indexing_maps = [#lhs, #rhs, #result], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<6x4xi8>, tensor<4x8xi8>) outs(%f : tensor<6x8xi32>) {
  ^bb0(%a: i8, %b: i8, %sum: i32):
    %c = arith.extui %a : i8 to i32
    %d = arith.extsi %b : i8 to i32
    %q = arith.muli %c, %d : i32
    %s = arith.addi %sum, %q : i32
    linalg.yield %s : i32
  } -> tensor<6x8xi32>
  kernel.yield %p : tensor<6x8xi32>
}

// CHECK-LABEL: kernel.func @unsigned_by_unsigned
// CHECK-SAME:    kernel.missed = "the machine has no multiply-accumulate for the types of its product"
// CHECK-SAME:    schedules = [#kernel.generic]
kernel.func @unsigned_by_unsigned(%x: tensor<6x4xi8>, %w: tensor<4x8xi8>, %out: tensor<6x8xi32>) -> tensor<6x8xi32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (6, 4)>, affine_map<() -> (4, 8)>, affine_map<() -> (6, 8)>]} {
  %zero = arith.constant 0 : i32
  %e = tensor.empty() : tensor<6x8xi32>
  %f = linalg.fill ins(%zero : i32) outs(%e : tensor<6x8xi32>) -> tensor<6x8xi32>
  %p = linalg.generic {indexing_maps = [#lhs, #rhs, #result], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<6x4xi8>, tensor<4x8xi8>) outs(%f : tensor<6x8xi32>) {
  ^bb0(%a: i8, %b: i8, %sum: i32):
    %c = arith.extui %a : i8 to i32
    %d = arith.extui %b : i8 to i32
    %q = arith.muli %c, %d : i32
    %s = arith.addi %sum, %q : i32
    linalg.yield %s : i32
  } -> tensor<6x8xi32>
  kernel.yield %p : tensor<6x8xi32>
}

// Pairs of bf16 are twice as fast as f32 on one of these machines and half as fast
// on another.
// CHECK-LABEL: kernel.func @bf16_by_bf16
// AVX2-NOT:      accumulate
// AVX512-SAME:   #kernel.contraction<{{.*}}accumulate = bf16_pairs>
// PREFETCH:      kernel.func @bf16_by_bf16
// PREFETCH-NOT:  accumulate
kernel.func @bf16_by_bf16(%x: tensor<6x4xbf16>, %w: tensor<4x8xbf16>, %out: tensor<6x8xf32>) -> tensor<6x8xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (6, 4)>, affine_map<() -> (4, 8)>, affine_map<() -> (6, 8)>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<6x8xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<6x8xf32>) -> tensor<6x8xf32>
  %p = linalg.matmul ins(%x, %w : tensor<6x4xbf16>, tensor<4x8xbf16>) outs(%f : tensor<6x8xf32>) -> tensor<6x8xf32>
  kernel.yield %p : tensor<6x8xf32>
}
