// RUN: tessera-opt %s --quantization-fold-parameters --canonicalize | FileCheck %s

// CHECK-LABEL: @behind_a_reshape
func.func @behind_a_reshape(%q: tensor<2x3xi8>) -> tensor<2x3xf32> {
  // CHECK: %[[S:.+]] = arith.constant dense<[1.000000e+00, 2.000000e+00, 3.000000e+00]>
  // CHECK: dequantize %{{.+}} scale %[[S]] as i8 axis 1
  %c = arith.constant dense<[[1.0, 2.0, 3.0]]> : tensor<1x3xf32>
  %s = tensor.collapse_shape %c [[0, 1]] : tensor<1x3xf32> into tensor<3xf32>
  %z = arith.constant dense<0> : tensor<3xi8>
  %y = quantization.dequantize %q scale %s zero %z as i8 axis 1
    : tensor<2x3xi8>, tensor<3xf32> zero tensor<3xi8> -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// Numbers that are all equal are one.
// CHECK-LABEL: @equal_numbers
func.func @equal_numbers(%x: tensor<2x3xf32>) -> tensor<2x3xi8> {
  // CHECK: quantize %{{.+}} scale %{{.+}} zero %{{.+}} as u8 : tensor<2x3xf32>, tensor<f32> zero tensor<i8>
  %s = arith.constant dense<[0.5, 0.5, 0.5]> : tensor<3xf32>
  %z = arith.constant dense<[7, 7, 7]> : tensor<3xi8>
  %q = quantization.quantize %x scale %s zero %z as u8 axis 1
    : tensor<2x3xf32>, tensor<3xf32> zero tensor<3xi8> -> tensor<2x3xi8>
  return %q : tensor<2x3xi8>
}

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>

// CHECK-LABEL: @products
func.func @products(%a: tensor<4x6xi8>, %b: tensor<6x5xi8>, %za: tensor<i8>) -> tensor<4x5xi32> {
  // CHECK: matmul %arg0 as u8 zero %arg2, %arg1 as i8 maps
  %z = arith.constant dense<0> : tensor<5xi8>
  %y = quantization.matmul %a as u8 zero %za, %b as i8 zero %z maps [#a, #b, #y]
    : tensor<4x6xi8> zero tensor<i8>, tensor<6x5xi8> zero tensor<5xi8> -> tensor<4x5xi32>
  return %y : tensor<4x5xi32>
}

// CHECK-LABEL: @unknown_zero_point
func.func @unknown_zero_point(%q: tensor<2x3xi8>, %z: tensor<i8>) -> tensor<2x3xf32> {
  // CHECK: dequantize %{{.+}} scale %{{.+}} zero %arg1 as i8
  %s = arith.constant dense<1.5> : tensor<f32>
  %y = quantization.dequantize %q scale %s zero %z as i8
    : tensor<2x3xi8>, tensor<f32> zero tensor<i8> -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}

// Those of float formats are added, which changes -0.
// CHECK-LABEL: @float_format
func.func @float_format(%q: tensor<2x3xi8>) -> tensor<2x3xf32> {
  // CHECK: dequantize %{{.+}} scale %{{.+}} zero %{{.+}} as e4m3fn
  %s = arith.constant dense<1.5> : tensor<f32>
  %z = arith.constant dense<0> : tensor<i8>
  %y = quantization.dequantize %q scale %s zero %z as e4m3fn
    : tensor<2x3xi8>, tensor<f32> zero tensor<i8> -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}
