// RUN: tessera-opt %s --kernel-set-machine=cpu=x86-64-v3 --kernel-outline-groups --kernel-pack-weights | FileCheck %s
// RUN: tessera-opt %s --kernel-set-machine=cpu=x86-64-v3 --kernel-outline-groups --kernel-pack-weights=target=ptx | FileCheck %s --check-prefix=OTHER
// RUN: not tessera-opt %s --kernel-outline-groups --kernel-pack-weights 2>&1 | FileCheck %s --check-prefix=NONE

// Panels of f32, which are the same on all CPUs; the other target has none.

// NONE: expects a machine, but the module has no attribute 'kernel.machine': run kernel-set-machine before

// OTHER-NOT: linalg.unpack

// CHECK-DAG: graph.weights @w_packed : tensor<3x4x16xf32> {{.*}} as tensor<4x40xf32> recipe [#graph.pack<16>]
// CHECK-DAG: graph.weights @filter_packed : tensor<1x20x16xf32> {{.*}} recipe [#graph.reshape<[20, 8]>, #graph.pack<16>]
// CHECK-DAG: graph.weights @joined_packed : tensor<4x4x16xf32> from #graph.concat<<#graph.file<"m", 0, 512> as tensor<4x32xf32> recipe [#graph.pack<16>]>, <#graph.file<"m", 512, 512> as tensor<32x4xf32> recipe [#graph.transpose<[1, 0]>, #graph.pack<16>]>> as tensor<4x4x16xf32>
// CHECK-DAG: graph.weights @ragged_packed : tensor<2x4x16xf32> from #graph.concat<{{.*}}> as tensor<32x4xf32> recipe [#graph.transpose<[1, 0]>, #graph.pack<16>]
// CHECK-DAG: graph.weights @narrowed_packed : tensor<4x4x16xbf16> from #graph.concat<<#graph.file<"m", 0, 512> as tensor<32x4xf32> recipe [#graph.transpose<[1, 0]>, #graph.elementwise<"arith.truncf" to bf16>, #graph.pack<16>]>, <{{.*}}>> as tensor<4x4x16xbf16>
// CHECK-DAG: graph.weights @shared : tensor<4x4xf32>
// CHECK-NOT: graph.weights @w :
graph.weights @w : tensor<4x40xf32> from #graph.file<"m", 0, 640> as tensor<4x40xf32>
graph.weights @filter : tensor<5x4x8xf32> from #graph.file<"m", 0, 640> as tensor<5x4x8xf32>
graph.weights @joined : tensor<4x64xf32> from #graph.concat<<#graph.file<"m", 0, 512> as tensor<4x32xf32> recipe [#graph.transpose<[1, 0]>]>, <#graph.file<"m", 512, 512> as tensor<32x4xf32> recipe []>> as tensor<64x4xf32> recipe [#graph.transpose<[1, 0]>]
graph.weights @ragged : tensor<4x32xf32> from #graph.concat<<#graph.file<"m", 0, 384> as tensor<24x4xf32> recipe []>, <#graph.file<"m", 384, 128> as tensor<8x4xf32> recipe []>> as tensor<32x4xf32> recipe [#graph.transpose<[1, 0]>]
graph.weights @narrowed : tensor<4x64xbf16> from #graph.concat<<#graph.file<"m", 0, 512> as tensor<32x4xf32> recipe []>, <#graph.file<"m", 512, 512> as tensor<32x4xf32> recipe []>> as tensor<64x4xf32> recipe [#graph.transpose<[1, 0]>, #graph.elementwise<"arith.truncf" to bf16>]
graph.weights @wide_groups : tensor<5x4x32xf32> from #graph.file<"m", 0, 2560> as tensor<5x4x32xf32>
graph.weights @narrow_groups : tensor<5x2x32xf32> from #graph.file<"m", 0, 1280> as tensor<5x2x32xf32>
graph.weights @shared : tensor<4x4xf32> from #graph.file<"m", 0, 64> as tensor<4x4xf32>
graph.weights @table : tensor<4100x4xf32> from #graph.file<"m", 0, 65600> as tensor<4100x4xf32>
graph.weights @columns : tensor<4x4100xf32> from #graph.file<"m", 0, 65600> as tensor<4100x4xf32> recipe [#graph.transpose<[1, 0]>]
graph.weights @columns_alone : tensor<4x4100xf32> from #graph.file<"m", 65600, 65600> as tensor<4100x4xf32> recipe [#graph.transpose<[1, 0]>]
graph.weights @table_read : tensor<4100x4xf32> from #graph.file<"m", 131200, 65600> as tensor<4100x4xf32>
graph.weights @columns_read : tensor<4x4100xf32> from #graph.file<"m", 131200, 65600> as tensor<4100x4xf32> recipe [#graph.transpose<[1, 0]>]

// CHECK-LABEL: kernel.func @matmul(
// CHECK-SAME:      %[[P:[a-z0-9]+]]: tensor<3x4x16xf32>
// CHECK:         %[[W:.*]] = linalg.unpack %[[P]] outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [16]
// CHECK:         linalg.matmul ins(%{{.*}}, %[[W]]
// CHECK:       func.func @product
// CHECK:         %[[R:.*]] = graph.weight @w_packed : tensor<3x4x16xf32>
// CHECK:         kernel.call @matmul ins({{.*}}%[[R]]
func.func @product(%x: tensor<2x4xf32>, %init: tensor<2x40xf32>) -> tensor<2x40xf32> {
  %w = graph.weight @w : tensor<4x40xf32>
  %p = linalg.matmul ins(%x, %w : tensor<2x4xf32>, tensor<4x40xf32>) outs(%init : tensor<2x40xf32>) -> tensor<2x40xf32>
  return %p : tensor<2x40xf32>
}

// CHECK-LABEL: kernel.func @conv(
// CHECK:         %[[M:.*]] = linalg.unpack %{{.*}} : tensor<1x20x16xf32> -> tensor<20x8xf32>
// CHECK:         %[[F:.*]] = tensor.expand_shape %[[M]] {{\[\[}}0, 1], [2]] output_shape [5, 4, 8]
// CHECK:         graph.conv %{{.*}}, %[[F]]
// CHECK:       func.func @convolution
// CHECK:         graph.weight @filter_packed
func.func @convolution(%x: tensor<1x12x4xf32>) -> tensor<1x8x8xf32> {
  %f = graph.weight @filter : tensor<5x4x8xf32>
  %y = graph.conv %x, %f strides [1] dilations [1] pads [0], [0] groups 1 : tensor<1x12x4xf32>, tensor<5x4x8xf32> -> tensor<1x8x8xf32>
  return %y : tensor<1x8x8xf32>
}

// Groups of 16 outputs are panels, groups of 8 are not.

// CHECK-LABEL: func.func @groups
// CHECK-DAG:     graph.weight @wide_groups_packed : tensor<2x20x16xf32>
// CHECK-DAG:     graph.weight @narrow_groups : tensor<5x2x32xf32>
func.func @groups(%x: tensor<1x12x8xf32>) -> (tensor<1x8x32xf32>, tensor<1x8x32xf32>) {
  %f = graph.weight @wide_groups : tensor<5x4x32xf32>
  %y = graph.conv %x, %f strides [1] dilations [1] pads [0], [0] groups 2 : tensor<1x12x8xf32>, tensor<5x4x32xf32> -> tensor<1x8x32xf32>
  %g = graph.weight @narrow_groups : tensor<5x2x32xf32>
  %z = graph.conv %x, %g strides [1] dilations [1] pads [0], [0] groups 4 : tensor<1x12x8xf32>, tensor<5x2x32xf32> -> tensor<1x8x32xf32>
  return %y, %z : tensor<1x8x32xf32>, tensor<1x8x32xf32>
}

// A weight that something else reads as well stays as it is.

// CHECK-LABEL: func.func @other_use
// CHECK:         graph.weight @shared
func.func @other_use(%init: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %w = graph.weight @shared : tensor<4x4xf32>
  %e = math.exp %w : tensor<4x4xf32>
  %p = linalg.matmul ins(%e, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%init : tensor<4x4xf32>) -> tensor<4x4xf32>
  %r = arith.addf %p, %w : tensor<4x4xf32>
  return %r : tensor<4x4xf32>
}

// A table whose transpose is a right-hand side: gathers read the panels. 2 rows of
// 4 elements are 8 cache lines, 1024 multiply-adds' time; the product has 32800.

// CHECK-LABEL: kernel.func @elementwise_3(
// CHECK-SAME:      %[[P:[a-z0-9]+]]: tensor<257x4x16xf32>
// CHECK:         %[[U:.*]] = linalg.unpack %[[P]]
// CHECK:         %[[T:.*]] = linalg.transpose ins(%[[U]] : tensor<4x4100xf32>) outs(%{{.*}} : tensor<4100x4xf32>) permutation = [1, 0]
// CHECK:         graph.gather %[[T]]
// CHECK:       kernel.func
// CHECK:         %[[U1:.*]] = linalg.unpack
// CHECK:         linalg.matmul ins(%{{.*}}, %[[U1]]
// CHECK:       func.func @tied
// CHECK:         graph.weight @columns_packed
// CHECK-NOT:     graph.weight @table
func.func @tied(%ids: tensor<2xi64>, %init: tensor<2x4100xf32>) -> tensor<2x4100xf32> {
  %t = graph.weight @table : tensor<4100x4xf32>
  %r = graph.gather %t[%ids] axis 0 : tensor<4100x4xf32>, tensor<2xi64> -> tensor<2x4xf32>
  %c = graph.weight @columns : tensor<4x4100xf32>
  %p = linalg.matmul ins(%r, %c : tensor<2x4xf32>, tensor<4x4100xf32>) outs(%init : tensor<2x4100xf32>) -> tensor<2x4100xf32>
  return %p : tensor<2x4100xf32>
}

// The table itself is a right-hand side.

// CHECK-LABEL: kernel.func @elementwise_5(
// CHECK:         %[[U:.*]] = linalg.unpack
// CHECK:         graph.gather %[[U]]
// CHECK:       func.func @tied_as_it_is
// CHECK:         graph.weight @columns_alone_packed
// CHECK-NOT:     graph.weight @columns_alone :
func.func @tied_as_it_is(%ids: tensor<2xi64>, %x: tensor<2x4xf32>, %init: tensor<2x4100xf32>) -> (tensor<4x2xf32>, tensor<2x4100xf32>) {
  %c = graph.weight @columns_alone : tensor<4x4100xf32>
  %r = graph.gather %c[%ids] axis 1 : tensor<4x4100xf32>, tensor<2xi64> -> tensor<4x2xf32>
  %p = linalg.matmul ins(%x, %c : tensor<2x4xf32>, tensor<4x4100xf32>) outs(%init : tensor<2x4100xf32>) -> tensor<2x4100xf32>
  return %r, %p : tensor<4x2xf32>, tensor<2x4100xf32>
}

// Something reads all of the table, so it is stored as it is besides.

// CHECK-LABEL: func.func @read_whole
// CHECK-DAG:     graph.weight @table_read
// CHECK-DAG:     graph.weight @columns_read_packed
func.func @read_whole(%ids: tensor<2xi64>, %init: tensor<2x4100xf32>) -> (tensor<2x4100xf32>, tensor<4100x4xf32>) {
  %t = graph.weight @table_read : tensor<4100x4xf32>
  %r = graph.gather %t[%ids] axis 0 : tensor<4100x4xf32>, tensor<2xi64> -> tensor<2x4xf32>
  %e = math.exp %t : tensor<4100x4xf32>
  %c = graph.weight @columns_read : tensor<4x4100xf32>
  %p = linalg.matmul ins(%r, %c : tensor<2x4xf32>, tensor<4x4100xf32>) outs(%init : tensor<2x4100xf32>) -> tensor<2x4100xf32>
  return %p, %e : tensor<2x4100xf32>, tensor<4100x4xf32>
}

// Joined columns are packed one part after another where each is whole panels, also
// those that are narrowed.

#lhs = affine_map<(m, n, k) -> (m, k)>
#rhs = affine_map<(m, n, k) -> (k, n)>
#result = affine_map<(m, n, k) -> (m, n)>

// CHECK-LABEL: func.func @joined_columns
// CHECK-DAG:     graph.weight @joined_packed
// CHECK-DAG:     graph.weight @ragged_packed
// CHECK-DAG:     graph.weight @narrowed_packed
func.func @joined_columns(%x: tensor<2x4xf32>, %y: tensor<2x4xbf16>, %init: tensor<2x64xf32>, %narrow: tensor<2x32xf32>)
    -> (tensor<2x64xf32>, tensor<2x32xf32>, tensor<2x64xf32>) {
  %w = graph.weight @joined : tensor<4x64xf32>
  %p = linalg.matmul ins(%x, %w : tensor<2x4xf32>, tensor<4x64xf32>) outs(%init : tensor<2x64xf32>) -> tensor<2x64xf32>
  %v = graph.weight @ragged : tensor<4x32xf32>
  %q = linalg.matmul ins(%x, %v : tensor<2x4xf32>, tensor<4x32xf32>) outs(%narrow : tensor<2x32xf32>) -> tensor<2x32xf32>
  %u = graph.weight @narrowed : tensor<4x64xbf16>
  %r = linalg.contract indexing_maps = [#lhs, #rhs, #result] ins(%y, %u : tensor<2x4xbf16>, tensor<4x64xbf16>) outs(%init : tensor<2x64xf32>) -> tensor<2x64xf32>
  return %p, %q, %r : tensor<2x64xf32>, tensor<2x32xf32>, tensor<2x64xf32>
}
