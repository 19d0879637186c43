// RUN: tessera-opt %s --graph-simplify-powers | FileCheck %s

// CHECK-LABEL: func.func @cube
// CHECK-SAME:    %[[X:.*]]: tensor<?x8xf32>
// CHECK:         %[[S:.*]] = arith.mulf %[[X]], %[[X]]
// CHECK:         %[[C:.*]] = arith.mulf %[[S]], %[[X]]
// CHECK:         return %[[C]]
func.func @cube(%x: tensor<?x8xf32>, %n: index) -> tensor<?x8xf32> {
  %three = arith.constant dense<3.0> : tensor<f32>
  %e = graph.broadcast_to %three sizes(%n) : tensor<f32> -> tensor<?x8xf32>
  %p = math.powf %x, %e : tensor<?x8xf32>
  return %p : tensor<?x8xf32>
}

// CHECK-LABEL: func.func @fourth
// CHECK:         %[[S:.*]] = arith.mulf %[[X:.*]], %[[X]]
// CHECK:         arith.mulf %[[S]], %[[S]]
func.func @fourth(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = arith.constant dense<4.0> : tensor<4xf32>
  %p = math.powf %x, %e : tensor<4xf32>
  return %p : tensor<4xf32>
}

// CHECK-LABEL: func.func @square_of_f16
// CHECK:         arith.mulf
// CHECK-NOT:     arith.mulf
func.func @square_of_f16(%x: tensor<4xf16>) -> tensor<4xf16> {
  %e = arith.constant dense<2.0> : tensor<4xf16>
  %p = math.powf %x, %e : tensor<4xf16>
  return %p : tensor<4xf16>
}

// Minus infinity becomes infinity before the root, and -0 becomes 0 after it.

// CHECK-LABEL: func.func @root
// CHECK-SAME:    %[[X:.*]]: tensor<?xf32>
// CHECK:         arith.constant dense<0xFF800000>
// CHECK:         %[[I:.*]] = arith.cmpf oeq, %[[X]]
// CHECK:         arith.constant dense<0x7F800000>
// CHECK:         %[[F:.*]] = arith.select %[[I]], %{{.*}}, %[[X]]
// CHECK:         %[[R:.*]] = math.sqrt %[[F]]
// CHECK:         math.absf %[[R]]
func.func @root(%x: tensor<?xf32>, %n: index) -> tensor<?xf32> {
  %half = arith.constant dense<0.5> : tensor<f32>
  %e = graph.broadcast_to %half sizes(%n) : tensor<f32> -> tensor<?xf32>
  %p = math.powf %x, %e : tensor<?xf32>
  return %p : tensor<?xf32>
}

// CHECK-LABEL: func.func @reciprocal
// CHECK:         arith.divf %{{.*}}, %arg0
func.func @reciprocal(%x: tensor<4xf32>) -> tensor<4xf32> {
  %e = arith.constant dense<-1.0> : tensor<4xf32>
  %p = math.powf %x, %e : tensor<4xf32>
  return %p : tensor<4xf32>
}

// Two roundings of f16, a fraction, and exponents that differ stay powers.

// CHECK-LABEL: func.func @kept
// CHECK-COUNT-3: math.powf
func.func @kept(%x: tensor<4xf16>, %y: tensor<2xf32>)
    -> (tensor<4xf16>, tensor<2xf32>, tensor<2xf32>) {
  %three = arith.constant dense<3.0> : tensor<4xf16>
  %a = math.powf %x, %three : tensor<4xf16>
  %third = arith.constant dense<0.3> : tensor<2xf32>
  %b = math.powf %y, %third : tensor<2xf32>
  %both = arith.constant dense<[2.0, 3.0]> : tensor<2xf32>
  %c = math.powf %y, %both : tensor<2xf32>
  return %a, %b, %c : tensor<4xf16>, tensor<2xf32>, tensor<2xf32>
}

// An element of a small constant is a scalar.

// CHECK-LABEL: func.func @root_of_scalar
// CHECK:         arith.constant 0xFF800000 : f32
// CHECK:         math.sqrt %{{.*}} : f32
func.func @root_of_scalar(%x: f32) -> f32 {
  %e = arith.constant 0.5 : f32
  %p = math.powf %x, %e : f32
  return %p : f32
}
