// RUN: tessera-opt %s --quantization-raise-contractions | FileCheck %s

// CHECK-LABEL: @matmul
// CHECK-SAME: %[[A:.+]]: tensor<?x6xi8>, %[[B:.+]]: tensor<6x5xi8>
func.func @matmul(%a: tensor<?x6xi8>, %b: tensor<6x5xi8>, %za: tensor<i8>, %sb: tensor<5xf32>,
                  %init: tensor<?x5xf32>) -> tensor<?x5xf32> {
  // CHECK: %[[I:.+]] = quantization.matmul %[[A]] as u8 zero %arg2, %[[B]] as i8 maps
  // CHECK: %[[F:.+]] = arith.sitofp %[[I]]
  // CHECK: %[[S:.+]] = arith.mulf %{{.+}}, %arg3 : tensor<5xf32>
  // CHECK: %[[W:.+]] = graph.broadcast_to %[[S]]
  // CHECK: %[[R:.+]] = arith.mulf %[[F]], %[[W]]
  // CHECK-NOT: linalg.matmul
  // CHECK: return %[[R]]
  %sa = arith.constant dense<0.5> : tensor<f32>
  %x = quantization.dequantize %a scale %sa zero %za as u8
    : tensor<?x6xi8>, tensor<f32> zero tensor<i8> -> tensor<?x6xf32>
  %w = quantization.dequantize %b scale %sb as i8 axis 1
    : tensor<6x5xi8>, tensor<5xf32> -> tensor<6x5xf32>
  %zero = arith.constant 0.0 : f32
  %f = linalg.fill ins(%zero : f32) outs(%init : tensor<?x5xf32>) -> tensor<?x5xf32>
  %y = linalg.matmul ins(%x, %w : tensor<?x6xf32>, tensor<6x5xf32>)
                     outs(%f : tensor<?x5xf32>) -> tensor<?x5xf32>
  return %y : tensor<?x5xf32>
}

// The scale of the bias is that of the sums: 0.5 * [0.5, 0.25].
// CHECK-LABEL: @joined_bias
func.func @joined_bias(%a: tensor<4x6xi8>, %b: tensor<6x2xi8>, %c: tensor<2xi32>)
    -> tensor<4x2xf32> {
  // CHECK: quantization.matmul %arg0 as u8, %arg1 as i8 bias %arg2 maps
  // CHECK: %[[R:.+]] = arith.mulf %{{.+}} : tensor<4x2xf32>
  // CHECK-NOT: arith.addf
  // CHECK: return %[[R]]
  %sa = arith.constant dense<0.5> : tensor<f32>
  %sb = arith.constant dense<[0.5, 0.25]> : tensor<2xf32>
  %sc = arith.constant dense<[0.25, 0.125]> : tensor<2xf32>
  %x = quantization.dequantize %a scale %sa as u8 : tensor<4x6xi8>, tensor<f32> -> tensor<4x6xf32>
  %w = quantization.dequantize %b scale %sb as i8 axis 1
    : tensor<6x2xi8>, tensor<2xf32> -> tensor<6x2xf32>
  %v = quantization.dequantize %c scale %sc as i32 axis 0
    : tensor<2xi32>, tensor<2xf32> -> tensor<2xf32>
  %wide = graph.broadcast_to %v : tensor<2xf32> -> tensor<4x2xf32>
  %e = tensor.empty() : tensor<4x2xf32>
  %zero = arith.constant 0.0 : f32
  %g = linalg.fill ins(%zero : f32) outs(%e : tensor<4x2xf32>) -> tensor<4x2xf32>
  %y = linalg.matmul ins(%x, %w : tensor<4x6xf32>, tensor<6x2xf32>)
                     outs(%g : tensor<4x2xf32>) -> tensor<4x2xf32>
  %r = arith.addf %y, %wide : tensor<4x2xf32>
  return %r : tensor<4x2xf32>
}

// CHECK-LABEL: @convolution
func.func @convolution(%x: tensor<1x8x8x4xi8>, %w: tensor<3x3x4x6xi8>, %z: tensor<i8>,
                       %sw: tensor<6xf32>) -> tensor<1x8x8x6xf32> {
  // CHECK: quantization.conv %arg0 as u8 zero %arg2, %arg1 as i8 strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1] groups 1
  // CHECK: arith.sitofp
  // CHECK-NOT: graph.conv
  %sx = arith.constant dense<0.5> : tensor<f32>
  %a = quantization.dequantize %x scale %sx zero %z as u8
    : tensor<1x8x8x4xi8>, tensor<f32> zero tensor<i8> -> tensor<1x8x8x4xf32>
  %b = quantization.dequantize %w scale %sw as i8 axis 3
    : tensor<3x3x4x6xi8>, tensor<6xf32> -> tensor<3x3x4x6xf32>
  %y = graph.conv %a, %b strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1] groups 1
    : tensor<1x8x8x4xf32>, tensor<3x3x4x6xf32> -> tensor<1x8x8x6xf32>
  return %y : tensor<1x8x8x6xf32>
}

#a = affine_map<(b, h, m, n, k) -> (b, h, m, k)>
#b = affine_map<(b, h, m, n, k) -> (b, h, k, n)>
#y = affine_map<(b, h, m, n, k) -> (b, h, m, n)>

// Activations on both sides, as in attention.
// CHECK-LABEL: @batches
func.func @batches(%q: tensor<2x4x7x8xi8>, %k: tensor<2x4x8x7xi8>, %s: tensor<f32>, %z: tensor<i8>)
    -> tensor<2x4x7x7xf32> {
  // CHECK: quantization.matmul %arg0 as u8 zero %arg3, %arg1 as u8 zero %arg3 maps
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<2x4x7x7xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<2x4x7x7xf32>) -> tensor<2x4x7x7xf32>
  %a = quantization.dequantize %q scale %s zero %z as u8
    : tensor<2x4x7x8xi8>, tensor<f32> zero tensor<i8> -> tensor<2x4x7x8xf32>
  %b = quantization.dequantize %k scale %s zero %z as u8
    : tensor<2x4x8x7xi8>, tensor<f32> zero tensor<i8> -> tensor<2x4x8x7xf32>
  %y = linalg.contract indexing_maps = [#a, #b, #y]
    ins(%a, %b : tensor<2x4x7x8xf32>, tensor<2x4x8x7xf32>)
    outs(%f : tensor<2x4x7x7xf32>) -> tensor<2x4x7x7xf32>
  return %y : tensor<2x4x7x7xf32>
}

// Operands of f16, whose sums are f32: nothing is rounded to f16 any more.
// CHECK-LABEL: @half_precision
func.func @half_precision(%a: tensor<4x6xi8>, %b: tensor<6x5xi8>, %s: tensor<f32>) -> tensor<4x5xf32> {
  // CHECK: quantization.matmul %arg0 as u8, %arg1 as i8 maps
  // CHECK-NOT: linalg.matmul
  %x = quantization.dequantize %a scale %s as u8 : tensor<4x6xi8>, tensor<f32> -> tensor<4x6xf32>
  %w = quantization.dequantize %b scale %s as i8 : tensor<6x5xi8>, tensor<f32> -> tensor<6x5xf32>
  %p = arith.truncf %x : tensor<4x6xf32> to tensor<4x6xf16>
  %q = arith.truncf %w : tensor<6x5xf32> to tensor<6x5xf16>
  %zero = arith.constant 0.0 : f32
  %e = tensor.empty() : tensor<4x5xf32>
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x5xf32>) -> tensor<4x5xf32>
  %y = linalg.matmul ins(%p, %q : tensor<4x6xf16>, tensor<6x5xf16>)
                     outs(%f : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}

// Nothing is said of models without quantized tensors.
// CHECK-LABEL: @floats
func.func @floats(%x: tensor<4x6xf32>, %w: tensor<6x5xf32>, %f: tensor<4x5xf32>) -> tensor<4x5xf32> {
  // CHECK: linalg.matmul
  %y = linalg.matmul ins(%x, %w : tensor<4x6xf32>, tensor<6x5xf32>)
                     outs(%f : tensor<4x5xf32>) -> tensor<4x5xf32>
  return %y : tensor<4x5xf32>
}
