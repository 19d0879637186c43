// RUN: tessera-opt %s --quantization-to-arith --split-input-file | FileCheck %s

// CHECK-LABEL: @quantize
func.func @quantize(%x: tensor<4xf32>, %s: tensor<f32>, %z: tensor<i8>) -> tensor<4xi8> {
  // CHECK: %[[Q:.+]] = arith.divf
  // CHECK: %[[R:.+]] = math.roundeven %[[Q]]
  // CHECK: %[[Z:.+]] = arith.addf %[[R]]
  // A NaN is not above the least number.
  // CHECK: %[[ABOVE:.+]] = arith.cmpf ogt, %[[Z]]
  // CHECK: arith.select %[[ABOVE]]
  // CHECK: arith.cmpf olt
  // CHECK: arith.fptosi %{{.+}} : tensor<4xf32> to tensor<4xi32>
  // CHECK: arith.trunci
  %q = quantization.quantize %x scale %s zero %z as u8
    : tensor<4xf32>, tensor<f32> zero tensor<i8> -> tensor<4xi8>
  return %q : tensor<4xi8>
}

// -----

// A quotient by 1 and a zero point of 0 cost nothing.
// CHECK-LABEL: @free_parameters
func.func @free_parameters(%x: tensor<4xf32>) -> tensor<4xi8> {
  // CHECK-NOT: divf
  // CHECK-NOT: addf
  %s = arith.constant dense<1.0> : tensor<f32>
  %z = arith.constant dense<0> : tensor<i8>
  %q = quantization.quantize %x scale %s zero %z as i8
    : tensor<4xf32>, tensor<f32> zero tensor<i8> -> tensor<4xi8>
  return %q : tensor<4xi8>
}

// -----

// What is dequantized at once never becomes an integer: limits are 0 - 3 and 255 - 3.
// CHECK-LABEL: @at_once
func.func @at_once(%x: tensor<4xf32>, %s: tensor<f32>, %t: tensor<f32>) -> tensor<4xf32> {
  // CHECK: math.roundeven
  // CHECK-NOT: addf
  // CHECK: arith.constant dense<-3.000000e+00>
  // CHECK: arith.cmpf ogt
  // CHECK: arith.constant dense<2.520000e+02>
  // CHECK: arith.cmpf olt
  // CHECK-NOT: fptosi
  // CHECK: arith.mulf
  %z = arith.constant dense<3> : tensor<i8>
  %q = quantization.quantize %x scale %s zero %z as u8
    : tensor<4xf32>, tensor<f32> zero tensor<i8> -> tensor<4xi8>
  %y = quantization.dequantize %q scale %t zero %z as u8
    : tensor<4xi8>, tensor<f32> zero tensor<i8> -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// CHECK-LABEL: @dequantize_columns
func.func @dequantize_columns(%q: tensor<?x3x2xi8>, %s: tensor<3xf32>, %z: tensor<3xi8>)
    -> tensor<?x3x2xf32> {
  // CHECK: %[[W:.+]] = arith.extui %{{.+}} : tensor<?x3x2xi8> to tensor<?x3x2xi32>
  // CHECK: tensor.expand_shape %{{.+}} {{\[\[}}0, 1]] output_shape [3, 1] : tensor<3xi32> into tensor<3x1xi32>
  // CHECK: %[[D:.+]] = arith.subi %[[W]]
  // CHECK: %[[F:.+]] = arith.sitofp %[[D]]
  // CHECK: arith.mulf %[[F]]
  %x = quantization.dequantize %q scale %s zero %z as u8 axis 1
    : tensor<?x3x2xi8>, tensor<3xf32> zero tensor<3xi8> -> tensor<?x3x2xf32>
  return %x : tensor<?x3x2xf32>
}

// -----

// The last block is short.
// CHECK-LABEL: @dequantize_blocks
func.func @dequantize_blocks(%q: tensor<70x4xi8>, %s: tensor<3x4xf32>) -> tensor<70x4xf32> {
  // CHECK: arith.shli
  // CHECK: arith.shrsi
  // CHECK: graph.broadcast_to %{{.+}} : tensor<3x1x4xf32> -> tensor<3x32x4xf32>
  // CHECK: tensor.collapse_shape
  // CHECK: tensor.extract_slice %{{.+}} : tensor<96x4xf32> to tensor<70x4xf32>
  %x = quantization.dequantize %q scale %s as i4 axis 0 block 32
    : tensor<70x4xi8>, tensor<3x4xf32> -> tensor<70x4xf32>
  return %x : tensor<70x4xf32>
}

// -----

// CHECK-LABEL: @dequantize_groups
func.func @dequantize_groups(%q: tensor<70x4xi8>, %s: tensor<3x4xf32>, %g: tensor<70xi32>)
    -> tensor<70x4xf32> {
  // CHECK: graph.gather %{{.+}}[%{{.+}}] axis 0 : tensor<3x4xf32>, tensor<70xi32> -> tensor<70x4xf32>
  %x = quantization.dequantize %q scale %s groups %g as u4 axis 0
    : tensor<70x4xi8>, tensor<3x4xf32> groups tensor<70xi32> -> tensor<70x4xf32>
  return %x : tensor<70x4xf32>
}

// -----

// CHECK-LABEL: @range_of_rows
func.func @range_of_rows(%x: tensor<?x8xf32>) -> (tensor<?x1xf32>, tensor<?x1xi8>) {
  // CHECK: linalg.reduce {{.*}}dimensions = [1]
  // CHECK: arith.minimumf
  // CHECK: arith.maximumf
  // CHECK: arith.divf
  // A range of 0 has the scale 1.
  // CHECK: arith.cmpf oeq
  // CHECK: arith.select
  %s, %z = quantization.range %x per row as u8
    : tensor<?x8xf32> -> tensor<?x1xf32>, tensor<?x1xi8>
  return %s, %z : tensor<?x1xf32>, tensor<?x1xi8>
}

// -----

// CHECK-LABEL: @lookup
func.func @lookup(%q: tensor<4xi8>, %t: tensor<256xi8>) -> tensor<4xi8> {
  // CHECK: %[[I:.+]] = arith.extui %{{.+}} : tensor<4xi8> to tensor<4xi32>
  // CHECK: graph.gather %{{.+}}[%[[I]]] axis 0
  %y = quantization.lookup %q, %t : tensor<4xi8>, tensor<256xi8> -> tensor<4xi8>
  return %y : tensor<4xi8>
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>

// The zero point joins the bias.
// CHECK-LABEL: @matmul
func.func @matmul(%a: tensor<?x64xi8>, %b: tensor<64x32xi8>, %z: tensor<i8>, %c: tensor<32xi32>)
    -> tensor<?x32xi32> {
  // CHECK-NOT: xori
  // CHECK: %[[P:.+]] = linalg.generic
  // CHECK: arith.extui
  // CHECK: arith.extsi
  // CHECK: linalg.reduce {{.*}}dimensions = [0]
  // CHECK: arith.muli
  // CHECK: %[[BIAS:.+]] = arith.subi %{{.+}} : tensor<32xi32>
  // CHECK: %[[WIDE:.+]] = graph.broadcast_to %[[BIAS]]
  // CHECK: arith.addi %[[P]], %[[WIDE]]
  %y = quantization.matmul %a as u8 zero %z, %b as i8 bias %c maps [#a, #b, #y]
    : tensor<?x64xi8> zero tensor<i8>, tensor<64x32xi8> bias tensor<32xi32> -> tensor<?x32xi32>
  return %y : tensor<?x32xi32>
}

// -----

#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#y = affine_map<(m, n, k) -> (m, n)>

// Signs are changed where they are not those of a builder's operands.
// CHECK-LABEL: @other_signs
func.func @other_signs(%a: tensor<4x8xi8>, %b: tensor<8x6xi8>, %zb: tensor<6xi8>)
    -> tensor<4x6xi32> {
  // CHECK: arith.xori %arg0
  // CHECK: arith.xori %arg1
  // CHECK: linalg.generic
  // CHECK: linalg.reduce {{.*}}dimensions = [0]
  // CHECK: linalg.reduce {{.*}}dimensions = [1]
  %y = quantization.matmul %a as i8, %b as u8 zero %zb maps [#a, #b, #y]
    : tensor<4x8xi8>, tensor<8x6xi8> zero tensor<6xi8> -> tensor<4x6xi32>
  return %y : tensor<4x6xi32>
}

// -----

// Without a zero point the convolution pads itself.
// CHECK-LABEL: @conv
func.func @conv(%x: tensor<1x?x8x4xi8>, %w: tensor<3x3x4x6xi8>) -> tensor<1x?x8x6xi32> {
  // CHECK-NOT: tensor.pad
  // CHECK: graph.conv %{{.+}} pads [1, 1], [1, 1] groups 1 unsigned : tensor<1x?x8x4xi8>
  %y = quantization.conv %x as u8, %w as i8 strides [1, 1] dilations [1, 1]
      pads [1, 1], [1, 1] groups 1
    : tensor<1x?x8x4xi8>, tensor<3x3x4x6xi8> -> tensor<1x?x8x6xi32>
  return %y : tensor<1x?x8x6xi32>
}

// -----

// CHECK-LABEL: @conv_with_zero_points
func.func @conv_with_zero_points(%x: tensor<1x8x8x4xi8>, %w: tensor<3x3x4x6xi8>, %z: tensor<i8>,
                                 %zw: tensor<6xi8>) -> tensor<1x8x8x6xi32> {
  // CHECK: %[[PAD:.+]] = tensor.extract
  // CHECK: tensor.pad
  // CHECK: graph.conv %{{.+}} pads [0, 0], [0, 0] groups 1 unsigned
  // CHECK: linalg.reduce {{.*}}dimensions = [0, 1, 2]
  // The sums under the windows.
  // CHECK: graph.conv {{.*}} -> tensor<1x8x8x1xi32>
  %y = quantization.conv %x as u8 zero %z, %w as i8 zero %zw strides [1, 1] dilations [1, 1]
      pads [1, 1], [1, 1] groups 1
    : tensor<1x8x8x4xi8> zero tensor<i8>, tensor<3x3x4x6xi8> zero tensor<6xi8>
      -> tensor<1x8x8x6xi32>
  return %y : tensor<1x8x8x6xi32>
}

// -----

// CHECK-LABEL: @depthwise
func.func @depthwise(%x: tensor<1x8x8x4xi8>, %w: tensor<3x3x1x4xi8>, %z: tensor<i8>)
    -> tensor<1x8x8x4xi32> {
  // CHECK: tensor.pad
  // CHECK: graph.conv {{.*}} groups 4 unsigned : tensor<1x10x10x4xi8>, tensor<3x3x1x4xi8> -> tensor<1x8x8x4xi32>
  %y = quantization.conv %x as u8 zero %z, %w as i8 strides [1, 1] dilations [1, 1]
      pads [1, 1], [1, 1] groups 4
    : tensor<1x8x8x4xi8> zero tensor<i8>, tensor<3x3x1x4xi8> -> tensor<1x8x8x4xi32>
  return %y : tensor<1x8x8x4xi32>
}

// -----

// Sums that f32 does not hold.
// CHECK-LABEL: @wide_depthwise
func.func @wide_depthwise(%x: tensor<1x40x40x4xi8>, %w: tensor<25x25x1x4xi8>)
    -> tensor<1x16x16x4xi32> {
  // CHECK: graph.conv {{.*}} groups 4 : tensor<1x40x40x4xi32>
  %y = quantization.conv %x as u8, %w as u8 strides [1, 1] dilations [1, 1]
      pads [0, 0], [0, 0] groups 4
    : tensor<1x40x40x4xi8>, tensor<25x25x1x4xi8> -> tensor<1x16x16x4xi32>
  return %y : tensor<1x16x16x4xi32>
}

// -----

// CHECK-LABEL: @block_matmul
func.func @block_matmul(%a: tensor<4x70xi8>, %sa: tensor<4x3xf32>, %b: tensor<70x6xi8>,
                        %sb: tensor<3x6xf32>, %z: tensor<3x6xi8>) -> tensor<4x6xf32> {
  // CHECK: tensor.pad
  // CHECK: linalg.generic
  // CHECK: arith.mulf
  // CHECK: linalg.reduce {{.*}}dimensions = [0]
  %y = quantization.block_matmul %a as i8 scale %sa, %b as u4 scale %sb zero %z block 32
    : tensor<4x70xi8>, tensor<4x3xf32>, tensor<70x6xi8>, tensor<3x6xf32> zero tensor<3x6xi8>
      -> tensor<4x6xf32>
  return %y : tensor<4x6xf32>
}
