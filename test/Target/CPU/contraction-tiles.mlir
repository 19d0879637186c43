// RUN: tessera-opt %s --split-input-file --cpu-emit-kernels --canonicalize --cse | FileCheck %s

// Blocks of 2 x 2 tiles: rows are read where they are, past the L1 cache; panels are
// copied to pairs. Sums go to rows of a scratch, from which vectors are stored.

// CHECK-LABEL: func.func private @bf16
// CHECK:         %[[PANELS:.*]] = memref.alloca() {alignment = 64 : i64} : memref<2x48x64xi16>
// CHECK:         vector.interleave
// CHECK:         %[[SUMS:.*]] = memref.alloca() {alignment = 64 : i64} : memref<96x32xf32>
// Four blocks, and the results of the last one.
// CHECK:         scf.for %[[BLOCK:.*]] = %c0 to %c5 step %c1
// CHECK:           %[[STORED:.*]] = scf.if
// CHECK-COUNT-4:     amx.tile_zero : !amx.tile<16x16xf32>
// CHECK:             %[[TILES:.*]]:5 = scf.for %{{.*}} = %c0 to %c96 step %c32
// CHECK:               llvm.call_intrinsic "llvm.x86.tileloadd64.internal"
// CHECK:               llvm.call_intrinsic "llvm.x86.tileloaddt164.internal"
// CHECK:               amx.tile_mulf {{.*}} : !amx.tile<16x32xbf16>, !amx.tile<16x32xbf16>, !amx.tile<16x16xf32>
// CHECK:               llvm.call_intrinsic "llvm.x86.tileloaddt164.internal"
// CHECK:               amx.tile_mulf
// CHECK:               llvm.call_intrinsic "llvm.x86.tileloadd64.internal"
// CHECK:               amx.tile_mulf
// Rows of the block before, while tiles are multiplied.
// CHECK:               scf.if
// CHECK:                 vector.load %[[SUMS]]{{.*}} : memref<96x32xf32>, vector<16xf32>
// CHECK:                 vector.maskedstore
// CHECK:               amx.tile_mulf
// CHECK:               scf.yield
// CHECK:             amx.tile_store %[[SUMS]]{{.*}}, %[[TILES]]#0
// CHECK-COUNT-3:     amx.tile_store %[[SUMS]]
// CHECK:             scf.yield %[[TILES]]#4
// CHECK:           scf.for %{{.*}} = %[[STORED]] to
// CHECK:             vector.load %[[SUMS]]
// CHECK:             vector.maskedstore
kernel.func @bf16(%x: tensor<64x96xbf16>, %w: tensor<96x40xbf16>, %out: tensor<64x40xf32>) -> tensor<64x40xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 32, vectors = 2, lanes = 16, taskRows = 64, taskPanels = 2, prefetchRows = 0, accumulate = bf16_tiles>],
                shapes = [affine_map<() -> (64, 96)>, affine_map<() -> (96, 40)>, affine_map<() -> (64, 40)>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64x40xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<64x40xf32>) -> tensor<64x40xf32>
  %p = linalg.matmul ins(%x, %w : tensor<64x96xbf16>, tensor<96x40xbf16>) outs(%f : tensor<64x40xf32>) -> tensor<64x40xf32>
  kernel.yield %p : tensor<64x40xf32>
}

// -----

// Few rows whose depth is no whole step are copied, zeros behind them; the last step of
// a panel is filled up with zeros, too. One tile of rows is enough for them.

// CHECK-LABEL: func.func private @few_bytes
// CHECK-DAG:     memref.alloca() {alignment = 64 : i64} : memref<6208xi8>
// CHECK-DAG:     %[[TAIL:.*]] = memref.alloca() {alignment = 64 : i64} : memref<16x128xi8>
// CHECK:         vector.maskedload %arg1
// CHECK:         vector.store %{{.*}}, %[[TAIL]]
// CHECK-COUNT-2: amx.tile_zero : !amx.tile<16x16xi32>
// CHECK-COUNT-4: amx.tile_muli %{{.*}} zext, %{{.*}} : !amx.tile<16x64xi8>, !amx.tile<16x64xi8>, !amx.tile<16x16xi32>
// CHECK-COUNT-2: amx.tile_store
#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#result = affine_map<(m, n, k) -> (m, n)>
kernel.func @few_bytes(%x: tensor<5x70xi8>, %w: tensor<70x32xi8>, %out: tensor<5x32xi32>) -> tensor<5x32xi32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 32, vectors = 2, lanes = 16, taskRows = 32, taskPanels = 1, prefetchRows = 0, accumulate = u8s8_tiles>],
                shapes = [affine_map<() -> (5, 70)>, affine_map<() -> (70, 32)>, affine_map<() -> (5, 32)>]} {
  %zero = arith.constant 0 : i32
  %e = tensor.empty() : tensor<5x32xi32>
  %f = linalg.fill ins(%zero : i32) outs(%e : tensor<5x32xi32>) -> tensor<5x32xi32>
  %p = linalg.generic {indexing_maps = [#lhs, #rhs, #result], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<5x70xi8>, tensor<70x32xi8>) outs(%f : tensor<5x32xi32>) {
  ^bb0(%a: i8, %b: i8, %sum: i32):
    %c = arith.extui %a : i8 to i32
    %d = arith.extsi %b : i8 to i32
    %q = arith.muli %c, %d : i32
    %s = arith.addi %sum, %q : i32
    linalg.yield %s : i32
  } -> tensor<5x32xi32>
  kernel.yield %p : tensor<5x32xi32>
}

// -----

// Rows of unknown number: where there are less than 16, they are copied, and blocks of
// at most 16 have one tile of rows.

// CHECK-LABEL: func.func private @dynamic
// CHECK:         %[[IS_IN_PLACE:.*]] = arith.cmpi sge, %{{.*}}, %c16
// CHECK:         arith.select %[[IS_IN_PLACE]]
// CHECK:         scf.if
// CHECK:           vector.load %arg1
// CHECK:         %[[ARE_MANY:.*]] = arith.cmpi sgt, %{{.*}}, %c16
// CHECK:         scf.if %[[ARE_MANY]]
// CHECK-COUNT-4:   amx.tile_mulf
// CHECK-COUNT-4:   amx.tile_store
// CHECK-COUNT-2:   amx.tile_mulf
// CHECK-COUNT-2:   amx.tile_store
kernel.func @dynamic(%x: tensor<?x64xbf16>, %w: tensor<64x32xbf16>, %out: tensor<?x32xf32>, %n: index) -> tensor<?x32xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 32, vectors = 2, lanes = 16, taskRows = 64, taskPanels = 1, prefetchRows = 0, accumulate = bf16_tiles>],
                shapes = [affine_map<()[s0] -> (s0, 64)>, affine_map<()[s0] -> (64, 32)>, affine_map<()[s0] -> (s0, 32)>]} {
  %zero = arith.constant 0.0 : f32
  %f = linalg.fill ins(%zero : f32) outs(%out : tensor<?x32xf32>) -> tensor<?x32xf32>
  %p = linalg.matmul ins(%x, %w : tensor<?x64xbf16>, tensor<64x32xbf16>) outs(%f : tensor<?x32xf32>) -> tensor<?x32xf32>
  kernel.yield %p : tensor<?x32xf32>
}

// -----

// Packed panels are read as they are, and the next one is prefetched.

// CHECK-LABEL: func.func private @packed
// CHECK:         %[[PANELS:.*]] = memref.collapse_shape %arg2 {{\[\[}}0], [1], [2, 3]] : memref<2x512x32x2xbf16> into memref<2x512x64xbf16>
// CHECK:         memref.extract_aligned_pointer_as_index %[[PANELS]]
// CHECK-COUNT-16: llvm.intr.prefetch
// CHECK-COUNT-4: amx.tile_mulf
kernel.func @packed(%x: tensor<64x1024xbf16>, %w: tensor<2x512x32x2xbf16>, %out: tensor<64x64xf32>) -> tensor<64x64xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 32, vectors = 2, lanes = 16, taskRows = 64, taskPanels = 2, prefetchRows = 1, accumulate = bf16_tiles>],
                shapes = [affine_map<() -> (64, 1024)>, affine_map<() -> (2, 512, 32, 2)>, affine_map<() -> (64, 64)>]} {
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<64x64xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<64x64xf32>) -> tensor<64x64xf32>
  %unpacked = tensor.empty() : tensor<1024x64xbf16>
  %b = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1, 0] inner_tiles = [32, 2] into %unpacked : tensor<2x512x32x2xbf16> -> tensor<1024x64xbf16>
  %p = linalg.matmul ins(%x, %b : tensor<64x1024xbf16>, tensor<1024x64xbf16>) outs(%f : tensor<64x64xf32>) -> tensor<64x64xf32>
  kernel.yield %p : tensor<64x64xf32>
}

// -----

// Rows under a window: a task copies the lines of the image that they are in, zeros
// beyond its borders, and reads the rows there.

// CHECK-LABEL: func.func private @lines
// CHECK:         %[[LINES:.*]] = memref.alloca() {alignment = 64 : i64} : memref<3360xbf16>
// CHECK:         vector.store %cst, %[[LINES]]
// CHECK:         vector.load %{{.*}} : memref<1x5x640xbf16>, vector<32xbf16>
// CHECK:         vector.store %{{.*}}, %[[LINES]]
// CHECK:         memref.extract_aligned_pointer_as_index %[[LINES]]
// CHECK:         scf.for
// CHECK:           scf.for %{{.*}} = %c0 to %c96 step %c32
// CHECK-COUNT-4:     amx.tile_mulf
kernel.func @lines(%x: tensor<1x5x20x32xbf16>, %w: tensor<3x3x32x32xbf16>, %out: tensor<1x5x20x32xf32>) -> tensor<1x5x20x32xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 32, vectors = 2, lanes = 16, taskRows = 32, taskPanels = 1, prefetchRows = 0, accumulate = bf16_tiles>],
                shapes = [affine_map<() -> (1, 5, 20, 32)>, affine_map<() -> (3, 3, 32, 32)>, affine_map<() -> (1, 5, 20, 32)>]} {
  %y = graph.conv %x, %w strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1] groups 1
    : tensor<1x5x20x32xbf16>, tensor<3x3x32x32xbf16> -> tensor<1x5x20x32xf32>
  kernel.yield %y : tensor<1x5x20x32xf32>
}
