// RUN: tessera-opt %s --pass-pipeline='builtin.module(func.func(quantization-cancel))' | FileCheck %s

// CHECK-LABEL: @equal
func.func @equal(%q: tensor<4xi8>) -> tensor<4xi8> {
  // CHECK-NEXT: arith.constant
  // CHECK-NEXT: arith.constant
  // CHECK-NEXT: quantization.dequantize
  // CHECK-NEXT: return %arg0
  %s = arith.constant dense<0.5> : tensor<f32>
  %z = arith.constant dense<3> : tensor<i8>
  %x = quantization.dequantize %q scale %s zero %z as u8
    : tensor<4xi8>, tensor<f32> zero tensor<i8> -> tensor<4xf32>
  %r = quantization.quantize %x scale %s zero %z as u8
    : tensor<4xf32>, tensor<f32> zero tensor<i8> -> tensor<4xi8>
  return %r : tensor<4xi8>
}

// CHECK-LABEL: @other_format
func.func @other_format(%q: tensor<4xi8>) -> tensor<4xi8> {
  // CHECK: quantization.quantize
  %s = arith.constant dense<0.5> : tensor<f32>
  %x = quantization.dequantize %q scale %s as u8 : tensor<4xi8>, tensor<f32> -> tensor<4xf32>
  %r = quantization.quantize %x scale %s as i8 : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  return %r : tensor<4xi8>
}

// CHECK-LABEL: @other_zero_point
func.func @other_zero_point(%q: tensor<4xi8>, %z: tensor<i8>) -> tensor<4xi8> {
  // CHECK: quantization.quantize
  %s = arith.constant dense<0.5> : tensor<f32>
  %x = quantization.dequantize %q scale %s as u8 : tensor<4xi8>, tensor<f32> -> tensor<4xf32>
  %r = quantization.quantize %x scale %s zero %z as u8
    : tensor<4xf32>, tensor<f32> zero tensor<i8> -> tensor<4xi8>
  return %r : tensor<4xi8>
}

// The scale may be 0.
// CHECK-LABEL: @unknown_scale
func.func @unknown_scale(%q: tensor<4xi8>, %s: tensor<f32>) -> tensor<4xi8> {
  // CHECK: quantization.quantize
  %x = quantization.dequantize %q scale %s as u8 : tensor<4xi8>, tensor<f32> -> tensor<4xf32>
  %r = quantization.quantize %x scale %s as u8 : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  return %r : tensor<4xi8>
}

// Products of subnormal scales lose bits.
// CHECK-LABEL: @extreme_scale
func.func @extreme_scale(%q: tensor<4xi8>) -> tensor<4xi8> {
  // CHECK: quantization.quantize
  %s = arith.constant dense<1.0e-40> : tensor<f32>
  %x = quantization.dequantize %q scale %s as u8 : tensor<4xi8>, tensor<f32> -> tensor<4xf32>
  %r = quantization.quantize %x scale %s as u8 : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  return %r : tensor<4xi8>
}

// A range is never 0.
// CHECK-LABEL: @range
func.func @range(%x: tensor<4xf32>, %q: tensor<4xi8>) -> tensor<4xi8> {
  // CHECK-NOT: quantization.quantize
  // CHECK: return %arg1
  %s, %z = quantization.range %x per tensor as u8 : tensor<4xf32> -> tensor<f32>, tensor<i8>
  %y = quantization.dequantize %q scale %s zero %z as u8
    : tensor<4xi8>, tensor<f32> zero tensor<i8> -> tensor<4xf32>
  %r = quantization.quantize %y scale %s zero %z as u8
    : tensor<4xf32>, tensor<f32> zero tensor<i8> -> tensor<4xi8>
  return %r : tensor<4xi8>
}
