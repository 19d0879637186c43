// RUN: tessera-opt %s --kernel-set-machine=cpu=znver4 --kernel-outline-groups --kernel-pack-weights | FileCheck %s
// RUN: tessera-opt %s --kernel-set-machine=cpu=x86-64-v3 --kernel-outline-groups --kernel-pack-weights | FileCheck %s --check-prefix=PLAIN

// Panels of quads of bytes and of pairs of bf16, where the machine multiplies them so.
// Without pairs and quads they are packed as f32 is.

// CHECK-DAG: graph.weights @bytes_packed : tensor<2x3x32x4xi8> {{.*}} as tensor<10x40xi8> recipe [#graph.pack<32, depthGroup 4>]
// CHECK-DAG: graph.weights @halves_packed : tensor<2x5x32x2xbf16> {{.*}} as tensor<9x40xbf16> recipe [#graph.pack<32, depthGroup 2>]
// CHECK-DAG: graph.weights @eight_packed : tensor<2x18x32x4xi8> {{.*}} recipe [#graph.reshape<[72, 33]>, #graph.pack<32, depthGroup 4>]
// CHECK-DAG: graph.weights @three_packed : tensor<2x9x1x32x4xi8> {{.*}} recipe [#graph.reshape<[9, 3, 33]>, #graph.pack<32, depthGroup 4>, #graph.transpose<[1, 0, 2, 3, 4]>]
// CHECK-DAG: graph.weights @rows_packed : tensor<2x3x4x32x4xi8> {{.*}} recipe [#graph.reshape<[3, 15, 33]>, #graph.pack<32, depthGroup 4>, #graph.transpose<[1, 0, 2, 3, 4]>]
// CHECK-DAG: graph.weights @wide_groups_packed : tensor<2x9x2x32x4xi8> {{.*}} recipe [#graph.reshape<[9, 6, 64]>, #graph.pack<32, depthGroup 4>, #graph.transpose<[1, 0, 2, 3, 4]>]
// CHECK-DAG: graph.weights @narrow_groups : tensor<3x3x4x32xi8>
// PLAIN-DAG: graph.weights @bytes_packed : tensor<3x10x16xi8> {{.*}} recipe [#graph.pack<16>]
// PLAIN-DAG: graph.weights @halves_packed : tensor<3x9x16xbf16> {{.*}} recipe [#graph.pack<16>]
// PLAIN-DAG: graph.weights @three_packed : tensor<3x27x16xi8> {{.*}} recipe [#graph.reshape<[27, 33]>, #graph.pack<16>]
graph.weights @bytes : tensor<10x40xi8> from #graph.file<"m", 0, 400> as tensor<10x40xi8>
graph.weights @halves : tensor<9x40xbf16> from #graph.file<"m", 400, 720> as tensor<9x40xbf16>
graph.weights @eight : tensor<3x3x8x33xi8> from #graph.file<"m", 0, 2376> as tensor<3x3x8x33xi8>
graph.weights @three : tensor<3x3x3x33xi8> from #graph.file<"m", 0, 891> as tensor<3x3x3x33xi8>
graph.weights @rows : tensor<3x3x5x33xi8> from #graph.file<"m", 0, 1485> as tensor<3x3x5x33xi8>
graph.weights @wide_groups : tensor<3x3x6x64xi8> from #graph.file<"m", 0, 3456> as tensor<3x3x6x64xi8>
graph.weights @narrow_groups : tensor<3x3x4x32xi8> from #graph.file<"m", 0, 1152> as tensor<3x3x4x32xi8>

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#result = affine_map<(m, n, k) -> (m, n)>

// CHECK-LABEL: kernel.func @generic(
// CHECK-SAME:      %[[P:[a-z0-9]+]]: tensor<2x3x32x4xi8>
// CHECK:         %[[W:.*]] = linalg.unpack %[[P]] outer_dims_perm = [1, 0] inner_dims_pos = [1, 0] inner_tiles = [32, 4] into %{{.*}} : tensor<2x3x32x4xi8> -> tensor<10x40xi8>
// CHECK:         linalg.generic {{.*}} ins(%{{.*}}, %[[W]]
// CHECK:       func.func @quads
func.func @quads(%x: tensor<6x10xi8>) -> tensor<6x40xi32> {
  %zero = arith.constant 0 : i32
  %w = graph.weight @bytes : tensor<10x40xi8>
  %e = tensor.empty() : tensor<6x40xi32>
  %f = linalg.fill ins(%zero : i32) outs(%e : tensor<6x40xi32>) -> tensor<6x40xi32>
  %p = linalg.generic {indexing_maps = [#lhs, #rhs, #result], iterator_types = ["parallel", "parallel", "reduction"]}
      ins(%x, %w : tensor<6x10xi8>, tensor<10x40xi8>) outs(%f : tensor<6x40xi32>) {
  ^bb0(%a: i8, %b: i8, %sum: i32):
    %c = arith.extui %a : i8 to i32
    %d = arith.extsi %b : i8 to i32
    %q = arith.muli %c, %d : i32
    %s = arith.addi %sum, %q : i32
    linalg.yield %s : i32
  } -> tensor<6x40xi32>
  return %p : tensor<6x40xi32>
}

// CHECK-LABEL: kernel.func @contract(
// CHECK:         linalg.unpack %{{.*}} outer_dims_perm = [1, 0] inner_dims_pos = [1, 0] inner_tiles = [32, 2] into %{{.*}} : tensor<2x5x32x2xbf16> -> tensor<9x40xbf16>
// CHECK:       func.func @pairs
func.func @pairs(%x: tensor<6x9xbf16>) -> tensor<6x40xf32> {
  %zero = arith.constant 0.0 : f32
  %w = graph.weight @halves : tensor<9x40xbf16>
  %e = tensor.empty() : tensor<6x40xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<6x40xf32>) -> tensor<6x40xf32>
  %p = linalg.contract indexing_maps = [#lhs, #rhs, #result] ins(%x, %w : tensor<6x9xbf16>, tensor<9x40xbf16>) outs(%f : tensor<6x40xf32>) -> tensor<6x40xf32>
  return %p : tensor<6x40xf32>
}

// Taps of whole groups are rows of a matrix.

// CHECK-LABEL: kernel.func @conv(
// CHECK:         %[[M:.*]] = linalg.unpack %{{.*}} outer_dims_perm = [1, 0] inner_dims_pos = [1, 0] inner_tiles = [32, 4] into %{{.*}} : tensor<2x18x32x4xi8> -> tensor<72x33xi8>
// CHECK:         tensor.expand_shape %[[M]] {{\[\[}}0, 1, 2], [3]] output_shape [3, 3, 8, 33]
// CHECK:       func.func @eight_channels
func.func @eight_channels(%x: tensor<1x12x12x8xi8>) -> tensor<1x12x12x33xi32> {
  %f = graph.weight @eight : tensor<3x3x8x33xi8>
  %y = graph.conv %x, %f strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1] groups 1 unsigned : tensor<1x12x12x8xi8>, tensor<3x3x8x33xi8> -> tensor<1x12x12x33xi32>
  return %y : tensor<1x12x12x33xi32>
}

// Others have groups of their own, filled up with zeros.

// CHECK-LABEL: kernel.func @conv_0(
// CHECK:         %[[M:.*]] = linalg.unpack %{{.*}} outer_dims_perm = [2, 0, 1] inner_dims_pos = [2, 1] inner_tiles = [32, 4] into %{{.*}} : tensor<2x9x1x32x4xi8> -> tensor<9x3x33xi8>
// CHECK:         tensor.expand_shape %[[M]] {{\[\[}}0, 1], [2], [3]] output_shape [3, 3, 3, 33]
// CHECK:       func.func @three_channels
func.func @three_channels(%x: tensor<1x12x12x3xi8>) -> tensor<1x12x12x33xi32> {
  %f = graph.weight @three : tensor<3x3x3x33xi8>
  %y = graph.conv %x, %f strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1] groups 1 unsigned : tensor<1x12x12x3xi8>, tensor<3x3x3x33xi8> -> tensor<1x12x12x33xi32>
  return %y : tensor<1x12x12x33xi32>
}

// Three taps of five channels are one range of the input where no window leaves it.

// CHECK-LABEL: kernel.func @conv_1(
// CHECK:         %[[M:.*]] = linalg.unpack %{{.*}} : tensor<2x3x4x32x4xi8> -> tensor<3x15x33xi8>
// CHECK:         tensor.expand_shape %[[M]] {{\[\[}}0], [1, 2], [3]] output_shape [3, 3, 5, 33]
// CHECK:       func.func @rows_of_taps
func.func @rows_of_taps(%x: tensor<1x12x12x5xi8>) -> tensor<1x10x10x33xi32> {
  %f = graph.weight @rows : tensor<3x3x5x33xi8>
  %y = graph.conv %x, %f strides [1, 1] dilations [1, 1] pads [0, 0], [0, 0] groups 1 unsigned : tensor<1x12x12x5xi8>, tensor<3x3x5x33xi8> -> tensor<1x10x10x33xi32>
  return %y : tensor<1x10x10x33xi32>
}

// Groups of 32 outputs are panels, groups of 16 are not.

// CHECK-LABEL: func.func @groups
// CHECK-DAG:     graph.weight @wide_groups_packed
// CHECK-DAG:     graph.weight @narrow_groups :
func.func @groups(%x: tensor<1x12x12x12xi8>, %z: tensor<1x12x12x8xi8>) -> (tensor<1x10x10x64xi32>, tensor<1x10x10x32xi32>) {
  %f = graph.weight @wide_groups : tensor<3x3x6x64xi8>
  %y = graph.conv %x, %f strides [1, 1] dilations [1, 1] pads [0, 0], [0, 0] groups 2 unsigned : tensor<1x12x12x12xi8>, tensor<3x3x6x64xi8> -> tensor<1x10x10x64xi32>
  %g = graph.weight @narrow_groups : tensor<3x3x4x32xi8>
  %u = graph.conv %z, %g strides [1, 1] dilations [1, 1] pads [0, 0], [0, 0] groups 2 unsigned : tensor<1x12x12x8xi8>, tensor<3x3x4x32xi8> -> tensor<1x10x10x32xi32>
  return %y, %u : tensor<1x10x10x64xi32>, tensor<1x10x10x32xi32>
}
