// RUN: tessera-opt %s --split-input-file --cpu-emit-kernels --canonicalize --cse | FileCheck %s

// Quads: a task copies its columns to panels of groups of four, the last one filled up
// with zeros; a step takes four neighbours of a row as one number.

// CHECK-LABEL: func.func private @quads
// CHECK:         %[[PANELS:.*]] = memref.alloca() {alignment = 64 : i64} : memref<1x3x64xi8>
// Two whole groups, then two elements.
// CHECK:         scf.for %{{.*}} = %c0 to %c8 step %c4
// CHECK-COUNT-3:   vector.interleave
// CHECK:           vector.store %{{.*}}, %[[PANELS]]
// CHECK-COUNT-3: vector.interleave
// CHECK:         vector.store %{{.*}}, %[[PANELS]]
// CHECK:         %[[SUMS:.*]]:6 = scf.for %{{.*}} = %c0 to %c8 step %c4
// CHECK:           vector.load %[[PANELS]]{{.*}} : memref<1x3x64xi8>, vector<64xi8>
// CHECK:           vector.load %arg1{{.*}} : memref<6x10xi8>, vector<4xi8>
// CHECK:           vector.broadcast %{{.*}} : i32 to vector<16xi32>
// CHECK-COUNT-6:   llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
// CHECK:         memref.load %arg1
// CHECK-COUNT-6: llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
// CHECK:         vector.store %{{.*}} : memref<6x16xi32>, vector<16xi32>
#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#result = affine_map<(m, n, k) -> (m, n)>
kernel.func @quads(%x: tensor<6x10xi8>, %w: tensor<10x16xi8>, %out: tensor<6x16xi32>) -> tensor<6x16xi32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 6, vectors = 1, lanes = 16, taskRows = 6, taskPanels = 1, prefetchRows = 0, accumulate = u8s8_quads>],
                shapes = [affine_map<() -> (6, 10)>, affine_map<() -> (10, 16)>, affine_map<() -> (6, 16)>]} {
  %zero = arith.constant 0 : i32
  %e = tensor.empty() : tensor<6x16xi32>
  %f = linalg.fill ins(%zero : i32) outs(%e : tensor<6x16xi32>) -> tensor<6x16xi32>
  %p = linalg.generic {indexing_maps = [#lhs, #rhs, #result], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<6x10xi8>, tensor<10x16xi8>) outs(%f : tensor<6x16xi32>) {
  ^bb0(%a: i8, %b: i8, %sum: i32):
    %c = arith.extui %a : i8 to i32
    %d = arith.extsi %b : i8 to i32
    %q = arith.muli %c, %d : i32
    %s = arith.addi %sum, %q : i32
    linalg.yield %s : i32
  } -> tensor<6x16xi32>
  kernel.yield %p : tensor<6x16xi32>
}

// -----

// The sign bits of the left operand are changed where it is read.

// CHECK-LABEL: func.func private @flipped
// CHECK:         %[[GROUP:.*]] = vector.load %arg1{{.*}} : memref<3x8xi8>, vector<4xi8>
// CHECK:         arith.xori %[[GROUP]]
// CHECK:         llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.256"
#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#result = affine_map<(m, n, k) -> (m, n)>
kernel.func @flipped(%x: tensor<3x8xi8>, %w: tensor<8x8xi8>, %out: tensor<3x8xi32>) -> tensor<3x8xi32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 3, vectors = 1, lanes = 8, taskRows = 3, taskPanels = 1, prefetchRows = 0, accumulate = u8s8_quads>],
                shapes = [affine_map<() -> (3, 8)>, affine_map<() -> (8, 8)>, affine_map<() -> (3, 8)>]} {
  %zero = arith.constant 0 : i32
  %signs = arith.constant dense<-128> : tensor<3x8xi8>
  %u = arith.xori %x, %signs : tensor<3x8xi8>
  %e = tensor.empty() : tensor<3x8xi32>
  %f = linalg.fill ins(%zero : i32) outs(%e : tensor<3x8xi32>) -> tensor<3x8xi32>
  %p = linalg.generic {indexing_maps = [#lhs, #rhs, #result], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%u, %w : tensor<3x8xi8>, tensor<8x8xi8>) outs(%f : tensor<3x8xi32>) {
  ^bb0(%a: i8, %b: i8, %sum: i32):
    %c = arith.extui %a : i8 to i32
    %d = arith.extsi %b : i8 to i32
    %q = arith.muli %c, %d : i32
    %s = arith.addi %sum, %q : i32
    linalg.yield %s : i32
  } -> tensor<3x8xi32>
  kernel.yield %p : tensor<3x8xi32>
}

// -----

// Pairs: long sums in blocks, which end at whole pairs.

// CHECK-LABEL: func.func private @pairs
// CHECK:         memref.alloca() {alignment = 64 : i64} : memref<1x351x32xi16>
// CHECK:         scf.for %{{.*}} = %c0 to %c700 step %c350
// CHECK:           scf.for {{.*}} step %c2
// CHECK:             llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"
// CHECK:           arith.addf
// CHECK:         llvm.call_intrinsic "llvm.x86.avx512bf16.dpbf16ps.512"
kernel.func @pairs(%x: tensor<1x701xbf16>, %w: tensor<701x16xbf16>, %out: tensor<1x16xf32>) -> tensor<1x16xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 1, vectors = 1, lanes = 16, taskRows = 1, taskPanels = 1, prefetchRows = 0, accumulate = bf16_pairs>],
                shapes = [affine_map<() -> (1, 701)>, affine_map<() -> (701, 16)>, affine_map<() -> (1, 16)>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<1x16xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<1x16xf32>) -> tensor<1x16xf32>
  %p = linalg.matmul ins(%x, %w : tensor<1x701xbf16>, tensor<701x16xbf16>) outs(%f : tensor<1x16xf32>) -> tensor<1x16xf32>
  kernel.yield %p : tensor<1x16xf32>
}

// -----

// A convolution's groups are those of one tap: 3 channels are one, filled up.

// CHECK-LABEL: func.func private @taps
// CHECK:         memref.alloca() {alignment = 64 : i64} : memref<1x4x64xi8>
// CHECK:         llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
kernel.func @taps(%x: tensor<1x5x5x3xi8>, %w: tensor<2x2x3x16xi8>, %out: tensor<1x4x6x16xi32>) -> tensor<1x4x6x16xi32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 3, vectors = 1, lanes = 16, taskRows = 6, taskPanels = 1, prefetchRows = 0, accumulate = u8s8_quads>],
                shapes = [affine_map<() -> (1, 5, 5, 3)>, affine_map<() -> (2, 2, 3, 16)>, affine_map<() -> (1, 4, 6, 16)>]} {
  %y = graph.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 1], [0, 1] groups 1 unsigned
    : tensor<1x5x5x3xi8>, tensor<2x2x3x16xi8> -> tensor<1x4x6x16xi32>
  kernel.yield %y : tensor<1x4x6x16xi32>
}

// -----

// Panels that a recipe has packed in groups are read as they are.

// CHECK-LABEL: func.func private @packed_quads
// CHECK-NOT:     memref.alloca
// CHECK:         %[[PANELS:.*]] = memref.collapse_shape %arg2 {{\[\[}}0], [1], [2, 3]] : memref<2x3x16x4xi8> into memref<2x3x64xi8>
// CHECK:         vector.load %[[PANELS]]{{.*}} : memref<2x3x64xi8>, vector<64xi8>
// CHECK:         llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#result = affine_map<(m, n, k) -> (m, n)>
kernel.func @packed_quads(%x: tensor<6x10xi8>, %w: tensor<2x3x16x4xi8>, %out: tensor<6x32xi32>) -> tensor<6x32xi32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 6, vectors = 1, lanes = 16, taskRows = 6, taskPanels = 1, prefetchRows = 0, accumulate = u8s8_quads>],
                shapes = [affine_map<() -> (6, 10)>, affine_map<() -> (2, 3, 16, 4)>, affine_map<() -> (6, 32)>]} {
  %zero = arith.constant 0 : i32
  %unpacked = tensor.empty() : tensor<10x32xi8>
  %b = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1, 0] inner_tiles = [16, 4] into %unpacked : tensor<2x3x16x4xi8> -> tensor<10x32xi8>
  %e = tensor.empty() : tensor<6x32xi32>
  %f = linalg.fill ins(%zero : i32) outs(%e : tensor<6x32xi32>) -> tensor<6x32xi32>
  %p = linalg.generic {indexing_maps = [#lhs, #rhs, #result], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %b : tensor<6x10xi8>, tensor<10x32xi8>) outs(%f : tensor<6x32xi32>) {
  ^bb0(%a: i8, %c: i8, %sum: i32):
    %d = arith.extui %a : i8 to i32
    %g = arith.extsi %c : i8 to i32
    %q = arith.muli %d, %g : i32
    %s = arith.addi %sum, %q : i32
    linalg.yield %s : i32
  } -> tensor<6x32xi32>
  kernel.yield %p : tensor<6x32xi32>
}

// -----

// The quads of the channels of a tap, of which there are two for five channels, are rows
// of a packed panel.

// CHECK-LABEL: func.func private @packed_taps
// CHECK-NOT:     memref.alloca
// CHECK:         %[[PANELS:.*]] = memref.collapse_shape %arg2 {{\[\[}}0], [1, 2], [3, 4]] : memref<2x2x2x32x4xi8> into memref<2x4x128xi8>
// CHECK-NOT:     vector.interleave
// CHECK:         vector.load %[[PANELS]]{{.*}} : memref<2x4x128xi8>, vector<64xi8>
// CHECK:         llvm.call_intrinsic "llvm.x86.avx512.vpdpbusd.512"
kernel.func @packed_taps(%x: tensor<1x6x5xi8>, %w: tensor<2x2x2x32x4xi8>, %out: tensor<1x6x40xi32>) -> tensor<1x6x40xi32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 6, vectors = 2, lanes = 16, taskRows = 6, taskPanels = 2, prefetchRows = 0, accumulate = u8s8_quads>],
                shapes = [affine_map<() -> (1, 6, 5)>, affine_map<() -> (2, 2, 2, 32, 4)>, affine_map<() -> (1, 6, 40)>]} {
  %e = tensor.empty() : tensor<2x5x40xi8>
  %f = linalg.unpack %w outer_dims_perm = [2, 0, 1] inner_dims_pos = [2, 1] inner_tiles = [32, 4] into %e : tensor<2x2x2x32x4xi8> -> tensor<2x5x40xi8>
  %y = graph.conv %x, %f strides [1] dilations [1] pads [1], [0] groups 1 unsigned : tensor<1x6x5xi8>, tensor<2x5x40xi8> -> tensor<1x6x40xi32>
  kernel.yield %y : tensor<1x6x40xi32>
}
