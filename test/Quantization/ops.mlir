// RUN: tessera-opt %s | tessera-opt | FileCheck %s
// RUN: tessera-opt %s --mlir-print-op-generic | tessera-opt | FileCheck %s

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>

// CHECK-LABEL: @elements
func.func @elements(%x: tensor<?x64xf32>, %s: tensor<f32>, %z: tensor<i8>, %c: tensor<64xf32>,
                    %t: tensor<256xf32>) -> tensor<?x64xf32> {
  // CHECK: quantization.quantize %{{.+}} scale %{{.+}} zero %{{.+}} as u8 : tensor<?x64xf32>, tensor<f32> zero tensor<i8> -> tensor<?x64xi8>
  %q = quantization.quantize %x scale %s zero %z as u8
    : tensor<?x64xf32>, tensor<f32> zero tensor<i8> -> tensor<?x64xi8>
  // CHECK: quantization.dequantize %{{.+}} scale %{{.+}} as i8 axis 1 : tensor<?x64xi8>, tensor<64xf32> -> tensor<?x64xf32>
  %d = quantization.dequantize %q scale %c as i8 axis 1
    : tensor<?x64xi8>, tensor<64xf32> -> tensor<?x64xf32>
  // CHECK: quantization.quantize %{{.+}} scale %{{.+}} as e4m3fn {saturate = false} : tensor<?x64xf32>, tensor<f32> -> tensor<?x64xi8>
  %f = quantization.quantize %d scale %s as e4m3fn {saturate = false}
    : tensor<?x64xf32>, tensor<f32> -> tensor<?x64xi8>
  // CHECK: quantization.lookup %{{.+}}, %{{.+}} : tensor<?x64xi8>, tensor<256xf32> -> tensor<?x64xf32>
  %l = quantization.lookup %f, %t : tensor<?x64xi8>, tensor<256xf32> -> tensor<?x64xf32>
  return %l : tensor<?x64xf32>
}

// CHECK-LABEL: @blocks
func.func @blocks(%w: tensor<70x16xi8>, %s: tensor<3x16xf32>, %z: tensor<3x16xi8>,
                  %g: tensor<70xi32>) -> (tensor<70x16xf32>, tensor<70x16xf32>) {
  // CHECK: quantization.dequantize %{{.+}} scale %{{.+}} zero %{{.+}} as u4 axis 0 block 32
  %a = quantization.dequantize %w scale %s zero %z as u4 axis 0 block 32
    : tensor<70x16xi8>, tensor<3x16xf32> zero tensor<3x16xi8> -> tensor<70x16xf32>
  // CHECK: quantization.dequantize %{{.+}} scale %{{.+}} groups %{{.+}} as u4 axis 0 : tensor<70x16xi8>, tensor<3x16xf32> groups tensor<70xi32> -> tensor<70x16xf32>
  %b = quantization.dequantize %w scale %s groups %g as u4 axis 0
    : tensor<70x16xi8>, tensor<3x16xf32> groups tensor<70xi32> -> tensor<70x16xf32>
  return %a, %b : tensor<70x16xf32>, tensor<70x16xf32>
}

// CHECK-LABEL: @ranges
func.func @ranges(%x: tensor<?x70xf32>)
    -> (tensor<f32>, tensor<i8>, tensor<?x1xf32>, tensor<?x1xi8>, tensor<?x3xf32>, tensor<?x3xi8>) {
  // CHECK: quantization.range %{{.+}} per tensor as u8 : tensor<?x70xf32> -> tensor<f32>, tensor<i8>
  %s, %z = quantization.range %x per tensor as u8 : tensor<?x70xf32> -> tensor<f32>, tensor<i8>
  // CHECK: quantization.range %{{.+}} per row symmetric as i8
  %r, %rz = quantization.range %x per row symmetric as i8
    : tensor<?x70xf32> -> tensor<?x1xf32>, tensor<?x1xi8>
  // CHECK: quantization.range %{{.+}} per block of 32 symmetric as i8
  %b, %bz = quantization.range %x per block of 32 symmetric as i8
    : tensor<?x70xf32> -> tensor<?x3xf32>, tensor<?x3xi8>
  return %s, %z, %r, %rz, %b, %bz : tensor<f32>, tensor<i8>, tensor<?x1xf32>, tensor<?x1xi8>,
                                    tensor<?x3xf32>, tensor<?x3xi8>
}

// CHECK-LABEL: @products
func.func @products(%a: tensor<?x64xi8>, %b: tensor<64x32xi8>, %z: tensor<i8>, %n: tensor<32xi8>,
                    %c: tensor<32xi32>) -> (tensor<?x32xi32>, tensor<?x32xi32>) {
  // CHECK: quantization.matmul %{{.+}} as u8, %{{.+}} as i8 maps [#{{.+}}, #{{.+}}, #{{.+}}] : tensor<?x64xi8>, tensor<64x32xi8> -> tensor<?x32xi32>
  %x = quantization.matmul %a as u8, %b as i8 maps [#a, #b, #y]
    : tensor<?x64xi8>, tensor<64x32xi8> -> tensor<?x32xi32>
  // CHECK: quantization.matmul %{{.+}} as u8 zero %{{.+}}, %{{.+}} as i8 zero %{{.+}} bias %{{.+}} maps
  // CHECK-SAME: tensor<?x64xi8> zero tensor<i8>, tensor<64x32xi8> zero tensor<32xi8> bias tensor<32xi32> -> tensor<?x32xi32>
  %y = quantization.matmul %a as u8 zero %z, %b as i8 zero %n bias %c maps [#a, #b, #y]
    : tensor<?x64xi8> zero tensor<i8>, tensor<64x32xi8> zero tensor<32xi8> bias tensor<32xi32>
      -> tensor<?x32xi32>
  return %x, %y : tensor<?x32xi32>, tensor<?x32xi32>
}

// CHECK-LABEL: @convolution
func.func @convolution(%x: tensor<1x?x8x4xi8>, %w: tensor<3x3x2x6xi8>, %z: tensor<i8>,
                       %c: tensor<6xi32>) -> tensor<1x?x8x6xi32> {
  // CHECK: quantization.conv %{{.+}} as u8 zero %{{.+}}, %{{.+}} as i8 bias %{{.+}} strides [1, 1] dilations [1, 1] pads [1, 1], [1, 1] groups 2
  %y = quantization.conv %x as u8 zero %z, %w as i8 bias %c strides [1, 1] dilations [1, 1]
      pads [1, 1], [1, 1] groups 2
    : tensor<1x?x8x4xi8> zero tensor<i8>, tensor<3x3x2x6xi8> bias tensor<6xi32>
      -> tensor<1x?x8x6xi32>
  return %y : tensor<1x?x8x6xi32>
}

// CHECK-LABEL: @block_product
func.func @block_product(%a: tensor<?x70xi8>, %sa: tensor<?x3xf32>, %b: tensor<70x16xi8>,
                         %sb: tensor<3x16xf32>, %z: tensor<3x16xi8>) -> tensor<?x16xf32> {
  // CHECK: quantization.block_matmul %{{.+}} as i8 scale %{{.+}}, %{{.+}} as u4 scale %{{.+}} zero %{{.+}} block 32
  %y = quantization.block_matmul %a as i8 scale %sa, %b as u4 scale %sb zero %z block 32
    : tensor<?x70xi8>, tensor<?x3xf32>, tensor<70x16xi8>, tensor<3x16xf32> zero tensor<3x16xi8>
      -> tensor<?x16xf32>
  return %y : tensor<?x16xf32>
}
