// RUN: tessera-opt %s --split-input-file --verify-diagnostics

func.func @quantize_q1_bits(%x: tensor<4x6xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{Q1: expects a format of at most 16 bits, but got i32}}
  %q = quantization.quantize %x scale %s as i32 : tensor<4x6xf32>, tensor<f32> -> tensor<4x6xi32>
  return
}

// -----

func.func @quantize_q1_storage(%x: tensor<4x6xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{Q1: expects a result of 'i16', but got 'i8'}}
  %q = quantization.quantize %x scale %s as u16 : tensor<4x6xf32>, tensor<f32> -> tensor<4x6xi8>
  return
}

// -----

func.func @dequantize_q1_storage(%x: tensor<4x6xi32>, %s: tensor<f32>) {
  // expected-error @+1 {{Q1: expects a source of 'i8', but got 'i32'}}
  %y = quantization.dequantize %x scale %s as u8 : tensor<4x6xi32>, tensor<f32> -> tensor<4x6xf32>
  return
}

// -----

func.func @quantize_q2_scale(%x: tensor<4x6xf32>, %s: tensor<f16>) {
  // expected-error @+1 {{Q2: expects a scale of 'f32', but got 'f16'}}
  %q = quantization.quantize %x scale %s as u8 : tensor<4x6xf32>, tensor<f16> -> tensor<4x6xi8>
  return
}

// -----

func.func @quantize_q2_zero(%x: tensor<4x6xf32>, %s: tensor<f32>, %z: tensor<6xi8>) {
  // expected-error @+1 {{Q2: expects a zero point of 'tensor<i8>', but got 'tensor<6xi8>'}}
  %q = quantization.quantize %x scale %s zero %z as u8 : tensor<4x6xf32>, tensor<f32> zero tensor<6xi8> -> tensor<4x6xi8>
  return
}

// -----

func.func @quantize_q3_vector(%x: tensor<4x6xf32>, %s: tensor<5xf32>) {
  // expected-error @+1 {{Q3: expects scales of 'tensor<6xf32>', but got 'tensor<5xf32>'}}
  %q = quantization.quantize %x scale %s as u8 axis 1 : tensor<4x6xf32>, tensor<5xf32> -> tensor<4x6xi8>
  return
}

// -----

func.func @quantize_q3_blocks(%x: tensor<4x6xf32>, %s: tensor<3x6xf32>) {
  // expected-error @+1 {{Q3: expects scales of 'tensor<2x6xf32>', but got 'tensor<3x6xf32>'}}
  %q = quantization.quantize %x scale %s as u8 axis 0 block 3 : tensor<4x6xf32>, tensor<3x6xf32> -> tensor<4x6xi8>
  return
}

// -----

func.func @quantize_q3_one(%x: tensor<4x6xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{Q3: expects scales for blocks, but got one}}
  %q = quantization.quantize %x scale %s as u8 axis 0 block 3 : tensor<4x6xf32>, tensor<f32> -> tensor<4x6xi8>
  return
}

// -----

func.func @quantize_q4_no_axis(%x: tensor<4x6xf32>, %s: tensor<6xf32>) {
  // expected-error @+1 {{Q4: expects an axis below 2 of what has several scales}}
  %q = quantization.quantize %x scale %s as u8 : tensor<4x6xf32>, tensor<6xf32> -> tensor<4x6xi8>
  return
}

// -----

func.func @quantize_q4_axis(%x: tensor<4x6xf32>, %s: tensor<6xf32>) {
  // expected-error @+1 {{Q4: expects an axis below 2 of what has several scales}}
  %q = quantization.quantize %x scale %s as u8 axis 2 : tensor<4x6xf32>, tensor<6xf32> -> tensor<4x6xi8>
  return
}

// -----

func.func @quantize_q4_block(%x: tensor<4x6xf32>, %s: tensor<4x6xf32>) {
  // expected-error @+1 {{Q4: expects a positive block, but got 0}}
  %q = quantization.quantize %x scale %s as u8 axis 0 block 0 : tensor<4x6xf32>, tensor<4x6xf32> -> tensor<4x6xi8>
  return
}

// -----

func.func @quantize_q4_no_block(%x: tensor<4x6xf32>, %s: tensor<2x6xf32>) {
  // expected-error @+1 {{Q4: expects a block with scales of blocks}}
  %q = quantization.quantize %x scale %s as u8 axis 0 : tensor<4x6xf32>, tensor<2x6xf32> -> tensor<4x6xi8>
  return
}

// -----

func.func @dequantize_q4_no_block(%x: tensor<4x6xi8>, %s: tensor<2x6xf32>) {
  // expected-error @+1 {{Q4: expects a block with scales of blocks}}
  %y = quantization.dequantize %x scale %s as u8 axis 0 : tensor<4x6xi8>, tensor<2x6xf32> -> tensor<4x6xf32>
  return
}

// -----

func.func @quantize_q5(%x: tensor<4x6xf32>, %s: tensor<f32>, %z: tensor<f32>) {
  // expected-error @+1 {{Q5: expects a zero point of 'i8', but got 'f32'}}
  %q = quantization.quantize %x scale %s zero %z as u8 : tensor<4x6xf32>, tensor<f32> zero tensor<f32> -> tensor<4x6xi8>
  return
}

// -----

func.func @dequantize_q5(%x: tensor<4x6xi8>, %s: tensor<f32>, %z: tensor<i32>) {
  // expected-error @+1 {{Q5: expects a zero point of 'i8', but got 'i32'}}
  %y = quantization.dequantize %x scale %s zero %z as u8 : tensor<4x6xi8>, tensor<f32> zero tensor<i32> -> tensor<4x6xf32>
  return
}

// -----

func.func @quantize_q6_source(%x: tensor<4x6xf16>, %s: tensor<f32>) {
  // expected-error @+1 {{Q6: expects a source of f32 or i32, but got 'f16'}}
  %q = quantization.quantize %x scale %s as u8 : tensor<4x6xf16>, tensor<f32> -> tensor<4x6xi8>
  return
}

// -----

func.func @quantize_q6_shape(%x: tensor<4x6xf32>, %s: tensor<f32>) {
  // expected-error @+1 {{Q6: expects a result of 'tensor<4x6xi8>', but got 'tensor<4x5xi8>'}}
  %q = quantization.quantize %x scale %s as u8 : tensor<4x6xf32>, tensor<f32> -> tensor<4x5xi8>
  return
}

// -----

func.func @dequantize_q6_result(%x: tensor<4x6xi8>, %s: tensor<f32>) {
  // expected-error @+1 {{Q6: expects a result of 'f32', but got 'f16'}}
  %y = quantization.dequantize %x scale %s as u8 : tensor<4x6xi8>, tensor<f32> -> tensor<4x6xf16>
  return
}

// -----

func.func @dequantize_q6_shape(%x: tensor<4x6xi8>, %s: tensor<f32>) {
  // expected-error @+1 {{Q6: expects a result of 'tensor<4x6xf32>', but got 'tensor<4x5xf32>'}}
  %y = quantization.dequantize %x scale %s as u8 : tensor<4x6xi8>, tensor<f32> -> tensor<4x5xf32>
  return
}

// -----

func.func @dequantize_q12_form(%x: tensor<4x6xi8>, %s: tensor<f32>, %g: tensor<4xi32>) {
  // expected-error @+1 {{Q12: expects an axis, no block, and scales of the source's rank with groups}}
  %y = quantization.dequantize %x scale %s groups %g as u8 axis 0 : tensor<4x6xi8>, tensor<f32> groups tensor<4xi32> -> tensor<4x6xf32>
  return
}

// -----

func.func @dequantize_q12_type(%x: tensor<4x6xi8>, %s: tensor<2x6xf32>, %g: tensor<4xi8>) {
  // expected-error @+1 {{Q12: expects groups of i32 or i64, but got 'i8'}}
  %y = quantization.dequantize %x scale %s groups %g as u8 axis 0 : tensor<4x6xi8>, tensor<2x6xf32> groups tensor<4xi8> -> tensor<4x6xf32>
  return
}

// -----

func.func @dequantize_q12_size(%x: tensor<4x6xi8>, %s: tensor<2x6xf32>, %g: tensor<3xi32>) {
  // expected-error @+1 {{Q12: expects groups of 'tensor<4xi32>', but got 'tensor<3xi32>'}}
  %y = quantization.dequantize %x scale %s groups %g as u8 axis 0 : tensor<4x6xi8>, tensor<2x6xf32> groups tensor<3xi32> -> tensor<4x6xf32>
  return
}

// -----

func.func @range_q1(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{Q1: expects a zero point of 'i8', but got 'i16'}}
  %s, %z = quantization.range %x per tensor as u8 : tensor<4x6xf32> -> tensor<f32>, tensor<i16>
  return
}

// -----

func.func @range_q2_source(%x: tensor<4x6xf16>) {
  // expected-error @+1 {{Q2: expects a source of 'f32', but got 'f16'}}
  %s, %z = quantization.range %x per tensor as u8 : tensor<4x6xf16> -> tensor<f32>, tensor<i8>
  return
}

// -----

func.func @range_q2_scale(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{Q2: expects a scale of 'f32', but got 'f16'}}
  %s, %z = quantization.range %x per tensor as u8 : tensor<4x6xf32> -> tensor<f16>, tensor<i8>
  return
}

// -----

func.func @range_q4(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{Q4: expects a positive block per block, and only there}}
  %s, %z = quantization.range %x per tensor of 4 as u8 : tensor<4x6xf32> -> tensor<f32>, tensor<i8>
  return
}

// -----

func.func @range_q8(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{Q8: expects a format of integers of at most 8 bits, but got e4m3fn}}
  %s, %z = quantization.range %x per tensor as e4m3fn : tensor<4x6xf32> -> tensor<f32>, tensor<i8>
  return
}

// -----

func.func @range_q11_rank(%x: tensor<f32>) {
  // expected-error @+1 {{Q11: expects a source with rows, but got 'tensor<f32>'}}
  %s, %z = quantization.range %x per row as u8 : tensor<f32> -> tensor<f32>, tensor<i8>
  return
}

// -----

func.func @range_q11_scale(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{Q11: expects a scale of 'tensor<4x1xf32>', but got 'tensor<f32>'}}
  %s, %z = quantization.range %x per row as u8 : tensor<4x6xf32> -> tensor<f32>, tensor<i8>
  return
}

// -----

func.func @range_q11_zero(%x: tensor<4x6xf32>) {
  // expected-error @+1 {{Q11: expects a zero point of 'tensor<4x2xi8>', but got 'tensor<4x1xi8>'}}
  %s, %z = quantization.range %x per block of 4 as u8 : tensor<4x6xf32> -> tensor<4x2xf32>, tensor<4x1xi8>
  return
}

// -----

func.func @lookup_q1(%x: tensor<4xi16>, %t: tensor<256xf32>) {
  // expected-error @+1 {{Q1: expects a source of 'i8', but got 'i16'}}
  %y = quantization.lookup %x, %t : tensor<4xi16>, tensor<256xf32> -> tensor<4xf32>
  return
}

// -----

func.func @lookup_q10_size(%x: tensor<4xi8>, %t: tensor<255xf32>) {
  // expected-error @+1 {{Q10: expects a table of 'tensor<256xf32>', but got 'tensor<255xf32>'}}
  %y = quantization.lookup %x, %t : tensor<4xi8>, tensor<255xf32> -> tensor<4xf32>
  return
}

// -----

func.func @lookup_q10_type(%x: tensor<4xi8>, %t: tensor<256xf32>) {
  // expected-error @+1 {{Q10: expects a table of 'f16', but got 'f32'}}
  %y = quantization.lookup %x, %t : tensor<4xi8>, tensor<256xf32> -> tensor<4xf16>
  return
}

// -----

func.func @lookup_q10_shape(%x: tensor<4xi8>, %t: tensor<256xf32>) {
  // expected-error @+1 {{Q10: expects a result of 'tensor<4xf32>', but got 'tensor<5xf32>'}}
  %y = quantization.lookup %x, %t : tensor<4xi8>, tensor<256xf32> -> tensor<5xf32>
  return
}
