// RUN: tessera-opt %s --pass-pipeline='builtin.module(func.func(quantization-choose-signs))' --split-input-file | FileCheck %s

// CHECK-LABEL: @left
func.func @left(%x: tensor<1x8x8x4xf32>, %w: tensor<3x3x4x6xi8>, %s: tensor<f32>)
    -> (tensor<1x6x6x6xi32>, tensor<1x8x8x4xf32>) {
  // CHECK: %[[Z:.+]] = arith.constant dense<-128> : tensor<i8>
  // CHECK: %[[Q:.+]] = quantization.quantize %arg0 scale %arg2 zero %[[Z]] as u8
  %q = quantization.quantize %x scale %s as i8 : tensor<1x8x8x4xf32>, tensor<f32> -> tensor<1x8x8x4xi8>
  // CHECK: quantization.conv %[[Q]] as u8 zero %{{.+}}, %arg1 as i8
  %y = quantization.conv %q as i8, %w as i8 strides [1, 1] dilations [1, 1] pads [0, 0], [0, 0] groups 1
    : tensor<1x8x8x4xi8>, tensor<3x3x4x6xi8> -> tensor<1x6x6x6xi32>
  // CHECK: quantization.dequantize %[[Q]] scale %arg2 zero %{{.+}} as u8
  %d = quantization.dequantize %q scale %s as i8 : tensor<1x8x8x4xi8>, tensor<f32> -> tensor<1x8x8x4xf32>
  return %y, %d : tensor<1x6x6x6xi32>, tensor<1x8x8x4xf32>
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (n, k)>
#t = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>

// A zero point at the end of the range goes away.
// CHECK-LABEL: @lowest_zero_point
func.func @lowest_zero_point(%x: tensor<4x8xf32>, %b: tensor<6x8xi8>, %s: tensor<f32>) -> tensor<4x6xi32> {
  // CHECK: %[[Q:.+]] = quantization.quantize %arg0 scale %arg2 as u8
  // CHECK: quantization.matmul %[[Q]] as u8, %arg1 as i8
  %z = arith.constant dense<-128> : tensor<i8>
  %q = quantization.quantize %x scale %s zero %z as i8 : tensor<4x8xf32>, tensor<f32> zero tensor<i8> -> tensor<4x8xi8>
  %y = quantization.matmul %q as i8 zero %z, %b as i8 maps [#a, #b, #y]
    : tensor<4x8xi8> zero tensor<i8>, tensor<6x8xi8> -> tensor<4x6xi32>
  return %y : tensor<4x6xi32>
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#t = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>

// CHECK-LABEL: @right_through_movement
func.func @right_through_movement(%x: tensor<6x8xf32>, %a: tensor<4x8xi8>, %s: tensor<f32>, %z: tensor<i8>)
    -> tensor<4x6xi32> {
  // CHECK: %[[Z:.+]] = arith.xori %arg3
  // CHECK: quantization.quantize %arg0 scale %arg2 zero %[[Z]] as i8
  // CHECK: quantization.matmul %arg1 as u8, %{{.+}} as i8 zero %{{.+}} maps
  %q = quantization.quantize %x scale %s zero %z as u8 : tensor<6x8xf32>, tensor<f32> zero tensor<i8> -> tensor<6x8xi8>
  %e = tensor.empty() : tensor<8x6xi8>
  %t = linalg.transpose ins(%q : tensor<6x8xi8>) outs(%e : tensor<8x6xi8>) permutation = [1, 0]
  %y = quantization.matmul %a as u8, %t as u8 zero %z maps [#a, #t, #y]
    : tensor<4x8xi8>, tensor<8x6xi8> zero tensor<i8> -> tensor<4x6xi32>
  return %y : tensor<4x6xi32>
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

// CHECK-LABEL: @both_sides
func.func @both_sides(%x: tensor<4x8xf32>, %s: tensor<f32>) -> tensor<4x4xi32> {
  // CHECK: quantization.quantize %arg0 scale %arg1 as i8
  %q = quantization.quantize %x scale %s as i8 : tensor<4x8xf32>, tensor<f32> -> tensor<4x8xi8>
  %y = quantization.matmul %q as i8, %q as i8 maps [#a, #b, #y]
    : tensor<4x8xi8>, tensor<4x8xi8> -> tensor<4x4xi32>
  return %y : tensor<4x4xi32>
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (n, k)>
#y = affine_map<(m, n, k) -> (m, n)>

// Who calls the model wants the bytes as they are.
// CHECK-LABEL: @returned
func.func @returned(%x: tensor<4x8xf32>, %b: tensor<6x8xi8>, %s: tensor<f32>) -> (tensor<4x6xi32>, tensor<4x8xi8>) {
  // CHECK: quantization.quantize %arg0 scale %arg2 as i8
  %q = quantization.quantize %x scale %s as i8 : tensor<4x8xf32>, tensor<f32> -> tensor<4x8xi8>
  %y = quantization.matmul %q as i8, %b as i8 maps [#a, #b, #y]
    : tensor<4x8xi8>, tensor<6x8xi8> -> tensor<4x6xi32>
  return %y, %q : tensor<4x6xi32>, tensor<4x8xi8>
}
