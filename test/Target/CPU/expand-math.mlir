// RUN: tessera-opt %s --cpu-expand-math | FileCheck %s

// Only arithmetic is left, on vectors of any length and on scalars.
// CHECK-LABEL: func.func @vector_exp
// CHECK-NOT: math.exp
// CHECK: math.fma %{{.*}} : vector<16xf32>
// CHECK: arith.shli %{{.*}} : vector<16xi32>
// CHECK: arith.mulf %{{.*}} : vector<16xf32>
func.func @vector_exp(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.exp %x : vector<16xf32>
  return %y : vector<16xf32>
}

// Below 0 one constant for ln 2 and a polynomial of degree 5 will do.
// CHECK-LABEL: func.func @power_of_softmax
// CHECK: arith.cmpf
// CHECK-COUNT-7: math.fma
// CHECK-NOT: math.fma
// CHECK-NOT: arith.cmpf
func.func @power_of_softmax(%x: vector<16xf32>) -> vector<16xf32> {
  %y = math.exp %x {kernel.not_positive} : vector<16xf32>
  return %y : vector<16xf32>
}

// CHECK-LABEL: func.func @scalar_tanh
// CHECK-NOT: math.tanh
// CHECK: arith.divf %{{.*}} : f32
func.func @scalar_tanh(%x: f32) -> f32 {
  %y = math.tanh %x : f32
  return %y : f32
}

// The rest of a GELU: by one power of e, and not by a tangent.
// CHECK-LABEL: func.func @one_plus_tanh
// CHECK-COUNT-8: math.fma
// CHECK: %[[Y:.*]] = arith.divf
// CHECK-NOT: arith.addf
// CHECK: return %[[Y]]
func.func @one_plus_tanh(%x: vector<16xf32>) -> vector<16xf32> {
  %one = arith.constant dense<1.0> : vector<16xf32>
  %t = math.tanh %x : vector<16xf32>
  %y = arith.addf %one, %t : vector<16xf32>
  return %y : vector<16xf32>
}

// Half precision is computed in single.
// CHECK-LABEL: func.func @half_log
// CHECK: arith.extf %{{.*}} : vector<8xf16> to vector<8xf32>
// CHECK-NOT: math.log
// CHECK: arith.truncf %{{.*}} : vector<8xf32> to vector<8xf16>
func.func @half_log(%x: vector<8xf16>) -> vector<8xf16> {
  %y = math.log %x : vector<8xf16>
  return %y : vector<8xf16>
}

// Large angles go to libm, in double precision.
// CHECK-LABEL: func.func @angle
// CHECK: %[[ANY:.*]] = vector.reduction <or>
// CHECK: scf.if %[[ANY]]
// CHECK-COUNT-4: math.sin %{{.*}} : f64
// CHECK: else
// CHECK-NOT: math.sin
// CHECK: math.fma
func.func @angle(%x: vector<4xf32>) -> vector<4xf32> {
  %y = math.sin %x : vector<4xf32>
  return %y : vector<4xf32>
}

// The logarithm of a power has more digits than f32.
// CHECK-LABEL: func.func @power
// CHECK-NOT: math.powf
// CHECK: math.fma %{{.*}} : vector<2xf64>
// CHECK: arith.truncf %{{.*}} : vector<2xf64> to vector<2xf32>
func.func @power(%x: vector<2xf32>, %y: vector<2xf32>) -> vector<2xf32> {
  %z = math.powf %x, %y : vector<2xf32>
  return %z : vector<2xf32>
}

// CHECK-LABEL: func.func @arc_tangent
// CHECK-NOT: math.atan
// CHECK: math.copysign %{{.*}} : vector<8xf32>
func.func @arc_tangent(%x: vector<8xf32>) -> vector<8xf32> {
  %y = math.atan %x : vector<8xf32>
  return %y : vector<8xf32>
}

// CHECK-LABEL: func.func @by_element
// CHECK-COUNT-2: math.cbrt %{{.*}} : f64
// CHECK: vector.from_elements
func.func @by_element(%x: vector<2xf32>) -> vector<2xf32> {
  %y = math.cbrt %x : vector<2xf32>
  return %y : vector<2xf32>
}

// Double precision and tensors stay.
// CHECK-LABEL: func.func @kept
// CHECK: math.exp %{{.*}} : f64
// CHECK: math.exp %{{.*}} : tensor<4xf32>
func.func @kept(%x: f64, %t: tensor<4xf32>) -> (f64, tensor<4xf32>) {
  %y = math.exp %x : f64
  %u = math.exp %t : tensor<4xf32>
  return %y, %u : f64, tensor<4xf32>
}
