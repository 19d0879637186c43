// RUN: tessera-opt %s --split-input-file --cpu-emit-kernels --canonicalize --cse | FileCheck %s

// Static rows: three full tiles, then the last two share 8 rows; the 40 columns
// are two panels and half of one.

// CHECK-LABEL: func.func private @static_rows
// CHECK:         kernel.parallel_for (%[[TASK:.*]], %{{.*}}) in (%c3) of %arg0
// CHECK:           scf.for {{.*}} to %c18 step %c6
// CHECK:             %[[SUMS:.*]]:12 = scf.for
// CHECK-COUNT-2:       vector.load %arg2[{{.*}}] : memref<3x5x16xf32>, vector<8xf32>
// CHECK-COUNT-12:      vector.fma
// CHECK:             vector.store %[[SUMS]]#0, %arg3
// CHECK:           scf.for {{.*}} to %c26 step %c4
// CHECK:             :8 = scf.for
// CHECK-COUNT-8:       vector.fma
kernel.func @static_rows(%x: tensor<26x5xf32>, %w: tensor<3x5x16xf32>, %out: tensor<26x40xf32>) -> tensor<26x40xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 6, vectors = 2, lanes = 8, taskRows = 60, taskPanels = 1, prefetchRows = 0>],
                shapes = [affine_map<() -> (26, 5)>, affine_map<() -> (3, 5, 16)>, affine_map<() -> (26, 40)>]} {
  %zero = arith.constant 0.0 : f32
  %unpacked = tensor.empty() : tensor<5x40xf32>
  %b = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [16] into %unpacked : tensor<3x5x16xf32> -> tensor<5x40xf32>
  %empty = tensor.empty() : tensor<26x40xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<26x40xf32>) -> tensor<26x40xf32>
  %product = linalg.matmul ins(%x, %b : tensor<26x5xf32>, tensor<5x40xf32>) outs(%init : tensor<26x40xf32>) -> tensor<26x40xf32>
  kernel.yield %product : tensor<26x40xf32>
}

// -----

// Dynamic rows: a family of tiles of 1 to 6 rows; the short ones take several
// panels at once. The epilogue meets the accumulators.

// CHECK-LABEL: func.func private @dynamic_rows
// CHECK:         scf.index_switch
// CHECK:         case 1
// CHECK:           :8 = scf.for
// CHECK:         case 6
// CHECK:           %[[SUMS:.*]]:12 = scf.for
// CHECK:           %[[BIAS:.*]] = vector.load %arg3
// CHECK:           %[[SUM:.*]] = arith.addf %[[SUMS]]#0, %[[BIAS]]
// CHECK:           vector.store %[[SUM]], %arg4
kernel.func @dynamic_rows(%x: tensor<?x5xf32>, %w: tensor<4x5x16xf32>, %bias: tensor<64xf32>, %out: tensor<?x64xf32>, %rows: index) -> tensor<?x64xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 6, vectors = 2, lanes = 8, taskRows = 60, taskPanels = 4, prefetchRows = 0>],
                shapes = [affine_map<()[s0] -> (s0, 5)>, affine_map<()[s0] -> (4, 5, 16)>, affine_map<()[s0] -> (64)>, affine_map<()[s0] -> (s0, 64)>]} {
  %zero = arith.constant 0.0 : f32
  %unpacked = tensor.empty() : tensor<5x64xf32>
  %b = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [16] into %unpacked : tensor<4x5x16xf32> -> tensor<5x64xf32>
  %empty = tensor.empty(%rows) : tensor<?x64xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x64xf32>) -> tensor<?x64xf32>
  %product = linalg.matmul ins(%x, %b : tensor<?x5xf32>, tensor<5x64xf32>) outs(%init : tensor<?x64xf32>) -> tensor<?x64xf32>
  %biases = graph.broadcast_to %bias sizes(%rows) : tensor<64xf32> -> tensor<?x64xf32>
  %sum = arith.addf %product, %biases : tensor<?x64xf32>
  kernel.yield %sum : tensor<?x64xf32>
}

// -----

// Keys of attention: columns are not neighbours in memory, so a task transposes
// its panels into a scratch first.

// CHECK-LABEL: func.func private @copied_panels
// CHECK:         kernel.parallel_for
// CHECK:           %[[SCRATCH:.*]] = memref.alloca() {alignment = 64 : i64} : memref<1x8x16xf32>
// CHECK:           vector.shuffle
// CHECK:           vector.store %{{.*}}, %[[SCRATCH]]
// CHECK:           vector.load %[[SCRATCH]]
// CHECK:           vector.fma
kernel.func @copied_panels(%q: tensor<6x8xf32>, %key: tensor<16x8xf32>, %out: tensor<6x16xf32>) -> tensor<6x16xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 6, vectors = 2, lanes = 8, taskRows = 60, taskPanels = 1, prefetchRows = 0>],
                shapes = [affine_map<() -> (6, 8)>, affine_map<() -> (16, 8)>, affine_map<() -> (6, 16)>]} {
  %zero = arith.constant 0.0 : f32
  %into = tensor.empty() : tensor<8x16xf32>
  %columns = linalg.transpose ins(%key : tensor<16x8xf32>) outs(%into : tensor<8x16xf32>) permutation = [1, 0]
  %empty = tensor.empty() : tensor<6x16xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<6x16xf32>) -> tensor<6x16xf32>
  %product = linalg.matmul ins(%q, %columns : tensor<6x8xf32>, tensor<8x16xf32>) outs(%init : tensor<6x16xf32>) -> tensor<6x16xf32>
  kernel.yield %product : tensor<6x16xf32>
}

// -----

// Blocks of rows are alike but for the last, however many there are.

// CHECK-LABEL: func.func private @very_many_rows
// CHECK:         vector.fma
kernel.func @very_many_rows(%x: tensor<1099511627776x5xf32>, %w: tensor<1x5x16xf32>, %out: tensor<1099511627776x16xf32>) -> tensor<1099511627776x16xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 6, vectors = 2, lanes = 8, taskRows = 6, taskPanels = 1, prefetchRows = 0>],
                shapes = [affine_map<() -> (1099511627776, 5)>, affine_map<() -> (1, 5, 16)>, affine_map<() -> (1099511627776, 16)>]} {
  %zero = arith.constant 0.0 : f32
  %unpacked = tensor.empty() : tensor<5x16xf32>
  %b = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [16] into %unpacked : tensor<1x5x16xf32> -> tensor<5x16xf32>
  %empty = tensor.empty() : tensor<1099511627776x16xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<1099511627776x16xf32>) -> tensor<1099511627776x16xf32>
  %product = linalg.matmul ins(%x, %b : tensor<1099511627776x5xf32>, tensor<5x16xf32>) outs(%init : tensor<1099511627776x16xf32>) -> tensor<1099511627776x16xf32>
  kernel.yield %product : tensor<1099511627776x16xf32>
}

// -----

// Many rows, an even number: full tiles of 6, then what may be left of them, 4 or 2.

// CHECK-LABEL: func.func private @many_rows
// CHECK-NOT:     scf.index_switch
// CHECK:         scf.for {{.*}} step %c6
// CHECK:           :12 = scf.for
// CHECK:         scf.if
// CHECK:           :8 = scf.for
// CHECK:         scf.if
// CHECK:           :4 = scf.for
// CHECK-NOT:     scf.if
// CHECK:         kernel.end
kernel.func @many_rows(%x: tensor<?x5xf32>, %w: tensor<2x5x16xf32>, %out: tensor<?x32xf32>, %n: index) -> tensor<?x32xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 6, vectors = 2, lanes = 8, taskRows = 60, taskPanels = 1, prefetchRows = 0>],
                shapes = [affine_map<()[s0] -> (s0 * 100, 5)>, affine_map<()[s0] -> (2, 5, 16)>, affine_map<()[s0] -> (s0 * 100, 32)>]} {
  %zero = arith.constant 0.0 : f32
  %c100 = arith.constant 100 : index
  %rows = arith.muli %n, %c100 : index
  %unpacked = tensor.empty() : tensor<5x32xf32>
  %b = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [16] into %unpacked : tensor<2x5x16xf32> -> tensor<5x32xf32>
  %empty = tensor.empty(%rows) : tensor<?x32xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<?x32xf32>) -> tensor<?x32xf32>
  %product = linalg.matmul ins(%x, %b : tensor<?x5xf32>, tensor<5x32xf32>) outs(%init : tensor<?x32xf32>) -> tensor<?x32xf32>
  kernel.yield %product : tensor<?x32xf32>
}

// -----

// One column: a reshape there and back, whose lanes all read it, and rows as one
// meet the same accumulators.

// CHECK-LABEL: func.func private @one_column
// CHECK:         %[[SUM:.*]] = scf.for
// CHECK:         vector.maskedstore %arg3{{.*}}, %[[SUM]]
// CHECK:         %[[ELEMENT:.*]] = vector.extract %[[SUM]][0]
// CHECK:         %[[COPY:.*]] = vector.broadcast %[[ELEMENT]]
// CHECK:         vector.maskedstore %arg4{{.*}}, %[[COPY]]
// CHECK:         vector.maskedstore %arg5{{.*}}, %[[SUM]]
kernel.func @one_column(%x: tensor<4x5xf32>, %w: tensor<5x1xf32>, %out: tensor<4x1xf32>, %other: tensor<4x1xf32>, %line: tensor<4xf32>) -> (tensor<4x1xf32>, tensor<4x1xf32>, tensor<4xf32>)
    attributes {outputs = 3 : i64, schedules = [#kernel.contraction<rows = 1, vectors = 1, lanes = 8, taskRows = 4, taskPanels = 1, prefetchRows = 0>],
                shapes = [affine_map<() -> (4, 5)>, affine_map<() -> (5, 1)>, affine_map<() -> (4, 1)>, affine_map<() -> (4, 1)>, affine_map<() -> (4)>]} {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4x1xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<4x1xf32>) -> tensor<4x1xf32>
  %product = linalg.matmul ins(%x, %w : tensor<4x5xf32>, tensor<5x1xf32>) outs(%init : tensor<4x1xf32>) -> tensor<4x1xf32>
  %there = tensor.expand_shape %product [[0, 1], [2]] output_shape [1, 4, 1] : tensor<4x1xf32> into tensor<1x4x1xf32>
  %back = tensor.collapse_shape %there [[0, 1], [2]] : tensor<1x4x1xf32> into tensor<4x1xf32>
  %copy = linalg.copy ins(%back : tensor<4x1xf32>) outs(%empty : tensor<4x1xf32>) -> tensor<4x1xf32>
  %rows = tensor.collapse_shape %product [[0, 1]] : tensor<4x1xf32> into tensor<4xf32>
  kernel.yield %product, %copy, %rows : tensor<4x1xf32>, tensor<4x1xf32>, tensor<4xf32>
}
