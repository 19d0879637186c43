// RUN: tessera-opt %s --graph-pack-weights | FileCheck %s
// RUN: tessera-opt %s --graph-pack-weights=width=8 | FileCheck %s --check-prefix=WIDTH

// CHECK-DAG: graph.weights @w_packed : tensor<3x4x16xf32> {{.*}} as tensor<4x40xf32> recipe [#graph.pack<16>]
// CHECK-DAG: graph.weights @filter_packed : tensor<1x20x16xf32> {{.*}} recipe [#graph.reshape<[20, 8]>, #graph.pack<16>]
// CHECK-DAG: graph.weights @shared : tensor<4x4xf32>
// CHECK-NOT: graph.weights @w :
// WIDTH-DAG: graph.weights @w_packed : tensor<5x4x8xf32>
graph.weights @w : tensor<4x40xf32> from #graph.file<"m", 0, 640> as tensor<4x40xf32>
graph.weights @filter : tensor<5x4x8xf32> from #graph.file<"m", 0, 640> as tensor<5x4x8xf32>
graph.weights @shared : tensor<4x4xf32> from #graph.file<"m", 0, 64> as tensor<4x4xf32>

// CHECK-LABEL: func.func @product
// CHECK:         %[[P:.*]] = graph.weight @w_packed
// CHECK:         %[[W:.*]] = linalg.unpack %[[P]] outer_dims_perm = [1, 0] inner_dims_pos = [1] inner_tiles = [16]
// CHECK:         linalg.matmul ins(%{{.*}}, %[[W]]
func.func @product(%x: tensor<2x4xf32>, %init: tensor<2x40xf32>) -> tensor<2x40xf32> {
  %w = graph.weight @w : tensor<4x40xf32>
  %p = linalg.matmul ins(%x, %w : tensor<2x4xf32>, tensor<4x40xf32>) outs(%init : tensor<2x40xf32>) -> tensor<2x40xf32>
  return %p : tensor<2x40xf32>
}

// CHECK-LABEL: func.func @convolution
// CHECK:         %[[P:.*]] = graph.weight @filter_packed
// CHECK:         %[[M:.*]] = linalg.unpack %[[P]]
// CHECK:         %[[F:.*]] = tensor.expand_shape %[[M]] {{\[\[}}0, 1], [2]] output_shape [5, 4, 8]
// CHECK:         graph.conv %{{.*}}, %[[F]]
func.func @convolution(%x: tensor<1x12x4xf32>) -> tensor<1x8x8xf32> {
  %f = graph.weight @filter : tensor<5x4x8xf32>
  %y = graph.conv %x, %f strides [1] dilations [1] pads [0], [0] groups 1 : tensor<1x12x4xf32>, tensor<5x4x8xf32> -> tensor<1x8x8xf32>
  return %y : tensor<1x8x8xf32>
}

// A weight that something else reads as well stays as it is.

// CHECK-LABEL: func.func @other_use
// CHECK:         graph.weight @shared
// CHECK-NOT:     linalg.unpack
func.func @other_use(%init: tensor<4x4xf32>) -> tensor<4x4xf32> {
  %w = graph.weight @shared : tensor<4x4xf32>
  %e = math.exp %w : tensor<4x4xf32>
  %p = linalg.matmul ins(%e, %w : tensor<4x4xf32>, tensor<4x4xf32>) outs(%init : tensor<4x4xf32>) -> tensor<4x4xf32>
  %r = arith.addf %p, %w : tensor<4x4xf32>
  return %r : tensor<4x4xf32>
}
