// RUN: tessera-opt %s --split-input-file --quantization-raise-contractions --remark-format=emitRemark --remark-policy=all --remarks-filter='quantization' --verify-diagnostics | FileCheck %s

// CHECK-NOT: quantization.matmul
// CHECK-NOT: quantization.conv

// expected-remark @+1 {{1 of 1 products are computed in float}}
func.func @float_activation(%x: tensor<4x6xf32>, %p: tensor<6x5xi8>) -> tensor<4x5xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x5xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x5xf32>) -> tensor<4x5xf32>
  %w = quantization.dequantize %p scale %s as i8 : tensor<6x5xi8>, tensor<f32> -> tensor<6x5xf32>
  // expected-remark @+1 {{the product stays in float: its left operand is not dequantized}}
  %y = linalg.matmul ins(%x, %w : tensor<4x6xf32>, tensor<6x5xf32>)
                     outs(%f : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

// expected-remark @+1 {{1 of 1 products are computed in float}}
func.func @float_weight(%q: tensor<4x6xi8>, %w: tensor<6x5xf32>) -> tensor<4x5xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x5xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x5xf32>) -> tensor<4x5xf32>
  %x = quantization.dequantize %q scale %s as u8 : tensor<4x6xi8>, tensor<f32> -> tensor<4x6xf32>
  // expected-remark @+1 {{the product stays in float: its right operand is not dequantized}}
  %y = linalg.matmul ins(%x, %w : tensor<4x6xf32>, tensor<6x5xf32>)
                     outs(%f : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

// expected-remark @+1 {{1 of 1 products are computed in float}}
func.func @wide_format(%q: tensor<4x6xi8>, %p: tensor<6x5xi16>) -> tensor<4x5xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x5xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x5xf32>) -> tensor<4x5xf32>
  %x = quantization.dequantize %q scale %s as u8 : tensor<4x6xi8>, tensor<f32> -> tensor<4x6xf32>
  %w = quantization.dequantize %p scale %s as i16 : tensor<6x5xi16>, tensor<f32> -> tensor<6x5xf32>
  // expected-remark @+1 {{the product stays in float: its right operand has the format i16, no integers of at most 8 bits}}
  %y = linalg.matmul ins(%x, %w : tensor<4x6xf32>, tensor<6x5xf32>)
                     outs(%f : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

// expected-remark @+1 {{1 of 1 products are computed in float}}
func.func @float_format(%q: tensor<4x6xi8>, %p: tensor<6x5xi8>) -> tensor<4x5xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x5xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x5xf32>) -> tensor<4x5xf32>
  %x = quantization.dequantize %q scale %s as u8 : tensor<4x6xi8>, tensor<f32> -> tensor<4x6xf32>
  %w = quantization.dequantize %p scale %s as e4m3fn : tensor<6x5xi8>, tensor<f32> -> tensor<6x5xf32>
  // expected-remark @+1 {{the product stays in float: its right operand has the format e4m3fn, no integers of at most 8 bits}}
  %y = linalg.matmul ins(%x, %w : tensor<4x6xf32>, tensor<6x5xf32>)
                     outs(%f : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

// expected-remark @+1 {{1 of 1 products are computed in float}}
func.func @blocks(%q: tensor<4x6xi8>, %p: tensor<6x5xi8>, %b: tensor<2x5xf32>) -> tensor<4x5xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x5xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x5xf32>) -> tensor<4x5xf32>
  %x = quantization.dequantize %q scale %s as u8 : tensor<4x6xi8>, tensor<f32> -> tensor<4x6xf32>
  %w = quantization.dequantize %p scale %b as u4 axis 0 block 3 : tensor<6x5xi8>, tensor<2x5xf32> -> tensor<6x5xf32>
  // expected-remark @+1 {{the product stays in float: its right operand has scales of blocks}}
  %y = linalg.matmul ins(%x, %w : tensor<4x6xf32>, tensor<6x5xf32>)
                     outs(%f : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

// expected-remark @+1 {{1 of 1 products are computed in float}}
func.func @float_zero_point(%q: tensor<4x6xi8>, %p: tensor<6x5xi8>, %z: tensor<f32>) -> tensor<4x5xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x5xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x5xf32>) -> tensor<4x5xf32>
  %x = quantization.dequantize %q scale %s as u8 : tensor<4x6xi8>, tensor<f32> -> tensor<4x6xf32>
  %w = quantization.dequantize %p scale %s zero %z as u8 : tensor<6x5xi8>, tensor<f32> zero tensor<f32> -> tensor<6x5xf32>
  // expected-remark @+1 {{the product stays in float: its right operand has a zero point that is a float}}
  %y = linalg.matmul ins(%x, %w : tensor<4x6xf32>, tensor<6x5xf32>)
                     outs(%f : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

// expected-remark @+1 {{1 of 1 products are computed in float}}
func.func @scales_along_the_sum(%q: tensor<4x6xi8>, %p: tensor<6x5xi8>, %b: tensor<6xf32>) -> tensor<4x5xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x5xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x5xf32>) -> tensor<4x5xf32>
  %x = quantization.dequantize %q scale %s as u8 : tensor<4x6xi8>, tensor<f32> -> tensor<4x6xf32>
  %w = quantization.dequantize %p scale %b as i8 axis 0 : tensor<6x5xi8>, tensor<6xf32> -> tensor<6x5xf32>
  // expected-remark @+1 {{the product stays in float: its right operand has scales along a dimension that is summed over}}
  %y = linalg.matmul ins(%x, %w : tensor<4x6xf32>, tensor<6x5xf32>)
                     outs(%f : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

// expected-remark @+1 {{1 of 1 products are computed in float}}
func.func @deep_sums(%q: tensor<4x40000xi8>, %p: tensor<40000x5xi8>, %z: tensor<i8>) -> tensor<4x5xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x5xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x5xf32>) -> tensor<4x5xf32>
  %x = quantization.dequantize %q scale %s zero %z as u8 : tensor<4x40000xi8>, tensor<f32> zero tensor<i8> -> tensor<4x40000xf32>
  %w = quantization.dequantize %p scale %s zero %z as i8 : tensor<40000x5xi8>, tensor<f32> zero tensor<i8> -> tensor<40000x5xf32>
  // expected-remark @+1 {{the product stays in float: its sums may be too large for i32}}
  %y = linalg.matmul ins(%x, %w : tensor<4x40000xf32>, tensor<40000x5xf32>)
                     outs(%f : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// -----

#a = affine_map<(b, m, n, k) -> (b, m, k)>
#b = affine_map<(b, m, n, k) -> (b, k, n)>
#y = affine_map<(b, m, n, k) -> (b, m, n)>

// expected-remark @+1 {{1 of 1 products are computed in float}}
func.func @zero_points_of_one_axis(%q: tensor<2x4x6xi8>, %p: tensor<2x6x5xi8>, %c: tensor<5xf32>, %z: tensor<5xi8>)
    -> tensor<2x4x5xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4x5xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x5xf32>) -> tensor<2x4x5xf32>
  %x = quantization.dequantize %q scale %s as u8 : tensor<2x4x6xi8>, tensor<f32> -> tensor<2x4x6xf32>
  %w = quantization.dequantize %p scale %c zero %z as i8 axis 2
    : tensor<2x6x5xi8>, tensor<5xf32> zero tensor<5xi8> -> tensor<2x6x5xf32>
  // expected-remark @+1 {{the product stays in float: its right operand has zero points along one of several dimensions}}
  %y = linalg.contract indexing_maps = [#a, #b, #y]
    ins(%x, %w : tensor<2x4x6xf32>, tensor<2x6x5xf32>)
    outs(%f : tensor<2x4x5xf32>) -> tensor<2x4x5xf32>
  return %y : tensor<2x4x5xf32>
}

// -----

// expected-remark @+1 {{1 of 1 products are computed in float}}
func.func @scales_of_images(%x: tensor<2x8x8x4xi8>, %w: tensor<3x3x4x6xi8>, %c: tensor<2xf32>)
    -> tensor<2x6x6x6xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %a = quantization.dequantize %x scale %c as u8 axis 0
    : tensor<2x8x8x4xi8>, tensor<2xf32> -> tensor<2x8x8x4xf32>
  %b = quantization.dequantize %w scale %s as i8 : tensor<3x3x4x6xi8>, tensor<f32> -> tensor<3x3x4x6xf32>
  // expected-remark @+1 {{the product stays in float: its left operand has several scales}}
  %y = graph.conv %a, %b strides [1, 1] dilations [1, 1] pads [0, 0], [0, 0] groups 1
    : tensor<2x8x8x4xf32>, tensor<3x3x4x6xf32> -> tensor<2x6x6x6xf32>
  return %y : tensor<2x6x6x6xf32>
}

// -----

// The probabilities are floats: attention is one operation.
// expected-remark @+1 {{2 of 2 products are computed in float}}
func.func @float_attention(%q: tensor<4x8xi8>, %k: tensor<8x6xi8>, %v: tensor<6x5xf32>)
    -> tensor<4x5xf32> {
  %s = arith.constant dense<0.5> : tensor<f32>
  %half = arith.constant dense<0.5> : tensor<4x6xf32>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x6xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  %a = quantization.dequantize %q scale %s as i8 : tensor<4x8xi8>, tensor<f32> -> tensor<4x8xf32>
  %b = quantization.dequantize %k scale %s as i8 : tensor<8x6xi8>, tensor<f32> -> tensor<8x6xf32>
  // expected-remark @+1 {{the product stays in float: its attention stays one operation, whose probabilities are floats}}
  %y = linalg.matmul ins(%a, %b : tensor<4x8xf32>, tensor<8x6xf32>)
                     outs(%f : tensor<4x6xf32>) -> tensor<4x6xf32>
  %t = arith.mulf %y, %half : tensor<4x6xf32>
  %p = linalg.softmax dimension(1) ins(%t : tensor<4x6xf32>) outs(%e : tensor<4x6xf32>) -> tensor<4x6xf32>
  %e2 = tensor.empty() : tensor<4x5xf32>
  %f2 = linalg.fill ins(%zero : f32) outs(%e2 : tensor<4x5xf32>) -> tensor<4x5xf32>
  // expected-remark @+1 {{the product stays in float: its left operand is not dequantized}}
  %o = linalg.matmul ins(%p, %v : tensor<4x6xf32>, tensor<6x5xf32>)
                     outs(%f2 : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %o : tensor<4x5xf32>
}
