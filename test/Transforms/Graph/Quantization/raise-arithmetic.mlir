// RUN: tessera-opt %s --pass-pipeline='builtin.module(func.func(quantization-raise-arithmetic),canonicalize)' --split-input-file | FileCheck %s

// CHECK-LABEL: @dequantize
func.func @dequantize(%q: tensor<?x4xi8>, %n: index) -> tensor<?x4xf32> {
  // CHECK-DAG: %[[Z:.+]] = arith.constant dense<-56> : tensor<i8>
  // CHECK-DAG: %[[S:.+]] = arith.constant dense<5.000000e-01> : tensor<f32>
  // CHECK: quantization.dequantize %arg0 scale %[[S]] zero %[[Z]] as u8
  %z = arith.constant dense<200.0> : tensor<f32>
  %s = arith.constant dense<0.5> : tensor<f32>
  %f = arith.uitofp %q : tensor<?x4xi8> to tensor<?x4xf32>
  %zs = graph.broadcast_to %z sizes(%n) : tensor<f32> -> tensor<?x4xf32>
  %d = arith.subf %f, %zs : tensor<?x4xf32>
  %ss = graph.broadcast_to %s sizes(%n) : tensor<f32> -> tensor<?x4xf32>
  %y = arith.mulf %d, %ss : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}

// -----

// CHECK-LABEL: @dequantize_columns
func.func @dequantize_columns(%q: tensor<4x3xi8>, %s: tensor<4xf32>) -> tensor<4x3xf32> {
  // CHECK: quantization.dequantize %arg0 scale %arg1 as i8 axis 0
  %f = arith.sitofp %q : tensor<4x3xi8> to tensor<4x3xf32>
  %e = tensor.expand_shape %s [[0, 1]] output_shape [4, 1] : tensor<4xf32> into tensor<4x1xf32>
  %ss = graph.broadcast_to %e : tensor<4x1xf32> -> tensor<4x3xf32>
  %y = arith.mulf %f, %ss : tensor<4x3xf32>
  return %y : tensor<4x3xf32>
}

// -----

// Whoever imports may have converted small weights.
// CHECK-LABEL: @converted
func.func @converted(%s: tensor<2xf32>) -> (tensor<2x2xf32>, tensor<2x2xf32>) {
  // CHECK-DAG: %[[Q:.+]] = arith.constant dense<{{\[\[}}1, -128], [0, 127]]> : tensor<2x2xi8>
  // CHECK: quantization.dequantize %[[Q]] scale %arg0 as i8 axis 1
  // CHECK: arith.mulf
  %q = arith.constant dense<[[1.0, -128.0], [0.0, 127.0]]> : tensor<2x2xf32>
  %w = arith.constant dense<[[1.5, -128.0], [0.0, 127.0]]> : tensor<2x2xf32>
  %ss = graph.broadcast_to %s : tensor<2xf32> -> tensor<2x2xf32>
  %y = arith.mulf %q, %ss : tensor<2x2xf32>
  %z = arith.mulf %w, %ss : tensor<2x2xf32>
  return %y, %z : tensor<2x2xf32>, tensor<2x2xf32>
}

// -----

// CHECK-LABEL: @integer_difference
func.func @integer_difference(%q: tensor<4xi8>) -> tensor<4xf32> {
  // CHECK: quantization.dequantize %arg0 scale %{{.+}} zero %{{.+}} as i8
  %z = arith.constant dense<-3> : tensor<4xi32>
  %s = arith.constant dense<0.5> : tensor<4xf32>
  %w = arith.extsi %q : tensor<4xi8> to tensor<4xi32>
  %d = arith.subi %w, %z : tensor<4xi32>
  %f = arith.sitofp %d : tensor<4xi32> to tensor<4xf32>
  %y = arith.mulf %f, %s : tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// CHECK-LABEL: @wrapping_difference
func.func @wrapping_difference(%q: tensor<4xi8>) -> tensor<4xf32> {
  // CHECK: %[[D:.+]] = arith.subi
  // CHECK: quantization.dequantize %[[D]] scale %{{.+}} as i8
  %z = arith.constant dense<-3> : tensor<4xi8>
  %s = arith.constant dense<0.5> : tensor<4xf32>
  %d = arith.subi %q, %z : tensor<4xi8>
  %f = arith.sitofp %d : tensor<4xi8> to tensor<4xf32>
  %y = arith.mulf %f, %s : tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

// CHECK-LABEL: @no_zero_point
func.func @no_zero_point(%q: tensor<4xi8>, %x: tensor<4xi32>) -> (tensor<4xf32>, tensor<4xf32>) {
  // CHECK-NOT: quantization
  %z = arith.constant dense<0.25> : tensor<4xf32>
  %s = arith.constant dense<0.5> : tensor<4xf32>
  %f = arith.sitofp %q : tensor<4xi8> to tensor<4xf32>
  %d = arith.subf %f, %z : tensor<4xf32>
  %y = arith.mulf %d, %s : tensor<4xf32>
  // Sums of a product are no bytes.
  %g = arith.sitofp %x : tensor<4xi32> to tensor<4xf32>
  %w = arith.mulf %g, %s : tensor<4xf32>
  return %y, %w : tensor<4xf32>, tensor<4xf32>
}

// -----

// CHECK-LABEL: @quantize
func.func @quantize(%x: tensor<4xf32>) -> tensor<4xi8> {
  // CHECK-DAG: %[[S:.+]] = arith.constant dense<5.000000e-01> : tensor<f32>
  // CHECK-DAG: %[[Z:.+]] = arith.constant dense<3> : tensor<i8>
  // CHECK: quantization.quantize %arg0 scale %[[S]] zero %[[Z]] as u8
  %s = arith.constant dense<0.5> : tensor<4xf32>
  %z = arith.constant dense<3.0> : tensor<4xf32>
  %low = arith.constant dense<0.0> : tensor<4xf32>
  %high = arith.constant dense<255.0> : tensor<4xf32>
  %limit = arith.constant dense<2147483648.0> : tensor<4xf32>
  %least = arith.constant dense<-2147483648.0> : tensor<4xf32>
  %d = arith.divf %x, %s : tensor<4xf32>
  %r = math.roundeven %d : tensor<4xf32>
  %m = arith.addf %r, %z : tensor<4xf32>
  %a = arith.maximumf %m, %low : tensor<4xf32>
  %b = arith.minimumf %a, %high : tensor<4xf32>
  %abs = math.absf %b : tensor<4xf32>
  %fits = arith.cmpf olt, %abs, %limit : tensor<4xf32>
  %c = arith.select %fits, %b, %least : tensor<4xi1>, tensor<4xf32>
  %i = arith.fptosi %c : tensor<4xf32> to tensor<4xi32>
  %q = arith.trunci %i : tensor<4xi32> to tensor<4xi8>
  return %q : tensor<4xi8>
}

// -----

// CHECK-LABEL: @reciprocal
func.func @reciprocal(%x: tensor<4xf32>) -> tensor<4xi8> {
  // CHECK: %[[ONE:.+]] = arith.constant dense<1.000000e+00> : tensor<f32>
  // CHECK: quantization.quantize %{{.+}} scale %[[ONE]] as i8
  %s = arith.constant dense<2.0> : tensor<4xf32>
  %low = arith.constant dense<-128.0> : tensor<4xf32>
  %high = arith.constant dense<127.0> : tensor<4xf32>
  %d = arith.mulf %x, %s : tensor<4xf32>
  %r = math.roundeven %d : tensor<4xf32>
  %a = arith.minimumf %r, %high : tensor<4xf32>
  %b = arith.maximumf %a, %low : tensor<4xf32>
  %i = arith.fptosi %b : tensor<4xf32> to tensor<4xi32>
  %q = arith.trunci %i : tensor<4xi32> to tensor<4xi8>
  return %q : tensor<4xi8>
}

// -----

// CHECK-LABEL: @other_limits
func.func @other_limits(%x: tensor<4xf32>) -> tensor<4xi8> {
  // CHECK-NOT: quantization
  %low = arith.constant dense<-100.0> : tensor<4xf32>
  %high = arith.constant dense<127.0> : tensor<4xf32>
  %r = math.roundeven %x : tensor<4xf32>
  %a = arith.minimumf %r, %high : tensor<4xf32>
  %b = arith.maximumf %a, %low : tensor<4xf32>
  %i = arith.fptosi %b : tensor<4xf32> to tensor<4xi32>
  %q = arith.trunci %i : tensor<4xi32> to tensor<4xi8>
  return %q : tensor<4xi8>
}
