// RUN: tessera-opt %s --quantization-raise-contractions --remark-format=emitRemark --remark-policy=all --remarks-filter='quantization' --verify-diagnostics | FileCheck %s

// The scale of the bias is not 0.5 * 0.5.
// CHECK-LABEL: @other_scale
func.func @other_scale(%a: tensor<4x6xi8>, %b: tensor<6x2xi8>, %c: tensor<2xi32>) -> tensor<4x2xf32> {
  // CHECK-NOT: bias
  // CHECK: %[[P:.+]] = arith.mulf
  // CHECK: arith.addf %[[P]]
  %sa = arith.constant dense<0.5> : tensor<f32>
  %sc = arith.constant dense<0.251> : tensor<f32>
  %x = quantization.dequantize %a scale %sa as u8 : tensor<4x6xi8>, tensor<f32> -> tensor<4x6xf32>
  %w = quantization.dequantize %b scale %sa as i8 : tensor<6x2xi8>, tensor<f32> -> tensor<6x2xf32>
  // expected-remark @+1 {{the bias stays a float: its scale is not the product of the operands' scales}}
  %v = quantization.dequantize %c scale %sc as i32 : tensor<2xi32>, tensor<f32> -> tensor<2xf32>
  %wide = graph.broadcast_to %v : tensor<2xf32> -> tensor<4x2xf32>
  %e = tensor.empty() : tensor<4x2xf32>
  %zero = arith.constant 0.0 : f32
  %g = linalg.fill ins(%zero : f32) outs(%e : tensor<4x2xf32>) -> tensor<4x2xf32>
  // expected-remark @+1 {{raised to a product of integers}}
  %y = linalg.matmul ins(%x, %w : tensor<4x6xf32>, tensor<6x2xf32>)
                     outs(%g : tensor<4x2xf32>) -> tensor<4x2xf32>
  %r = arith.addf %y, %wide : tensor<4x2xf32>
  return %r : tensor<4x2xf32>
}
