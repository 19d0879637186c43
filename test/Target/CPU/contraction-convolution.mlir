// RUN: tessera-opt %s --split-input-file --cpu-emit-kernels --canonicalize --cse | FileCheck %s

// A 3x3 window with padding: the channels join the taps of the last dimension,
// whose pixels are the rows of the tile. Tiles at the left and right border leave
// out what lies outside; rows above and below shorten the loop over taps.

// CHECK-LABEL: func.func private @window
// CHECK:         %[[INPUT:.*]] = memref.collapse_shape %arg1 {{\[\[}}0], [1], [2, 3]] : memref<1x8x8x4xf32> into memref<1x8x32xf32>
// CHECK:         kernel.parallel_for
// The first tap reads outside at the left: three of four pixels.
// CHECK:           scf.for
// CHECK:             scf.for {{.*}} = %c0 to %c4 step
// CHECK-COUNT-3:       memref.load %[[INPUT]]
// CHECK-NOT:           memref.load
// CHECK:             scf.for {{.*}} = %c4 to %c12 step
// CHECK-COUNT-4:       memref.load %[[INPUT]]
// CHECK-NOT:       memref.alloc
kernel.func @window(%x: tensor<1x8x8x4xf32>, %w: tensor<1x36x16xf32>, %out: tensor<1x8x8x16xf32>) -> tensor<1x8x8x16xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 6, vectors = 2, lanes = 8, taskRows = 60, taskPanels = 1, prefetchRows = 0>],
                shapes = [affine_map<() -> (1, 8, 8, 4)>, affine_map<() -> (1, 36, 16)>, affine_map<() -> (1, 8, 8, 16)>]} {
  %into = tensor.empty() : tensor<36x16xf32>
  %matrix = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [16] into %into : tensor<1x36x16xf32> -> tensor<36x16xf32>
  %filter = tensor.expand_shape %matrix [[0, 1, 2], [3]] output_shape [3, 3, 4, 16] : tensor<36x16xf32> into tensor<3x3x4x16xf32>
  %y = graph.conv %x, %filter strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1] groups 1 : tensor<1x8x8x4xf32>, tensor<3x3x4x16xf32> -> tensor<1x8x8x16xf32>
  kernel.yield %y : tensor<1x8x8x16xf32>
}

// -----

// Depthwise: vectors along the channels on both sides; neighbouring pixels share
// what their windows overlap in (for each of 3 rows, 4 pixels and 3 taps: 6 loads).

// CHECK-LABEL: func.func private @depthwise
// CHECK-COUNT-36:  vector.fma
// CHECK-NOT:       vector.fma
// CHECK-LABEL: func.func private @depthwise_loads
// CHECK-COUNT-18:  vector.load %arg1
// CHECK-NOT:       vector.load %arg1
kernel.func @depthwise(%x: tensor<1x6x6x8xf32>, %w: tensor<3x3x1x8xf32>, %out: tensor<1x4x4x8xf32>) -> tensor<1x4x4x8xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 4, vectors = 1, lanes = 8, taskRows = 60, taskPanels = 1, prefetchRows = 0>],
                shapes = [affine_map<() -> (1, 6, 6, 8)>, affine_map<() -> (3, 3, 1, 8)>, affine_map<() -> (1, 4, 4, 8)>]} {
  %y = graph.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0], [0, 0] groups 8 : tensor<1x6x6x8xf32>, tensor<3x3x1x8xf32> -> tensor<1x4x4x8xf32>
  kernel.yield %y : tensor<1x4x4x8xf32>
}
kernel.func @depthwise_loads(%x: tensor<1x6x6x8xf32>, %w: tensor<3x3x1x8xf32>, %out: tensor<1x4x4x8xf32>) -> tensor<1x4x4x8xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 4, vectors = 1, lanes = 8, taskRows = 60, taskPanels = 1, prefetchRows = 0>],
                shapes = [affine_map<() -> (1, 6, 6, 8)>, affine_map<() -> (3, 3, 1, 8)>, affine_map<() -> (1, 4, 4, 8)>]} {
  %y = graph.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0], [0, 0] groups 8 : tensor<1x6x6x8xf32>, tensor<3x3x1x8xf32> -> tensor<1x4x4x8xf32>
  kernel.yield %y : tensor<1x4x4x8xf32>
}

// -----

// Of unknown width: full tiles of 6 pixels, then 4, 2 and 1 of them.

// CHECK-LABEL: func.func private @unknown_width
// CHECK:         scf.for {{.*}} step %c6
// CHECK-COUNT-6:   vector.fma
// CHECK-NOT:       vector.fma
// CHECK:         scf.if
// CHECK-COUNT-4:   vector.fma
// CHECK-NOT:       vector.fma
// CHECK:         scf.if
// CHECK-COUNT-2:   vector.fma
// CHECK-NOT:       vector.fma
// CHECK:         scf.if
// CHECK:           vector.fma
// CHECK-NOT:       vector.fma
kernel.func @unknown_width(%x: tensor<1x8x?x4xf32>, %w: tensor<1x4x8xf32>, %out: tensor<1x8x?x8xf32>, %width: index) -> tensor<1x8x?x8xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 6, vectors = 1, lanes = 8, taskRows = 60, taskPanels = 1, prefetchRows = 0>],
                shapes = [affine_map<()[s0] -> (1, 8, s0, 4)>, affine_map<()[s0] -> (1, 4, 8)>, affine_map<()[s0] -> (1, 8, s0, 8)>]} {
  %into = tensor.empty() : tensor<4x8xf32>
  %matrix = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [8] into %into : tensor<1x4x8xf32> -> tensor<4x8xf32>
  %filter = tensor.expand_shape %matrix [[0, 1, 2], [3]] output_shape [1, 1, 4, 8] : tensor<4x8xf32> into tensor<1x1x4x8xf32>
  %y = graph.conv %x, %filter strides [1, 1] dilations [1, 1] pads [0, 0], [0, 0] groups 1 : tensor<1x8x?x4xf32>, tensor<1x1x4x8xf32> -> tensor<1x8x?x8xf32>
  kernel.yield %y : tensor<1x8x?x8xf32>
}

// -----

// As many pixels as no list of tiles could hold.

// CHECK-LABEL: func.func private @very_many_pixels
// CHECK:         vector.fma
kernel.func @very_many_pixels(%x: tensor<1x1099511627776x4xf32>, %w: tensor<1x12x8xf32>, %out: tensor<1x1099511627776x8xf32>) -> tensor<1x1099511627776x8xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.contraction<rows = 6, vectors = 1, lanes = 8, taskRows = 1099511627778, taskPanels = 1, prefetchRows = 0>],
                shapes = [affine_map<() -> (1, 1099511627776, 4)>, affine_map<() -> (1, 12, 8)>, affine_map<() -> (1, 1099511627776, 8)>]} {
  %into = tensor.empty() : tensor<12x8xf32>
  %matrix = linalg.unpack %w outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [8] into %into : tensor<1x12x8xf32> -> tensor<12x8xf32>
  %filter = tensor.expand_shape %matrix [[0, 1], [2]] output_shape [3, 4, 8] : tensor<12x8xf32> into tensor<3x4x8xf32>
  %y = graph.conv %x, %filter strides [1] dilations [1] pads [1], [1] groups 1 : tensor<1x1099511627776x4xf32>, tensor<3x4x8xf32> -> tensor<1x1099511627776x8xf32>
  kernel.yield %y : tensor<1x1099511627776x8xf32>
}
