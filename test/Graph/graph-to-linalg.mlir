// RUN: tessera-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(graph-to-linalg))' | FileCheck %s

// CHECK: #[[ROW:.+]] = affine_map<(d0, d1) -> (0, d1)>
// CHECK-LABEL: @broadcast_static
// CHECK:         linalg.generic
// CHECK-SAME:      indexing_maps = [#[[ROW]],
// CHECK-NOT:     tensor.extract
func.func @broadcast_static(%x: tensor<1x4xf32>) -> tensor<3x4xf32> {
  %y = graph.broadcast_to %x : tensor<1x4xf32> -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}

// -----

// The size is the source's own, so that it cannot be 1 against something else.
// CHECK-LABEL: @broadcast_equal
// CHECK-NOT:     tensor.extract
func.func @broadcast_equal(%x: tensor<?xf32>, %n: index) -> tensor<?x?xf32> {
  %zero = arith.constant 0 : index
  %size = tensor.dim %x, %zero : tensor<?xf32>
  %y = graph.broadcast_to %x sizes(%n, %size) : tensor<?xf32> -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// -----

// CHECK-LABEL: @broadcast_unknown
// CHECK-SAME:    %[[X:.+]]: tensor<?xf32>
// CHECK:         %[[SIZE:.+]] = tensor.dim %[[X]]
// CHECK:         %[[LAST:.+]] = arith.subi %[[SIZE]]
// CHECK:         linalg.generic
// CHECK:           %[[I:.+]] = linalg.index 0
// CHECK:           %[[READ:.+]] = arith.minsi %[[I]], %[[LAST]]
// CHECK:           tensor.extract %[[X]][%[[READ]]]
func.func @broadcast_unknown(%x: tensor<?xf32>, %n: index) -> tensor<?xf32> {
  %y = graph.broadcast_to %x sizes(%n) : tensor<?xf32> -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// CHECK-LABEL: @reshape
// CHECK:         %[[FLAT:.+]] = tensor.collapse_shape %{{.+}} {{\[\[}}0, 1]] : tensor<?x6xf32> into tensor<?xf32>
// CHECK:         tensor.expand_shape %[[FLAT]] {{\[\[}}0, 1, 2]] output_shape [%{{.+}}, 2, %{{.+}}]
func.func @reshape(%x: tensor<?x6xf32>, %a: index, %b: index) -> tensor<?x2x?xf32> {
  %y = graph.reshape %x sizes(%a, %b) : tensor<?x6xf32> -> tensor<?x2x?xf32>
  return %y : tensor<?x2x?xf32>
}

// -----

// CHECK-LABEL: @reshape_to_static
// CHECK:         %[[FLAT:.+]] = tensor.collapse_shape
// CHECK:         %[[CAST:.+]] = tensor.cast %[[FLAT]] : tensor<?xf32> to tensor<12xf32>
// CHECK:         tensor.expand_shape %[[CAST]] {{\[\[}}0, 1]]
func.func @reshape_to_static(%x: tensor<?x6xf32>) -> tensor<3x4xf32> {
  %y = graph.reshape %x : tensor<?x6xf32> -> tensor<3x4xf32>
  return %y : tensor<3x4xf32>
}

// -----

// CHECK-LABEL: @reshape_to_scalar
// CHECK:         %[[CAST:.+]] = tensor.cast %{{.+}} : tensor<?xf32> to tensor<1xf32>
// CHECK:         tensor.collapse_shape %[[CAST]] [] : tensor<1xf32> into tensor<f32>
func.func @reshape_to_scalar(%x: tensor<?xf32>) -> tensor<f32> {
  %y = graph.reshape %x : tensor<?xf32> -> tensor<f32>
  return %y : tensor<f32>
}

// -----

// CHECK-LABEL: @reshape_of_scalar
// CHECK:         %[[FLAT:.+]] = tensor.expand_shape %{{.+}} [] output_shape [1] : tensor<f32> into tensor<1xf32>
// CHECK:         %[[CAST:.+]] = tensor.cast %[[FLAT]] : tensor<1xf32> to tensor<?xf32>
// CHECK:         tensor.expand_shape %[[CAST]]
func.func @reshape_of_scalar(%x: tensor<f32>, %a: index, %b: index) -> tensor<?x?xf32> {
  %y = graph.reshape %x sizes(%a, %b) : tensor<f32> -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// -----

// CHECK-LABEL: @iota
// CHECK:         %[[I:.+]] = linalg.index 1
// CHECK:         %[[N:.+]] = arith.index_cast %[[I]] : index to i64
// CHECK:         arith.sitofp %[[N]] : i64 to f16
func.func @iota() -> tensor<2x3xf16> {
  %y = graph.iota 1 : tensor<2x3xf16>
  return %y : tensor<2x3xf16>
}

// -----

// Wraps, clamps, and reads only from data that has elements.
// CHECK-LABEL: @gather
// CHECK-SAME:    %[[DATA:[a-z0-9]+]]: tensor<2x?x3xf32>, %[[INDICES:[a-z0-9]+]]: tensor<4x5xi64>
// CHECK:         linalg.generic
// CHECK-SAME:      ins(%[[INDICES]]
// CHECK:           arith.select
// CHECK:           %[[BELOW:.+]] = arith.minsi
// CHECK:           %[[INDEX:.+]] = arith.maxsi %[[BELOW]]
// CHECK:           scf.if
// CHECK:             tensor.extract %[[DATA]][%{{.+}}, %[[INDEX]], %{{.+}}]
func.func @gather(%data: tensor<2x?x3xf32>, %indices: tensor<4x5xi64>) -> tensor<2x4x5x3xf32> {
  %y = graph.gather %data[%indices] axis 1
      : tensor<2x?x3xf32>, tensor<4x5xi64> -> tensor<2x4x5x3xf32>
  return %y : tensor<2x4x5x3xf32>
}

// -----

// CHECK-LABEL: @gather_static
// CHECK-NOT:     scf.if
func.func @gather_static(%data: tensor<7xf32>, %indices: tensor<i32>) -> tensor<f32> {
  %y = graph.gather %data[%indices] axis 0 : tensor<7xf32>, tensor<i32> -> tensor<f32>
  return %y : tensor<f32>
}

// -----

// CHECK-LABEL: @reverse
// CHECK:         %[[I:.+]] = linalg.index 0
// CHECK:         %[[J:.+]] = linalg.index 1
// CHECK:         %[[BACK:.+]] = arith.subi %{{.+}}, %[[J]]
// CHECK:         tensor.extract %{{.+}}[%[[I]], %[[BACK]]]
func.func @reverse(%x: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %y = graph.reverse %x [1] : tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// -----

// CHECK: #[[POSITION:.+]] = affine_map<()[s0, s1] -> (s0 * 2 + s1 * 3 - 1)>
// CHECK: #[[CHANNEL:.+]] = affine_map<()[s0, s1] -> (s0 * 4 + s1)>
// CHECK-LABEL: @conv
// CHECK:         tensor.expand_shape %{{.+}} : tensor<?x?x6xf32> into tensor<?x?x2x3xf32>
// CHECK:         tensor.expand_shape %{{.+}} : tensor<3x4x6xf16> into tensor<3x4x2x3xf16>
// CHECK:         linalg.generic
// CHECK-SAME:      iterator_types = ["parallel", "parallel", "reduction", "reduction", "parallel", "parallel"]
// CHECK-DAG:       affine.apply #[[POSITION]]
// CHECK-DAG:       affine.apply #[[CHANNEL]]
// CHECK:           scf.if
// CHECK:             tensor.extract
// CHECK:           arith.extf %{{.+}} : f16 to f32
// CHECK:           arith.extf %{{.+}} : f16 to f32
func.func @conv(%x: tensor<?x?x8xf16>, %w: tensor<3x4x6xf16>) -> tensor<?x?x6xf32> {
  %y = graph.conv %x, %w strides [2] dilations [3] pads [1], [1] groups 2
      : tensor<?x?x8xf16>, tensor<3x4x6xf16> -> tensor<?x?x6xf32>
  return %y : tensor<?x?x6xf32>
}

// -----

// CHECK-LABEL: @conv_without_padding
// CHECK-NOT:     scf.if
func.func @conv_without_padding(%x: tensor<1x8x8x4xf32>, %w: tensor<3x3x4x6xf32>) -> tensor<1x6x6x6xf32> {
  %y = graph.conv %x, %w strides [1, 1] dilations [1, 1] pads [0, 0], [0, 0] groups 1
      : tensor<1x8x8x4xf32>, tensor<3x3x4x6xf32> -> tensor<1x6x6x6xf32>
  return %y : tensor<1x6x6x6xf32>
}

// -----

// CHECK-LABEL: @max_pool
// CHECK:         linalg.fill ins(%{{.+}} : f32)
// CHECK:         linalg.generic
// CHECK:           scf.if
// CHECK:           arith.maximumf
func.func @max_pool(%x: tensor<1x?x4xf32>) -> tensor<1x?x4xf32> {
  %y = graph.pool max %x kernel [3] strides [2] dilations [1] pads [1], [1]
      : tensor<1x?x4xf32> -> tensor<1x?x4xf32>
  return %y : tensor<1x?x4xf32>
}

// -----

// Sums in f32 and divides by the number of elements inside the input.
// CHECK-DAG: #[[FIRST:.+]] = affine_map<(d0)[s0] -> (
// CHECK-LABEL: @average_pool
// CHECK:         arith.addf %{{.+}} : f32
// CHECK:         affine.max
// CHECK:         affine.min
// CHECK:         arith.divf %{{.+}} : f32
// CHECK:         arith.truncf %{{.+}} : f32 to f16
func.func @average_pool(%x: tensor<1x?x4xf16>) -> tensor<1x?x4xf16> {
  %y = graph.pool average %x kernel [3] strides [2] dilations [1] pads [1], [1] ceil
      : tensor<1x?x4xf16> -> tensor<1x?x4xf16>
  return %y : tensor<1x?x4xf16>
}

// -----

// CHECK-LABEL: @arg_max
// CHECK:         linalg.generic
// CHECK-SAME:      iterator_types = ["parallel", "reduction"]
// CHECK:           tensor.extract
// CHECK:           arith.cmpf ogt
// CHECK:           arith.cmpf uno
// CHECK:           arith.select
func.func @arg_max(%x: tensor<?x?xf32>) -> tensor<?xi64> {
  %y = graph.arg_reduce max %x dimension 1 : tensor<?x?xf32> -> tensor<?xi64>
  return %y : tensor<?xi64>
}

// -----

// CHECK-LABEL: @arg_min_unsigned
// CHECK:         arith.cmpi ule
func.func @arg_min_unsigned(%x: tensor<4xi8>) -> tensor<i64> {
  %y = graph.arg_reduce min %x dimension 0 last unsigned : tensor<4xi8> -> tensor<i64>
  return %y : tensor<i64>
}
