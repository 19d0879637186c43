// RUN: tessera-opt %s --pass-pipeline='builtin.module(func.func(quantization-move-through))' | FileCheck %s

// CHECK-LABEL: @transposed_weight
func.func @transposed_weight(%w: tensor<8x4xi8>, %s: tensor<8xf32>) -> tensor<4x8xf32> {
  // CHECK: %[[T:.+]] = linalg.transpose {{.*}} outs(%{{.+}} : tensor<4x8xi8>) permutation = [1, 0]
  // CHECK: dequantize %[[T]] scale %{{.+}} as i8 axis 1
  %d = quantization.dequantize %w scale %s as i8 axis 0
    : tensor<8x4xi8>, tensor<8xf32> -> tensor<8x4xf32>
  %e = tensor.empty() : tensor<4x8xf32>
  %t = linalg.transpose ins(%d : tensor<8x4xf32>) outs(%e : tensor<4x8xf32>) permutation = [1, 0]
  return %t : tensor<4x8xf32>
}

// CHECK-LABEL: @reshaped
func.func @reshaped(%q: tensor<?x3x8xi8>, %s: tensor<8xf32>) -> tensor<?x8xf32> {
  // CHECK: %[[R:.+]] = tensor.collapse_shape {{.*}} : tensor<?x3x8xi8> into tensor<?x8xi8>
  // CHECK: dequantize %[[R]] scale %{{.+}} as u8 axis 1
  %d = quantization.dequantize %q scale %s as u8 axis 2
    : tensor<?x3x8xi8>, tensor<8xf32> -> tensor<?x3x8xf32>
  %r = tensor.collapse_shape %d [[0, 1], [2]] : tensor<?x3x8xf32> into tensor<?x8xf32>
  return %r : tensor<?x8xf32>
}

// The axis is joined with another one: so are its scales.
// CHECK-LABEL: @joined_axis
func.func @joined_axis(%q: tensor<4x3x8xi8>, %s: tensor<3xf32>) -> tensor<12x8xf32> {
  // CHECK: %[[Q:.+]] = tensor.collapse_shape %arg0
  // CHECK: %[[E:.+]] = tensor.expand_shape %arg1 {{.*}} : tensor<3xf32> into tensor<1x3xf32>
  // CHECK: %[[B:.+]] = graph.broadcast_to %[[E]] : tensor<1x3xf32> -> tensor<4x3xf32>
  // CHECK: %[[S:.+]] = tensor.collapse_shape %[[B]] {{.*}} : tensor<4x3xf32> into tensor<12xf32>
  // CHECK: dequantize %[[Q]] scale %[[S]] as u8 axis 0
  %d = quantization.dequantize %q scale %s as u8 axis 1
    : tensor<4x3x8xi8>, tensor<3xf32> -> tensor<4x3x8xf32>
  %r = tensor.collapse_shape %d [[0, 1], [2]] : tensor<4x3x8xf32> into tensor<12x8xf32>
  return %r : tensor<12x8xf32>
}

// CHECK-LABEL: @unknown_joined_axis
func.func @unknown_joined_axis(%q: tensor<?x3x8xi8>, %s: tensor<3xf32>) -> tensor<?x8xf32> {
  // CHECK: dequantize
  // CHECK: tensor.collapse_shape
  %d = quantization.dequantize %q scale %s as u8 axis 1
    : tensor<?x3x8xi8>, tensor<3xf32> -> tensor<?x3x8xf32>
  %r = tensor.collapse_shape %d [[0, 1], [2]] : tensor<?x3x8xf32> into tensor<?x8xf32>
  return %r : tensor<?x8xf32>
}

// CHECK-LABEL: @with_units
func.func @with_units(%q: tensor<8xi8>, %s: tensor<8xf32>) -> tensor<1x8x1xf32> {
  // CHECK: %[[R:.+]] = tensor.expand_shape
  // CHECK: dequantize %[[R]] scale %{{.+}} as u8 axis 1
  %d = quantization.dequantize %q scale %s as u8 axis 0
    : tensor<8xi8>, tensor<8xf32> -> tensor<8xf32>
  %r = tensor.expand_shape %d [[0, 1, 2]] output_shape [1, 8, 1] : tensor<8xf32> into tensor<1x8x1xf32>
  return %r : tensor<1x8x1xf32>
}

// CHECK-LABEL: @sliced_axis
func.func @sliced_axis(%q: tensor<4x8xi8>, %s: tensor<8xf32>, %t: tensor<f32>)
    -> (tensor<4x4xf32>, tensor<4x4xf32>) {
  // CHECK: %[[D:.+]] = quantization.dequantize %arg0 scale %arg1
  // CHECK: tensor.extract_slice %[[D]]
  // CHECK: %[[S:.+]] = tensor.extract_slice %arg0
  // CHECK: quantization.dequantize %[[S]] scale %arg2
  %d = quantization.dequantize %q scale %s as u8 axis 1
    : tensor<4x8xi8>, tensor<8xf32> -> tensor<4x8xf32>
  %a = tensor.extract_slice %d[0, 4] [4, 4] [1, 1] : tensor<4x8xf32> to tensor<4x4xf32>
  %c = quantization.dequantize %q scale %t as u8 : tensor<4x8xi8>, tensor<f32> -> tensor<4x8xf32>
  %b = tensor.extract_slice %c[0, 4] [4, 4] [1, 1] : tensor<4x8xf32> to tensor<4x4xf32>
  return %a, %b : tensor<4x4xf32>, tensor<4x4xf32>
}

// CHECK-LABEL: @reversed_axis
func.func @reversed_axis(%q: tensor<4x8xi8>, %s: tensor<8xf32>) -> tensor<4x8xf32> {
  // CHECK: dequantize
  // CHECK: graph.reverse
  %d = quantization.dequantize %q scale %s as u8 axis 1
    : tensor<4x8xi8>, tensor<8xf32> -> tensor<4x8xf32>
  %r = graph.reverse %d [1] : tensor<4x8xf32>
  return %r : tensor<4x8xf32>
}

// CHECK-LABEL: @half_precision
func.func @half_precision(%q: tensor<4x8xi8>, %s: tensor<f32>) -> tensor<32xf16> {
  // CHECK: %[[R:.+]] = tensor.collapse_shape %arg0
  // CHECK: %[[D:.+]] = quantization.dequantize %[[R]]
  // CHECK: arith.truncf %[[D]] : tensor<32xf32> to tensor<32xf16>
  %d = quantization.dequantize %q scale %s as u8 : tensor<4x8xi8>, tensor<f32> -> tensor<4x8xf32>
  %h = arith.truncf %d : tensor<4x8xf32> to tensor<4x8xf16>
  %r = tensor.collapse_shape %h [[0, 1]] : tensor<4x8xf16> into tensor<32xf16>
  return %r : tensor<32xf16>
}

// CHECK-LABEL: @quantized_transpose
func.func @quantized_transpose(%x: tensor<4x8xf32>, %s: tensor<f32>) -> tensor<8x4xi8> {
  // CHECK: %[[Q:.+]] = quantization.quantize %arg0
  // CHECK: linalg.transpose ins(%[[Q]]
  %e = tensor.empty() : tensor<8x4xf32>
  %t = linalg.transpose ins(%x : tensor<4x8xf32>) outs(%e : tensor<8x4xf32>) permutation = [1, 0]
  %q = quantization.quantize %t scale %s as u8 : tensor<8x4xf32>, tensor<f32> -> tensor<8x4xi8>
  return %q : tensor<8x4xi8>
}

// CHECK-LABEL: @also_read_in_float
func.func @also_read_in_float(%x: tensor<4x8xf32>, %s: tensor<f32>)
    -> (tensor<8x4xi8>, tensor<8x4xf32>) {
  // CHECK: %[[T:.+]] = linalg.transpose
  // CHECK: quantization.quantize %[[T]]
  %e = tensor.empty() : tensor<8x4xf32>
  %t = linalg.transpose ins(%x : tensor<4x8xf32>) outs(%e : tensor<8x4xf32>) permutation = [1, 0]
  %q = quantization.quantize %t scale %s as u8 : tensor<8x4xf32>, tensor<f32> -> tensor<8x4xi8>
  return %q, %t : tensor<8x4xi8>, tensor<8x4xf32>
}

// CHECK-LABEL: @joins
func.func @joins(%a: tensor<4x8xi8>, %b: tensor<4x8xi8>, %s: tensor<f32>, %t: tensor<f32>)
    -> (tensor<8x8xf32>, tensor<8x8xi8>) {
  // CHECK: %[[J:.+]] = tensor.concat dim(0) %arg0, %arg1
  // CHECK: quantization.dequantize %[[J]]
  %x = quantization.dequantize %a scale %s as u8 : tensor<4x8xi8>, tensor<f32> -> tensor<4x8xf32>
  %y = quantization.dequantize %b scale %s as u8 : tensor<4x8xi8>, tensor<f32> -> tensor<4x8xf32>
  %j = tensor.concat dim(0) %x, %y : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<8x8xf32>
  // Each part has its own scale: it is quantized by itself.
  // CHECK: %[[L:.+]] = quantization.quantize
  // CHECK: %[[R:.+]] = quantization.quantize
  // CHECK: tensor.concat dim(0) %[[L]], %[[R]] : (tensor<4x8xi8>, tensor<4x8xi8>) -> tensor<8x8xi8>
  %z = quantization.dequantize %b scale %t as u8 : tensor<4x8xi8>, tensor<f32> -> tensor<4x8xf32>
  %k = tensor.concat dim(0) %x, %z : (tensor<4x8xf32>, tensor<4x8xf32>) -> tensor<8x8xf32>
  %q = quantization.quantize %k scale %t as u8 : tensor<8x8xf32>, tensor<f32> -> tensor<8x8xi8>
  return %j, %q : tensor<8x8xf32>, tensor<8x8xi8>
}

// CHECK-LABEL: @padded
func.func @padded(%a: tensor<4x8xi8>, %s: tensor<f32>, %z: tensor<i8>) -> tensor<6x8xf32> {
  // CHECK: %[[Z:.+]] = tensor.extract %arg2[]
  // CHECK: %[[P:.+]] = tensor.pad %arg0 low[1, 0] high[1, 0]
  // CHECK: tensor.yield %[[Z]]
  // CHECK: quantization.dequantize %[[P]] scale %arg1 zero %arg2 as u8
  %zero = arith.constant 0.0 : f32
  %x = quantization.dequantize %a scale %s zero %z as u8
    : tensor<4x8xi8>, tensor<f32> zero tensor<i8> -> tensor<4x8xf32>
  %p = tensor.pad %x low[1, 0] high[1, 0] {
  ^bb0(%i: index, %j: index):
    tensor.yield %zero : f32
  } : tensor<4x8xf32> to tensor<6x8xf32>
  return %p : tensor<6x8xf32>
}
