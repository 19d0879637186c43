// RUN: tessera-opt %s --split-input-file --cpu-emit-kernels --canonicalize --cse | FileCheck %s

// 128 queries are six blocks of at most 24 rows for each of 2 x 3 heads. No
// buffer has queries x keys elements: scores are 24 x 48.

// CHECK-LABEL: func.func private @blocks
// CHECK:         kernel.parallel_for (%{{.*}}, %{{.*}}) in (%c36) of %arg0
// CHECK-DAG:       %[[QUERIES:.*]] = memref.alloca() {{.*}} : memref<24x64xf32>
// CHECK-DAG:       %[[SCORES:.*]] = memref.alloca() {{.*}} : memref<24x48xf32>
// CHECK-DAG:       %[[PANEL:.*]] = memref.alloca() {{.*}} : memref<64x16xf32>
// CHECK:           scf.for %{{.*}} = %c0 to %c128 step %c48
// Keys are transposed into a panel, then every tile of rows sums its scores.
// CHECK:             vector.shuffle
// CHECK:             scf.index_switch
// CHECK:               :12 = scf.for %{{.*}} = %c0 to %c64
// CHECK-COUNT-2:         vector.load %[[PANEL]]
// CHECK-COUNT-12:        vector.fma
// CHECK:               vector.store %{{.*}}, %[[SCORES]]
// Values are read in place; the sums begin with what is there.
// CHECK:             arith.mulf
// CHECK:             scf.for
// CHECK-COUNT-2:       vector.load %arg3
// CHECK-COUNT-12:      vector.fma
// CHECK:           arith.divf
// CHECK:           vector.store %{{.*}}, %arg4
kernel.func @blocks(%q: tensor<2x3x128x64xf32>, %k: tensor<2x3x128x64xf32>, %v: tensor<2x3x128x64xf32>, %out: tensor<2x3x128x64xf32>) -> tensor<2x3x128x64xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.attention<rows = 6, vectors = 2, lanes = 8, queryBlock = 24, keyBlock = 48, shortRows = 4, shortKeyBlock = 64>],
                shapes = [affine_map<() -> (2, 3, 128, 64)>, affine_map<() -> (2, 3, 128, 64)>, affine_map<() -> (2, 3, 128, 64)>, affine_map<() -> (2, 3, 128, 64)>]} {
  %o = attention.sdpa %q, %k, %v scale 0.125 : tensor<2x3x128x64xf32>, tensor<2x3x128x64xf32>, tensor<2x3x128x64xf32> -> tensor<2x3x128x64xf32>
  kernel.yield %o : tensor<2x3x128x64xf32>
}

// -----

// One query of each of two heads that share their keys: two rows, no copies of
// keys or values.

// CHECK-LABEL: func.func private @decode
// CHECK:         kernel.parallel_for (%{{.*}}, %{{.*}}) in (%c3) of %arg0
// CHECK-NOT:       memref<{{.*}}x16xf32>
// CHECK:           %[[SCORES:.*]] = memref.alloca() {{.*}} : memref<4x64xf32>
// CHECK:           :8 = scf.for %{{.*}} = %c0 to %c32 step %c8
// CHECK-COUNT-8:     vector.load %arg2
// CHECK:           vector.store %{{.*}}, %[[SCORES]]
// CHECK:           :8 = scf.for
// CHECK-COUNT-4:     vector.load %arg3
// CHECK-COUNT-8:     vector.fma
kernel.func @decode(%q: tensor<1x6x1x32xf32>, %k: tensor<1x3x?x32xf32>, %v: tensor<1x3x?x32xf32>, %out: tensor<1x6x1x32xf32>, %n: index) -> tensor<1x6x1x32xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.attention<rows = 6, vectors = 2, lanes = 8, queryBlock = 24, keyBlock = 48, shortRows = 4, shortKeyBlock = 64>],
                shapes = [affine_map<()[n] -> (1, 6, 1, 32)>, affine_map<()[n] -> (1, 3, n, 32)>, affine_map<()[n] -> (1, 3, n, 32)>, affine_map<()[n] -> (1, 6, 1, 32)>]} {
  %o = attention.sdpa %q, %k, %v scale 0.125 : tensor<1x6x1x32xf32>, tensor<1x3x?x32xf32>, tensor<1x3x?x32xf32> -> tensor<1x6x1x32xf32>
  kernel.yield %o : tensor<1x6x1x32xf32>
}
