// RUN: tessera-opt %s --pass-pipeline='builtin.module(func.func(quantization-fold-scales),canonicalize)' | FileCheck %s

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>

// CHECK-LABEL: @columns
func.func @columns(%a: tensor<4x6xi8>, %b: tensor<6x5xi8>, %m: tensor<5xf32>) -> tensor<4x5xi8> {
  // CHECK-DAG: %[[ONE:.+]] = arith.constant dense<1.000000e+00> : tensor<f32>
  // CHECK-DAG: %[[S:.+]] = arith.constant dense<2.500000e-01> : tensor<5xf32>
  // CHECK: %[[F:.+]] = arith.divf %arg2, %[[S]]
  // CHECK: %[[W:.+]] = graph.broadcast_to %[[F]]
  // CHECK: %[[P:.+]] = arith.mulf %{{.+}}, %[[W]]
  // CHECK: quantization.quantize %[[P]] scale %[[ONE]] as u8
  %s = arith.constant dense<0.25> : tensor<f32>
  %i = quantization.matmul %a as u8, %b as i8 maps [#a, #b, #y]
    : tensor<4x6xi8>, tensor<6x5xi8> -> tensor<4x5xi32>
  %f = arith.sitofp %i : tensor<4x5xi32> to tensor<4x5xf32>
  %w = graph.broadcast_to %m : tensor<5xf32> -> tensor<4x5xf32>
  %p = arith.mulf %f, %w : tensor<4x5xf32>
  %q = quantization.quantize %p scale %s as u8 : tensor<4x5xf32>, tensor<f32> -> tensor<4x5xi8>
  return %q : tensor<4x5xi8>
}

// CHECK-LABEL: @limited_at_zero
func.func @limited_at_zero(%a: tensor<4x6xi8>, %b: tensor<6x5xi8>) -> tensor<4x5xi8> {
  // CHECK-DAG: %[[M:.+]] = arith.constant dense<2.000000e+00> : tensor<4x5xf32>
  // CHECK: %[[P:.+]] = arith.mulf %{{.+}}, %[[M]]
  // CHECK: arith.maximumf %[[P]]
  %s = arith.constant dense<0.25> : tensor<f32>
  %m = arith.constant dense<0.5> : tensor<4x5xf32>
  %zero = arith.constant dense<0.0> : tensor<4x5xf32>
  %i = quantization.matmul %a as u8, %b as i8 maps [#a, #b, #y]
    : tensor<4x6xi8>, tensor<6x5xi8> -> tensor<4x5xi32>
  %f = arith.sitofp %i : tensor<4x5xi32> to tensor<4x5xf32>
  %p = arith.mulf %f, %m : tensor<4x5xf32>
  %r = arith.maximumf %p, %zero : tensor<4x5xf32>
  %q = quantization.quantize %r scale %s as u8 : tensor<4x5xf32>, tensor<f32> -> tensor<4x5xi8>
  return %q : tensor<4x5xi8>
}

// CHECK-LABEL: @also_read_in_float
func.func @also_read_in_float(%a: tensor<4x6xi8>, %b: tensor<6x5xi8>)
    -> (tensor<4x5xi8>, tensor<4x5xf32>) {
  // CHECK: %[[S:.+]] = arith.constant dense<2.500000e-01> : tensor<f32>
  %s = arith.constant dense<0.25> : tensor<f32>
  %m = arith.constant dense<0.5> : tensor<4x5xf32>
  %i = quantization.matmul %a as u8, %b as i8 maps [#a, #b, #y]
    : tensor<4x6xi8>, tensor<6x5xi8> -> tensor<4x5xi32>
  %f = arith.sitofp %i : tensor<4x5xi32> to tensor<4x5xf32>
  // CHECK: %[[P:.+]] = arith.mulf
  // CHECK: quantization.quantize %[[P]] scale %[[S]]
  %p = arith.mulf %f, %m : tensor<4x5xf32>
  %q = quantization.quantize %p scale %s as u8 : tensor<4x5xf32>, tensor<f32> -> tensor<4x5xi8>
  return %q, %p : tensor<4x5xi8>, tensor<4x5xf32>
}

// CHECK-LABEL: @no_product
func.func @no_product(%i: tensor<4xi32>) -> tensor<4xi8> {
  // CHECK: arith.constant dense<2.500000e-01> : tensor<f32>
  %s = arith.constant dense<0.25> : tensor<f32>
  %m = arith.constant dense<0.5> : tensor<4xf32>
  %f = arith.sitofp %i : tensor<4xi32> to tensor<4xf32>
  %p = arith.mulf %f, %m : tensor<4xf32>
  %q = quantization.quantize %p scale %s as u8 : tensor<4xf32>, tensor<f32> -> tensor<4xi8>
  return %q : tensor<4xi8>
}
