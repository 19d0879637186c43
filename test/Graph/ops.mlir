// RUN: tessera-opt %s | tessera-opt | FileCheck %s
// RUN: tessera-opt %s --mlir-print-op-generic | tessera-opt | FileCheck %s

// CHECK: graph.symbol @n min 0 typical 128 max 512
graph.symbol @n min 0 typical 128 max 512
// CHECK: graph.weights @w : tensor<3x8x16xf32> from #graph.file<"m.onnx", 64, 1280> as tensor<40x8xf32> recipe [#graph.transpose<[1, 0]>, #graph.pack<16>]
graph.weights @w : tensor<3x8x16xf32> from #graph.file<"m.onnx", 64, 1280>
  as tensor<40x8xf32> recipe [#graph.transpose<[1, 0]>, #graph.pack<16>]
// CHECK: graph.weights @c : tensor<4xi64> from dense<[1, 2, 3, 4]> : tensor<4xi64> as tensor<4xi64>
graph.weights @c : tensor<4xi64> from dense<[1, 2, 3, 4]> : tensor<4xi64> as tensor<4xi64>
// CHECK: graph.weights @r : tensor<2x2xi64> from {{.*}} recipe [#graph.reshape<[2, 2]>]
graph.weights @r : tensor<2x2xi64> from dense<[1, 2, 3, 4]> : tensor<4xi64>
  as tensor<4xi64> recipe [#graph.reshape<[2, 2]>]

// CHECK: graph.weights @parts : tensor<4xf32> from #graph.concat<<#graph.file<"m.onnx", 64, 8> as tensor<1x2xf32> recipe [#graph.reshape<[2]>]>, <dense<0.000000e+00> : tensor<2xf32> as tensor<2xf32> recipe []>> as tensor<4xf32>
graph.weights @parts : tensor<4xf32>
  from #graph.concat<<#graph.file<"m.onnx", 64, 8> as tensor<1x2xf32> recipe [#graph.reshape<[2]>]>,
                     <dense<0.0> : tensor<2xf32> as tensor<2xf32> recipe []>>
  as tensor<4xf32>

// CHECK-LABEL: @sizes_and_weights
func.func @sizes_and_weights() -> (index, tensor<3x8x16xf32>) {
  // CHECK: graph.size @n
  %n = graph.size @n
  // CHECK: graph.weight @w : tensor<3x8x16xf32>
  %w = graph.weight @w : tensor<3x8x16xf32>
  return %n, %w : index, tensor<3x8x16xf32>
}

// Steps that compute, and a recipe behind parts.
// CHECK: graph.weights @dequantized : tensor<2x3xf32> from #graph.file<"m", 0, 6> as tensor<6xi8>
// CHECK-SAME: #graph.reshape<[2, 3]>, #graph.elementwise<"arith.sitofp" to f32>
// CHECK-SAME: #graph.elementwise<"arith.divf" to f32 with[<dense<2.000000e+00> : tensor<1xf32> as tensor<1xf32> recipe [#graph.broadcast<[2, 3]>]>] at 1>
graph.weights @dequantized : tensor<2x3xf32> from #graph.file<"m", 0, 6> as tensor<6xi8>
  recipe [#graph.reshape<[2, 3]>, #graph.elementwise<"arith.sitofp" to f32>,
          #graph.elementwise<"arith.divf" to f32 with
            [<dense<2.0> : tensor<1xf32> as tensor<1xf32> recipe [#graph.broadcast<[2, 3]>]>] at 1>]
// CHECK: graph.weights @unpacked : tensor<1x2x16x2xi8> {{.*}} recipe [#graph.unpack_bits<4, [3, 3]>, #graph.pack<16, depthGroup 2>]
graph.weights @unpacked : tensor<1x2x16x2xi8> from #graph.file<"m", 0, 5> as tensor<5xi8>
  recipe [#graph.unpack_bits<4, [3, 3]>, #graph.pack<16, depthGroup 2>]
// CHECK: graph.weights @compared : tensor<2xi1> {{.*}} recipe [#graph.elementwise<"arith.cmpf" to i1 with[{{.*}}] predicate 2>]
graph.weights @compared : tensor<2xi1> from #graph.file<"m", 0, 8> as tensor<2xf32>
  recipe [#graph.elementwise<"arith.cmpf" to i1 with [<dense<0.0> : tensor<2xf32> as tensor<2xf32> recipe []>] predicate 2>]
// CHECK: graph.weights @taken : tensor<2xf32> {{.*}} recipe [#graph.take<0, <dense<[1, 0]> : tensor<2xi64> as tensor<2xi64> recipe []>>, #graph.reduce<"arith.addf", [1]>]
graph.weights @taken : tensor<2xf32>
  from #graph.concat<<#graph.file<"m", 0, 8> as tensor<2x1xf32> recipe []>> as tensor<2x1xf32>
  recipe [#graph.take<0, <dense<[1, 0]> : tensor<2xi64> as tensor<2xi64> recipe []>>,
          #graph.reduce<"arith.addf", [1]>]

// CHECK-LABEL: @data_movement
func.func @data_movement(%x: tensor<?x1xf32>, %i: tensor<2xi64>, %n: index) {
  // CHECK: graph.broadcast_to %{{.+}} sizes(%{{.+}}, %{{.+}}) : tensor<?x1xf32> -> tensor<3x?x?xf32>
  %b = graph.broadcast_to %x sizes(%n, %n) : tensor<?x1xf32> -> tensor<3x?x?xf32>
  // CHECK: graph.reshape %{{.+}} sizes(%{{.+}}) : tensor<?x1xf32> -> tensor<2x?xf32>
  %r = graph.reshape %x sizes(%n) : tensor<?x1xf32> -> tensor<2x?xf32>
  // CHECK: graph.iota 1 sizes(%{{.+}}) : tensor<?x4xi32>
  %c = graph.iota 1 sizes(%n) : tensor<?x4xi32>
  // CHECK: graph.gather %{{.+}}[%{{.+}}] axis 0 : tensor<?x1xf32>, tensor<2xi64> -> tensor<2x1xf32>
  %g = graph.gather %x[%i] axis 0 : tensor<?x1xf32>, tensor<2xi64> -> tensor<2x1xf32>
  // CHECK: graph.reverse %{{.+}} [0, 1] : tensor<?x1xf32>
  %v = graph.reverse %x [0, 1] : tensor<?x1xf32>
  return
}

// CHECK-LABEL: @windows
func.func @windows(%x: tensor<1x8x8x4xf16>, %w: tensor<3x3x2x6xf16>) {
  // CHECK: graph.conv %{{.+}}, %{{.+}} strides [2, 2] dilations [1, 1] pads [1, 1], [1, 1] groups 2
  %c = graph.conv %x, %w strides [2, 2] dilations [1, 1] pads [1, 1], [1, 1] groups 2
    : tensor<1x8x8x4xf16>, tensor<3x3x2x6xf16> -> tensor<1x4x4x6xf32>
  // CHECK: graph.pool max %{{.+}} kernel [2, 2] strides [2, 2] dilations [1, 1] pads [0, 0], [0, 0] ceil
  %m = graph.pool max %x kernel [2, 2] strides [2, 2] dilations [1, 1] pads [0, 0], [0, 0] ceil
    : tensor<1x8x8x4xf16> -> tensor<1x4x4x4xf16>
  // CHECK: graph.pool average_with_padding
  %a = graph.pool average_with_padding %x kernel [2, 2] strides [2, 2] dilations [1, 1]
    pads [0, 0], [0, 0] : tensor<1x8x8x4xf16> -> tensor<1x4x4x4xf16>
  return
}

// CHECK-LABEL: @others
func.func @others(%x: tensor<?x4xi8>, %ok: i1) {
  // CHECK: graph.arg_reduce min %{{.+}} dimension 1 last unsigned : tensor<?x4xi8> -> tensor<?xi64>
  %a = graph.arg_reduce min %x dimension 1 last unsigned : tensor<?x4xi8> -> tensor<?xi64>
  // CHECK: graph.assert %{{.+}}, "sizes differ"
  graph.assert %ok, "sizes differ"
  return
}
