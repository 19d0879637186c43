// RUN: tessera-opt %s --split-input-file --verify-diagnostics

// symbol_c1_range
// expected-error @+1 {{C1: expects 0 <= min <= typical <= max, but got 4, 2, 8}}
graph.symbol @n min 4 typical 2 max 8

// -----

func.func @size_c1_symbol() {
  // expected-error @+1 {{C1: expects a graph.symbol, but got @n}}
  %r = graph.size @n
  return
}

// -----

// weights_c1_source
// expected-error @+1 {{C1: expects a file or elements as source}}
graph.weights @w : tensor<4xf32> from 1 : i64 as tensor<4xf32>

// -----

// weights_c2_bytes
// expected-error @+1 {{C2: expects 16 bytes for 'tensor<4xf32>', but got 8}}
graph.weights @w : tensor<4xf32> from #graph.file<"m", 0, 8> as tensor<4xf32>

// -----

// weights_c2_elements
// expected-error @+1 {{C2: expects elements of 'tensor<4xf32>', but got 'tensor<2xf32>'}}
graph.weights @w : tensor<4xf32> from dense<0.0> : tensor<2xf32> as tensor<4xf32>

// -----

// weights_c1_part
// expected-error @+1 {{C1: expects a file or elements as source}}
graph.weights @w : tensor<4xf32> from #graph.concat<<1 : i64 as tensor<4xf32> recipe []>> as tensor<4xf32>

// -----

// weights_c2_part
// expected-error @+1 {{C2: expects parts of 'tensor<4x2xf32>', but got 'tensor<2x3xf32>'}}
graph.weights @w : tensor<4x2xf32> from #graph.concat<<#graph.file<"m", 0, 16> as tensor<2x2xf32> recipe []>, <#graph.file<"m", 0, 24> as tensor<2x3xf32> recipe []>> as tensor<4x2xf32>

// -----

// weights_c2_parts
// expected-error @+1 {{C2: expects parts of 'tensor<4x2xf32>', but they have 5 together}}
graph.weights @w : tensor<4x2xf32> from #graph.concat<<#graph.file<"m", 0, 16> as tensor<2x2xf32> recipe []>, <#graph.file<"m", 0, 24> as tensor<2x3xf32> recipe [#graph.transpose<[1, 0]>]>> as tensor<4x2xf32>

// -----

// weights_c3_transpose
// expected-error @+1 {{C3: the recipe does not apply: a transpose does not permute its source's dimensions}}
graph.weights @w : tensor<4xf32> from #graph.file<"m", 0, 16> as tensor<4xf32> recipe [#graph.transpose<[1, 0]>]

// -----

// weights_c3_reshape
// expected-error @+1 {{C3: the recipe does not apply: a reshape changes the number of elements}}
graph.weights @w : tensor<4xf32> from #graph.file<"m", 0, 16> as tensor<4xf32> recipe [#graph.reshape<[3]>]

// -----

// weights_c3_pack
// expected-error @+1 {{C3: the recipe does not apply: a pack needs two dimensions, a positive width and depth group}}
graph.weights @w : tensor<4xf32> from #graph.file<"m", 0, 16> as tensor<4xf32> recipe [#graph.pack<2>]

// -----

// weights_c3_scale
// expected-error @+1 {{C3: the recipe does not apply: a scale needs f32 elements and a value for each index of its dimension}}
graph.weights @w : tensor<4xf32> from #graph.file<"m", 0, 16> as tensor<4xf32> recipe [#graph.scale<0, dense<1.0> : tensor<3xf32>>]

// -----

// weights_c3_depth_group
// expected-error @+1 {{C3: the recipe does not apply: a pack needs two dimensions, a positive width and depth group}}
graph.weights @w : tensor<1x4x4xi8> from #graph.file<"m", 0, 16> as tensor<4x4xi8> recipe [#graph.pack<4, depthGroup 0>]

// -----

// weights_c3_reverse
// expected-error @+1 {{C3: the recipe does not apply: a reverse names a dimension that its source lacks}}
graph.weights @w : tensor<4xf32> from #graph.file<"m", 0, 16> as tensor<4xf32> recipe [#graph.reverse<[1]>]

// -----

// weights_c3_slice
// expected-error @+1 {{C3: the recipe does not apply: a slice is not within its source}}
graph.weights @w : tensor<2xf32> from #graph.file<"m", 0, 16> as tensor<4xf32> recipe [#graph.slice<[3] sizes [2] strides [1]>]

// -----

// weights_c3_broadcast
// expected-error @+1 {{C3: the recipe does not apply: a broadcast changes a dimension that is not 1}}
graph.weights @w : tensor<8xf32> from #graph.file<"m", 0, 16> as tensor<4xf32> recipe [#graph.broadcast<[8]>]

// -----

// weights_c3_elementwise_name
// expected-error @+1 {{C3: the recipe does not apply: no step does 'arith.sort'}}
graph.weights @w : tensor<4xf32> from #graph.file<"m", 0, 16> as tensor<4xf32> recipe [#graph.elementwise<"arith.sort" to f32>]

// -----

// weights_c3_elementwise_position
// expected-error @+1 {{C3: the recipe does not apply: an elementwise step has no operand number 1}}
graph.weights @w : tensor<4xf32> from #graph.file<"m", 0, 16> as tensor<4xf32> recipe [#graph.elementwise<"arith.negf" to f32 at 1>]

// -----

// weights_c3_elementwise_shape
// expected-error @+1 {{C3: the recipe does not apply: an operand of 'arith.addf' has not the source's shape}}
graph.weights @w : tensor<4xf32> from #graph.file<"m", 0, 16> as tensor<4xf32>
  recipe [#graph.elementwise<"arith.addf" to f32 with [<dense<1.0> : tensor<2xf32> as tensor<2xf32> recipe []>]>]

// -----

// weights_c3_elementwise_operand
// expected-error @+1 {{C3: the recipe does not apply: C2: expects 16 bytes for 'tensor<4xf32>', but got 8}}
graph.weights @w : tensor<4xf32> from #graph.file<"m", 0, 16> as tensor<4xf32>
  recipe [#graph.elementwise<"arith.addf" to f32 with [<#graph.file<"m", 0, 8> as tensor<4xf32> recipe []>]>]

// -----

// weights_c3_elementwise_type
// expected-error @+1 {{C3: the recipe does not apply: 'arith.sitofp' does not take or give such elements}}
graph.weights @w : tensor<4xi8> from #graph.file<"m", 0, 4> as tensor<4xi8> recipe [#graph.elementwise<"arith.sitofp" to i32>]

// -----

// weights_c3_unpack_bits
// expected-error @+1 {{C3: the recipe does not apply: bits are unpacked by 2 or 4 from a vector of as many bytes as they fill}}
graph.weights @w : tensor<3x3xi8> from #graph.file<"m", 0, 4> as tensor<4xi8> recipe [#graph.unpack_bits<4, [3, 3]>]

// -----

// weights_c3_take
// expected-error @+1 {{C3: the recipe does not apply: a take needs a dimension with entries and at most 16 Mi indices, i32 or i64}}
graph.weights @w : tensor<2xf32> from #graph.file<"m", 0, 16> as tensor<4xf32> recipe [#graph.take<0, <dense<0> : tensor<2xi8> as tensor<2xi8> recipe []>>]

// -----

// weights_c3_reduce_dimensions
// expected-error @+1 {{C3: the recipe does not apply: a reduction needs increasing dimensions of its source}}
graph.weights @w : tensor<f32> from #graph.file<"m", 0, 16> as tensor<4xf32> recipe [#graph.reduce<"arith.addf", [0, 0]>]

// -----

// weights_c3_reduce_operation
// expected-error @+1 {{C3: the recipe does not apply: no reduction of such elements joins by 'arith.subf'}}
graph.weights @w : tensor<f32> from #graph.file<"m", 0, 16> as tensor<4xf32> recipe [#graph.reduce<"arith.subf", [0]>]

// -----

// weights_c3_unknown_step
// expected-error @+1 {{C3: the recipe does not apply: it has an unknown step}}
graph.weights @w : tensor<4xf32> from #graph.file<"m", 0, 16> as tensor<4xf32> recipe ["sort"]

// -----

// weights_c3_type
// expected-error @+1 {{C3: the recipe gives 'tensor<2x2xf32>', but the type is 'tensor<4xf32>'}}
graph.weights @w : tensor<4xf32> from #graph.file<"m", 0, 16> as tensor<4xf32> recipe [#graph.reshape<[2, 2]>]

// -----

func.func @weight_c1_symbol() {
  // expected-error @+1 {{C1: expects a graph.weights, but got @w}}
  %r = graph.weight @w : tensor<4xf32>
  return
}

// -----

graph.weights @w : tensor<4xf32> from #graph.file<"m", 0, 16> as tensor<4xf32>
func.func @weight_c1_type() {
  // expected-error @+1 {{C1: expects the type of its weights, 'tensor<4xf32>', but got 'tensor<2xf32>'}}
  %r = graph.weight @w : tensor<2xf32>
  return
}

// -----

func.func @broadcast_c1_sizes(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{C1: expects 1 sizes, but got 0}}
  %r = graph.broadcast_to %x : tensor<2x3xf32> -> tensor<?x2x3xf32>
  return
}

// -----

func.func @broadcast_element_type(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{expects one element type, but got 'f32' and 'f16'}}
  %r = graph.broadcast_to %x : tensor<2x3xf32> -> tensor<2x3xf16>
  return
}

// -----

func.func @broadcast_c2_rank(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{C2: expects a result of rank at least 2, but got 1}}
  %r = graph.broadcast_to %x : tensor<2x3xf32> -> tensor<3xf32>
  return
}

// -----

func.func @broadcast_c3_size(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{C3: expects source dimension 0 to be 1 or 4, but got 2}}
  %r = graph.broadcast_to %x : tensor<2x3xf32> -> tensor<4x3xf32>
  return
}

// -----

func.func @reshape_c1_sizes(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{C1: expects 1 sizes, but got 0}}
  %r = graph.reshape %x : tensor<2x3xf32> -> tensor<?xf32>
  return
}

// -----

func.func @reshape_element_type(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{expects one element type, but got 'f32' and 'i32'}}
  %r = graph.reshape %x : tensor<2x3xf32> -> tensor<6xi32>
  return
}

// -----

func.func @reshape_c2_elements(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{C2: expects 6 elements, but got 5}}
  %r = graph.reshape %x : tensor<2x3xf32> -> tensor<5xf32>
  return
}

// -----

func.func @iota_c1_sizes() {
  // expected-error @+1 {{C1: expects 1 sizes, but got 0}}
  %r = graph.iota 0 : tensor<?xi64>
  return
}

// -----

func.func @iota_c2_dimension() {
  // expected-error @+1 {{C2: expects a dimension below 1, but got 1}}
  %r = graph.iota 1 : tensor<4xi64>
  return
}

// -----

func.func @gather_c1_axis(%x: tensor<2x3xf32>, %i: tensor<4xi64>) {
  // expected-error @+1 {{C1: expects an axis below 2, but got 2}}
  %r = graph.gather %x[%i] axis 2 : tensor<2x3xf32>, tensor<4xi64> -> tensor<2x4xf32>
  return
}

// -----

func.func @gather_c2_rank(%x: tensor<2x3xf32>, %i: tensor<4xi64>) {
  // expected-error @+1 {{C2: expects a result of rank 2, but got 1}}
  %r = graph.gather %x[%i] axis 1 : tensor<2x3xf32>, tensor<4xi64> -> tensor<4xf32>
  return
}

// -----

func.func @gather_c3_element_type(%x: tensor<2x3xf32>, %i: tensor<4xi64>) {
  // expected-error @+1 {{C3: expects one element type, but got 'f32' and 'f16'}}
  %r = graph.gather %x[%i] axis 1 : tensor<2x3xf32>, tensor<4xi64> -> tensor<2x4xf16>
  return
}

// -----

func.func @reverse_c1_dimensions(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{C1: expects increasing dimensions below 2, but got 0}}
  %r = graph.reverse %x [1, 0] : tensor<2x3xf32>
  return
}

// -----

func.func @arg_reduce_c1_dimension(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{C1: expects a dimension below 2, but got 2}}
  %r = graph.arg_reduce max %x dimension 2 : tensor<2x3xf32> -> tensor<2xi64>
  return
}

// -----

func.func @arg_reduce_c2_rank(%x: tensor<2x3xf32>) {
  // expected-error @+1 {{C2: expects a result of rank 1, but got 2}}
  %r = graph.arg_reduce max %x dimension 1 : tensor<2x3xf32> -> tensor<2x1xi64>
  return
}

// -----

func.func @conv_c1_rank(%x: tensor<1x8x4xf32>, %w: tensor<3x4x6xf32>) {
  // expected-error @+1 {{C1: expects operands and result of one rank, at least 3, but got 3, 3 and 2}}
  %r = graph.conv %x, %w strides [1] dilations [1] pads [0], [0] groups 1
    : tensor<1x8x4xf32>, tensor<3x4x6xf32> -> tensor<6x6xf32>
  return
}

// -----

func.func @conv_c2_count(%x: tensor<1x8x4xf32>, %w: tensor<3x4x6xf32>) {
  // expected-error @+1 {{C2: expects 1 window entries, but got 2}}
  %r = graph.conv %x, %w strides [1, 1] dilations [1] pads [0], [0] groups 1
    : tensor<1x8x4xf32>, tensor<3x4x6xf32> -> tensor<1x6x6xf32>
  return
}

// -----

func.func @conv_c2_value(%x: tensor<1x8x4xf32>, %w: tensor<3x4x6xf32>) {
  // expected-error @+1 {{C2: expects window entries of at least 1, but got 0}}
  %r = graph.conv %x, %w strides [1] dilations [0] pads [0], [0] groups 1
    : tensor<1x8x4xf32>, tensor<3x4x6xf32> -> tensor<1x6x6xf32>
  return
}

// -----

func.func @conv_c2_padding(%x: tensor<1x8x4xf32>, %w: tensor<3x4x6xf32>) {
  // expected-error @+1 {{C2: expects window entries of at least 0, but got -1}}
  %r = graph.conv %x, %w strides [1] dilations [1] pads [-1], [0] groups 1
    : tensor<1x8x4xf32>, tensor<3x4x6xf32> -> tensor<1x6x6xf32>
  return
}

// -----

func.func @conv_c3_groups(%x: tensor<1x8x4xf32>, %w: tensor<3x4x6xf32>) {
  // expected-error @+1 {{C3: expects channels divisible by 3 groups}}
  %r = graph.conv %x, %w strides [1] dilations [1] pads [0], [0] groups 3
    : tensor<1x8x4xf32>, tensor<3x4x6xf32> -> tensor<1x6x6xf32>
  return
}

// -----

func.func @conv_c4_size(%x: tensor<1x8x4xf32>, %w: tensor<3x4x6xf32>) {
  // expected-error @+1 {{C4: expects size 6 in dimension 1, but got 5}}
  %r = graph.conv %x, %w strides [1] dilations [1] pads [0], [0] groups 1
    : tensor<1x8x4xf32>, tensor<3x4x6xf32> -> tensor<1x5x6xf32>
  return
}

// -----

func.func @pool_c1_rank(%x: tensor<1x8x4xf32>) {
  // expected-error @+1 {{C1: expects an input and result of one rank, at least 3, but got 3 and 2}}
  %r = graph.pool max %x kernel [2] strides [2] dilations [1] pads [0], [0]
    : tensor<1x8x4xf32> -> tensor<4x4xf32>
  return
}

// -----

func.func @pool_c2_count(%x: tensor<1x8x4xf32>) {
  // expected-error @+1 {{C2: expects 1 window entries, but got 2}}
  %r = graph.pool max %x kernel [2, 2] strides [2] dilations [1] pads [0], [0]
    : tensor<1x8x4xf32> -> tensor<1x4x4xf32>
  return
}

// -----

func.func @pool_c2_value(%x: tensor<1x8x4xf32>) {
  // expected-error @+1 {{C2: expects window entries of at least 1, but got 0}}
  %r = graph.pool max %x kernel [2] strides [0] dilations [1] pads [0], [0]
    : tensor<1x8x4xf32> -> tensor<1x4x4xf32>
  return
}

// -----

func.func @pool_c3_size(%x: tensor<1x8x4xf32>) {
  // expected-error @+1 {{C3: expects size 4 in dimension 1, but got 5}}
  %r = graph.pool max %x kernel [2] strides [2] dilations [1] pads [0], [0]
    : tensor<1x8x4xf32> -> tensor<1x5x4xf32>
  return
}

// -----

func.func @pool_c3_channels(%x: tensor<1x8x4xf32>) {
  // expected-error @+1 {{C3: expects size 4 in dimension 2, but got 3}}
  %r = graph.pool max %x kernel [2] strides [2] dilations [1] pads [0], [0]
    : tensor<1x8x4xf32> -> tensor<1x4x3xf32>
  return
}

// -----

func.func @conv_c5_unsigned(%x: tensor<1x8x4xf32>, %w: tensor<3x4x6xf32>) {
  // expected-error @+1 {{C5: expects an unsigned input of i8, but got}}
  %r = graph.conv %x, %w strides [1] dilations [1] pads [0], [0] groups 1 unsigned
    : tensor<1x8x4xf32>, tensor<3x4x6xf32> -> tensor<1x6x6xf32>
  return
}
