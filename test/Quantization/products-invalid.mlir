// RUN: tessera-opt %s --split-input-file --verify-diagnostics

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>
func.func @matmul_q8_a(%a: tensor<4x6xi8>, %b: tensor<6x5xi8>) {
  // expected-error @+1 {{Q8: expects a of integers of at most 8 bits, but got u16}}
  %y = quantization.matmul %a as u16, %b as i8 maps [#a, #b, #y] : tensor<4x6xi8>, tensor<6x5xi8> -> tensor<4x5xi32>
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>
func.func @matmul_q8_b(%a: tensor<4x6xi8>, %b: tensor<6x5xi8>) {
  // expected-error @+1 {{Q8: expects b of integers of at most 8 bits, but got e5m2}}
  %y = quantization.matmul %a as u8, %b as e5m2 maps [#a, #b, #y] : tensor<4x6xi8>, tensor<6x5xi8> -> tensor<4x5xi32>
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>
func.func @matmul_q8_result(%a: tensor<4x6xi8>, %b: tensor<6x5xi8>) {
  // expected-error @+1 {{Q8: expects a result of 'i32', but got 'f32'}}
  %y = quantization.matmul %a as u8, %b as i8 maps [#a, #b, #y] : tensor<4x6xi8>, tensor<6x5xi8> -> tensor<4x5xf32>
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>
func.func @matmul_q1_a(%a: tensor<4x6xi16>, %b: tensor<6x5xi8>) {
  // expected-error @+1 {{Q1: expects a of 'i8', but got 'i16'}}
  %y = quantization.matmul %a as u8, %b as i8 maps [#a, #b, #y] : tensor<4x6xi16>, tensor<6x5xi8> -> tensor<4x5xi32>
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>
func.func @matmul_q1_b(%a: tensor<4x6xi8>, %b: tensor<6x5xi16>) {
  // expected-error @+1 {{Q1: expects b of 'i8', but got 'i16'}}
  %y = quantization.matmul %a as u8, %b as i8 maps [#a, #b, #y] : tensor<4x6xi8>, tensor<6x5xi16> -> tensor<4x5xi32>
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>
func.func @matmul_q1_a_zero(%a: tensor<4x6xi8>, %b: tensor<6x5xi8>, %za: tensor<i32>) {
  // expected-error @+1 {{Q1: expects a zero point of 'i8', but got 'i32'}}
  %y = quantization.matmul %a as u8 zero %za, %b as i8 maps [#a, #b, #y] : tensor<4x6xi8> zero tensor<i32>, tensor<6x5xi8> -> tensor<4x5xi32>
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>
func.func @matmul_q1_b_zero(%a: tensor<4x6xi8>, %b: tensor<6x5xi8>, %zb: tensor<i32>) {
  // expected-error @+1 {{Q1: expects a zero point of 'i8', but got 'i32'}}
  %y = quantization.matmul %a as u8, %b as i8 zero %zb maps [#a, #b, #y] : tensor<4x6xi8>, tensor<6x5xi8> zero tensor<i32> -> tensor<4x5xi32>
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>
func.func @matmul_q7_a(%a: tensor<4x6xi8>, %b: tensor<6x5xi8>, %za: tensor<6xi8>) {
  // expected-error @+1 {{Q7: expects a zero point of 'tensor<4xi8>', but got 'tensor<6xi8>'}}
  %y = quantization.matmul %a as u8 zero %za, %b as i8 maps [#a, #b, #y] : tensor<4x6xi8> zero tensor<6xi8>, tensor<6x5xi8> -> tensor<4x5xi32>
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>
func.func @matmul_q7_b(%a: tensor<4x6xi8>, %b: tensor<6x5xi8>, %zb: tensor<6xi8>) {
  // expected-error @+1 {{Q7: expects a zero point of 'tensor<5xi8>', but got 'tensor<6xi8>'}}
  %y = quantization.matmul %a as u8, %b as i8 zero %zb maps [#a, #b, #y] : tensor<4x6xi8>, tensor<6x5xi8> zero tensor<6xi8> -> tensor<4x5xi32>
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>
func.func @matmul_q7_bias_type(%a: tensor<4x6xi8>, %b: tensor<6x5xi8>, %c: tensor<5xf32>) {
  // expected-error @+1 {{Q7: expects a bias of 'i32', but got 'f32'}}
  %y = quantization.matmul %a as u8, %b as i8 bias %c maps [#a, #b, #y] : tensor<4x6xi8>, tensor<6x5xi8> bias tensor<5xf32> -> tensor<4x5xi32>
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>
func.func @matmul_q7_bias(%a: tensor<4x6xi8>, %b: tensor<6x5xi8>, %c: tensor<4xi32>) {
  // expected-error @+1 {{Q7: expects a bias of 'tensor<5xi32>', but got 'tensor<4xi32>'}}
  %y = quantization.matmul %a as u8, %b as i8 bias %c maps [#a, #b, #y] : tensor<4x6xi8>, tensor<6x5xi8> bias tensor<4xi32> -> tensor<4x5xi32>
  return
}

// -----

#k = affine_map<(k) -> (k)>
#none = affine_map<(k) -> ()>
func.func @matmul_q7_single(%a: tensor<6xi8>, %b: tensor<6xi8>, %c: tensor<1xi32>) {
  // expected-error @+1 {{Q7: expects no bias of a single sum}}
  %y = quantization.matmul %a as u8, %b as i8 bias %c maps [#k, #k, #none] : tensor<6xi8>, tensor<6xi8> bias tensor<1xi32> -> tensor<i32>
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
func.func @matmul_q13_count(%a: tensor<4x6xi8>, %b: tensor<6x5xi8>) {
  // expected-error @+1 {{Q13: expects three maps, but got 2}}
  %y = quantization.matmul %a as u8, %b as i8 maps [#a, #b] : tensor<4x6xi8>, tensor<6x5xi8> -> tensor<4x5xi32>
  return
}

// -----

#b = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>
#y3 = affine_map<(m, n, k) -> (m, n, k)>
func.func @matmul_q13_rank(%a: tensor<4x6xi8>, %b: tensor<6x5xi8>) {
  // expected-error @+1 {{Q13: expects map 0 to be a projection of 3 loops to 2 dimensions}}
  %y = quantization.matmul %a as u8, %b as i8 maps [#y3, #b, #y] : tensor<4x6xi8>, tensor<6x5xi8> -> tensor<4x5xi32>
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>
func.func @matmul_q13_size(%a: tensor<4x6xi8>, %b: tensor<7x5xi8>) {
  // expected-error @+1 {{Q13: expects sizes of one loop to agree, but got 6 and 7}}
  %y = quantization.matmul %a as u8, %b as i8 maps [#a, #b, #y] : tensor<4x6xi8>, tensor<7x5xi8> -> tensor<4x5xi32>
  return
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#y = affine_map<(m, n, k) -> (m, n)>
func.func @matmul_q13_loop(%a: tensor<6x6xi8>, %b: tensor<6x6xi8>) {
  // expected-error @+1 {{Q13: expects each dimension of the result to be one of an operand}}
  %y = quantization.matmul %a as u8, %b as i8 maps [#a, #a, #y] : tensor<6x6xi8>, tensor<6x6xi8> -> tensor<6x6xi32>
  return
}

// -----

func.func @conv_q8_input(%x: tensor<1x8x8x4xi8>, %w: tensor<3x3x4x6xi8>) {
  // expected-error @+1 {{Q8: expects an input of integers of at most 8 bits, but got i16}}
  %y = quantization.conv %x as i16, %w as i8 strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1] groups 1 : tensor<1x8x8x4xi8>, tensor<3x3x4x6xi8> -> tensor<1x8x8x6xi32>
  return
}

// -----

func.func @conv_q8_filter(%x: tensor<1x8x8x4xi8>, %w: tensor<3x3x4x6xi8>) {
  // expected-error @+1 {{Q8: expects a filter of integers of at most 8 bits, but got i16}}
  %y = quantization.conv %x as u8, %w as i16 strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1] groups 1 : tensor<1x8x8x4xi8>, tensor<3x3x4x6xi8> -> tensor<1x8x8x6xi32>
  return
}

// -----

func.func @conv_q8_result(%x: tensor<1x8x8x4xi8>, %w: tensor<3x3x4x6xi8>) {
  // expected-error @+1 {{Q8: expects a result of 'i32', but got 'f32'}}
  %y = quantization.conv %x as u8, %w as i8 strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1] groups 1 : tensor<1x8x8x4xi8>, tensor<3x3x4x6xi8> -> tensor<1x8x8x6xf32>
  return
}

// -----

func.func @conv_q1_input(%x: tensor<1x8x8x4xi16>, %w: tensor<3x3x4x6xi8>) {
  // expected-error @+1 {{Q1: expects an input of 'i8', but got 'i16'}}
  %y = quantization.conv %x as u8, %w as i8 strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1] groups 1 : tensor<1x8x8x4xi16>, tensor<3x3x4x6xi8> -> tensor<1x8x8x6xi32>
  return
}

// -----

func.func @conv_q1_filter(%x: tensor<1x8x8x4xi8>, %w: tensor<3x3x4x6xi16>) {
  // expected-error @+1 {{Q1: expects a filter of 'i8', but got 'i16'}}
  %y = quantization.conv %x as u8, %w as i8 strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1] groups 1 : tensor<1x8x8x4xi8>, tensor<3x3x4x6xi16> -> tensor<1x8x8x6xi32>
  return
}

// -----

func.func @conv_q1_input_zero(%x: tensor<1x8x8x4xi8>, %w: tensor<3x3x4x6xi8>, %zx: tensor<i32>) {
  // expected-error @+1 {{Q1: expects a zero point of 'i8', but got 'i32'}}
  %y = quantization.conv %x as u8 zero %zx, %w as i8 strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1] groups 1 : tensor<1x8x8x4xi8> zero tensor<i32>, tensor<3x3x4x6xi8> -> tensor<1x8x8x6xi32>
  return
}

// -----

func.func @conv_q1_filter_zero(%x: tensor<1x8x8x4xi8>, %w: tensor<3x3x4x6xi8>, %zw: tensor<i32>) {
  // expected-error @+1 {{Q1: expects a zero point of 'i8', but got 'i32'}}
  %y = quantization.conv %x as u8, %w as i8 zero %zw strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1] groups 1 : tensor<1x8x8x4xi8>, tensor<3x3x4x6xi8> zero tensor<i32> -> tensor<1x8x8x6xi32>
  return
}

// -----

func.func @conv_q7_input(%x: tensor<1x8x8x4xi8>, %w: tensor<3x3x4x6xi8>, %zx: tensor<4xi8>) {
  // expected-error @+1 {{Q7: expects the input's zero point of 'tensor<i8>', but got 'tensor<4xi8>'}}
  %y = quantization.conv %x as u8 zero %zx, %w as i8 strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1] groups 1 : tensor<1x8x8x4xi8> zero tensor<4xi8>, tensor<3x3x4x6xi8> -> tensor<1x8x8x6xi32>
  return
}

// -----

func.func @conv_q7_filter(%x: tensor<1x8x8x4xi8>, %w: tensor<3x3x4x6xi8>, %zw: tensor<4xi8>) {
  // expected-error @+1 {{Q7: expects the filter's zero point of 'tensor<6xi8>', but got 'tensor<4xi8>'}}
  %y = quantization.conv %x as u8, %w as i8 zero %zw strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1] groups 1 : tensor<1x8x8x4xi8>, tensor<3x3x4x6xi8> zero tensor<4xi8> -> tensor<1x8x8x6xi32>
  return
}

// -----

func.func @conv_q7_bias(%x: tensor<1x8x8x4xi8>, %w: tensor<3x3x4x6xi8>, %b: tensor<4xi32>) {
  // expected-error @+1 {{Q7: expects a bias of 'tensor<6xi32>', but got 'tensor<4xi32>'}}
  %y = quantization.conv %x as u8, %w as i8 bias %b strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1] groups 1 : tensor<1x8x8x4xi8>, tensor<3x3x4x6xi8> bias tensor<4xi32> -> tensor<1x8x8x6xi32>
  return
}

// -----

func.func @conv_q14_rank(%x: tensor<1x8x8x4xi8>, %w: tensor<3x4x6xi8>) {
  // expected-error @+1 {{Q14: expects operands and result of one rank, at least 3, but got 4, 3 and 4}}
  %y = quantization.conv %x as u8, %w as i8 strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1] groups 1 : tensor<1x8x8x4xi8>, tensor<3x4x6xi8> -> tensor<1x8x8x6xi32>
  return
}

// -----

func.func @conv_q14_windows(%x: tensor<1x8x8x4xi8>, %w: tensor<3x3x4x6xi8>) {
  // expected-error @+1 {{Q14: expects a filter of known size, and for each of 2 spatial dimensions positive strides}}
  %y = quantization.conv %x as u8, %w as i8 strides [0, 1] dilations [1, 1] pads [1, 1], [1, 1] groups 1 : tensor<1x8x8x4xi8>, tensor<3x3x4x6xi8> -> tensor<1x8x8x6xi32>
  return
}

// -----

func.func @conv_q14_groups(%x: tensor<1x8x8x4xi8>, %w: tensor<3x3x4x6xi8>) {
  // expected-error @+1 {{Q14: expects channels divisible by 3 groups and a filter for them}}
  %y = quantization.conv %x as u8, %w as i8 strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1] groups 3 : tensor<1x8x8x4xi8>, tensor<3x3x4x6xi8> -> tensor<1x8x8x6xi32>
  return
}

// -----

func.func @conv_q14_size(%x: tensor<1x8x8x4xi8>, %w: tensor<3x3x4x6xi8>) {
  // expected-error @+1 {{Q14: expects size 8 in dimension 1, but got 7}}
  %y = quantization.conv %x as u8, %w as i8 strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1] groups 1 : tensor<1x8x8x4xi8>, tensor<3x3x4x6xi8> -> tensor<1x7x8x6xi32>
  return
}

// -----

func.func @block_matmul_q8_a(%a: tensor<4x6xi8>, %sa: tensor<4x2xf32>, %b: tensor<6x5xi8>, %sb: tensor<2x5xf32>) {
  // expected-error @+1 {{Q8: expects a of integers of at most 8 bits, but got i16}}
  %y = quantization.block_matmul %a as i16 scale %sa, %b as u4 scale %sb block 4 : tensor<4x6xi8>, tensor<4x2xf32>, tensor<6x5xi8>, tensor<2x5xf32> -> tensor<4x5xf32>
  return
}

// -----

func.func @block_matmul_q8_b(%a: tensor<4x6xi8>, %sa: tensor<4x2xf32>, %b: tensor<6x5xi8>, %sb: tensor<2x5xf32>) {
  // expected-error @+1 {{Q8: expects b of integers of at most 8 bits, but got i16}}
  %y = quantization.block_matmul %a as i8 scale %sa, %b as i16 scale %sb block 4 : tensor<4x6xi8>, tensor<4x2xf32>, tensor<6x5xi8>, tensor<2x5xf32> -> tensor<4x5xf32>
  return
}

// -----

func.func @block_matmul_q1_a(%a: tensor<4x6xi16>, %sa: tensor<4x2xf32>, %b: tensor<6x5xi8>, %sb: tensor<2x5xf32>) {
  // expected-error @+1 {{Q1: expects a of 'i8', but got 'i16'}}
  %y = quantization.block_matmul %a as i8 scale %sa, %b as u4 scale %sb block 4 : tensor<4x6xi16>, tensor<4x2xf32>, tensor<6x5xi8>, tensor<2x5xf32> -> tensor<4x5xf32>
  return
}

// -----

func.func @block_matmul_q1_b(%a: tensor<4x6xi8>, %sa: tensor<4x2xf32>, %b: tensor<6x5xi16>, %sb: tensor<2x5xf32>) {
  // expected-error @+1 {{Q1: expects b of 'i8', but got 'i16'}}
  %y = quantization.block_matmul %a as i8 scale %sa, %b as u4 scale %sb block 4 : tensor<4x6xi8>, tensor<4x2xf32>, tensor<6x5xi16>, tensor<2x5xf32> -> tensor<4x5xf32>
  return
}

// -----

func.func @block_matmul_q1_zero(%a: tensor<4x6xi8>, %sa: tensor<4x2xf32>, %b: tensor<6x5xi8>, %sb: tensor<2x5xf32>, %z: tensor<2x5xi32>) {
  // expected-error @+1 {{Q1: expects a zero point of 'i8', but got 'i32'}}
  %y = quantization.block_matmul %a as i8 scale %sa, %b as u4 scale %sb zero %z block 4 : tensor<4x6xi8>, tensor<4x2xf32>, tensor<6x5xi8>, tensor<2x5xf32> zero tensor<2x5xi32> -> tensor<4x5xf32>
  return
}

// -----

func.func @block_matmul_q2_a(%a: tensor<4x6xi8>, %sa: tensor<4x2xf16>, %b: tensor<6x5xi8>, %sb: tensor<2x5xf32>) {
  // expected-error @+1 {{Q2: expects scales of a of 'f32', but got 'f16'}}
  %y = quantization.block_matmul %a as i8 scale %sa, %b as u4 scale %sb block 4 : tensor<4x6xi8>, tensor<4x2xf16>, tensor<6x5xi8>, tensor<2x5xf32> -> tensor<4x5xf32>
  return
}

// -----

func.func @block_matmul_q2_b(%a: tensor<4x6xi8>, %sa: tensor<4x2xf32>, %b: tensor<6x5xi8>, %sb: tensor<2x5xf16>) {
  // expected-error @+1 {{Q2: expects scales of b of 'f32', but got 'f16'}}
  %y = quantization.block_matmul %a as i8 scale %sa, %b as u4 scale %sb block 4 : tensor<4x6xi8>, tensor<4x2xf32>, tensor<6x5xi8>, tensor<2x5xf16> -> tensor<4x5xf32>
  return
}

// -----

func.func @block_matmul_q2_result(%a: tensor<4x6xi8>, %sa: tensor<4x2xf32>, %b: tensor<6x5xi8>, %sb: tensor<2x5xf32>) {
  // expected-error @+1 {{Q2: expects a result of 'f32', but got 'f16'}}
  %y = quantization.block_matmul %a as i8 scale %sa, %b as u4 scale %sb block 4 : tensor<4x6xi8>, tensor<4x2xf32>, tensor<6x5xi8>, tensor<2x5xf32> -> tensor<4x5xf16>
  return
}

// -----

func.func @block_matmul_q4(%a: tensor<4x6xi8>, %sa: tensor<4x2xf32>, %b: tensor<6x5xi8>, %sb: tensor<2x5xf32>) {
  // expected-error @+1 {{Q4: expects a positive block, but got 0}}
  %y = quantization.block_matmul %a as i8 scale %sa, %b as u4 scale %sb block 0 : tensor<4x6xi8>, tensor<4x2xf32>, tensor<6x5xi8>, tensor<2x5xf32> -> tensor<4x5xf32>
  return
}

// -----

func.func @block_matmul_q9_rank(%a: tensor<1x4x6xi8>, %sa: tensor<4x2xf32>, %b: tensor<6x5xi8>, %sb: tensor<2x5xf32>) {
  // expected-error @+1 {{Q9: expects two matrices}}
  %y = quantization.block_matmul %a as i8 scale %sa, %b as u4 scale %sb block 4 : tensor<1x4x6xi8>, tensor<4x2xf32>, tensor<6x5xi8>, tensor<2x5xf32> -> tensor<4x5xf32>
  return
}

// -----

func.func @block_matmul_q9_depth(%a: tensor<4x6xi8>, %sa: tensor<4x2xf32>, %b: tensor<?x5xi8>, %sb: tensor<2x5xf32>) {
  // expected-error @+1 {{Q9: expects a known depth, but got 'tensor<?x5xi8>'}}
  %y = quantization.block_matmul %a as i8 scale %sa, %b as u4 scale %sb block 4 : tensor<4x6xi8>, tensor<4x2xf32>, tensor<?x5xi8>, tensor<2x5xf32> -> tensor<4x5xf32>
  return
}

// -----

func.func @block_matmul_q9_a(%a: tensor<4x7xi8>, %sa: tensor<4x2xf32>, %b: tensor<6x5xi8>, %sb: tensor<2x5xf32>) {
  // expected-error @+1 {{Q9: expects a of 'tensor<4x6xi8>', but got 'tensor<4x7xi8>'}}
  %y = quantization.block_matmul %a as i8 scale %sa, %b as u4 scale %sb block 4 : tensor<4x7xi8>, tensor<4x2xf32>, tensor<6x5xi8>, tensor<2x5xf32> -> tensor<4x5xf32>
  return
}

// -----

func.func @block_matmul_q9_a_scale(%a: tensor<4x6xi8>, %sa: tensor<4x3xf32>, %b: tensor<6x5xi8>, %sb: tensor<2x5xf32>) {
  // expected-error @+1 {{Q9: expects scales of a of 'tensor<4x2xf32>', but got 'tensor<4x3xf32>'}}
  %y = quantization.block_matmul %a as i8 scale %sa, %b as u4 scale %sb block 4 : tensor<4x6xi8>, tensor<4x3xf32>, tensor<6x5xi8>, tensor<2x5xf32> -> tensor<4x5xf32>
  return
}

// -----

func.func @block_matmul_q9_b_scale(%a: tensor<4x6xi8>, %sa: tensor<4x2xf32>, %b: tensor<6x5xi8>, %sb: tensor<1x5xf32>) {
  // expected-error @+1 {{Q9: expects scales of b of 'tensor<2x5xf32>', but got 'tensor<1x5xf32>'}}
  %y = quantization.block_matmul %a as i8 scale %sa, %b as u4 scale %sb block 4 : tensor<4x6xi8>, tensor<4x2xf32>, tensor<6x5xi8>, tensor<1x5xf32> -> tensor<4x5xf32>
  return
}

// -----

func.func @block_matmul_q9_zero(%a: tensor<4x6xi8>, %sa: tensor<4x2xf32>, %b: tensor<6x5xi8>, %sb: tensor<2x5xf32>, %z: tensor<1x5xi8>) {
  // expected-error @+1 {{Q9: expects a zero point of 'tensor<2x5xi8>', but got 'tensor<1x5xi8>'}}
  %y = quantization.block_matmul %a as i8 scale %sa, %b as u4 scale %sb zero %z block 4 : tensor<4x6xi8>, tensor<4x2xf32>, tensor<6x5xi8>, tensor<2x5xf32> zero tensor<1x5xi8> -> tensor<4x5xf32>
  return
}

// -----

func.func @block_matmul_q9_result(%a: tensor<4x6xi8>, %sa: tensor<4x2xf32>, %b: tensor<6x5xi8>, %sb: tensor<2x5xf32>) {
  // expected-error @+1 {{Q9: expects a result of 'tensor<4x5xf32>', but got 'tensor<4x4xf32>'}}
  %y = quantization.block_matmul %a as i8 scale %sa, %b as u4 scale %sb block 4 : tensor<4x6xi8>, tensor<4x2xf32>, tensor<6x5xi8>, tensor<2x5xf32> -> tensor<4x4xf32>
  return
}
