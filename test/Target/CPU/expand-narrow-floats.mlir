// RUN: tessera-opt %s -cpu-expand-narrow-floats | FileCheck %s
// RUN: tessera-opt %s -cpu-expand-narrow-floats=f16c=false | FileCheck %s --check-prefix=SOFT

// CHECK-LABEL: func.func @arithmetic
// CHECK:         arith.addf {{.*}} : vector<8xf32>
// CHECK-NOT:     arith.truncf
func.func @arithmetic(%a: vector<8xbf16>, %b: vector<8xbf16>) -> vector<8xbf16> {
  %c = arith.addf %a, %b : vector<8xbf16>
  return %c : vector<8xbf16>
}

// A comparison takes what is rounded.
// CHECK-LABEL: func.func @compared
// CHECK:         %[[S:.*]] = arith.addf {{.*}} : f32
// CHECK:         %[[H:.*]] = arith.truncf %[[S]] {{.*}}: f32 to f16
// CHECK:         %[[W:.*]] = arith.extf %[[H]] {{.*}}: f16 to f32
// CHECK:         arith.cmpf oeq, %[[W]]
func.func @compared(%a: f16, %b: f16) -> i1 {
  %c = arith.addf %a, %b : f16
  %d = arith.cmpf oeq, %c, %a : f16
  return %d : i1
}

// CHECK-LABEL: func.func @integer
// CHECK:         %[[F:.*]] = arith.sitofp %arg0 : i32 to f32
// CHECK:         %[[H:.*]] = arith.truncf %[[F]] {{.*}}: f32 to f16
// CHECK:         arith.extf %[[H]] {{.*}}: f16 to f32
func.func @integer(%a: i32, %b: f16) -> f16 {
  %c = arith.sitofp %a : i32 to f16
  %d = arith.addf %c, %b : f16
  return %d : f16
}

// Arithmetic goes on in f32.
// CHECK-LABEL: func.func @chain
// CHECK:         %[[P:.*]] = arith.mulf {{.*}} : f32
// CHECK-NEXT:    arith.addf %[[P]]
func.func @chain(%a: f16, %b: f16) -> f16 {
  %c = arith.mulf %a, %b : f16
  %d = arith.addf %c, %b : f16
  return %d : f16
}

// CHECK-LABEL: func.func @function
// CHECK:         math.tanh {{.*}} : f32
func.func @function(%a: f16) -> f16 {
  %b = math.tanh %a : f16
  return %b : f16
}

// CHECK-LABEL: func.func @half
// CHECK:         arith.truncf %arg0 : f32 to f16
// SOFT-LABEL:  func.func @half
// SOFT-NOT:      arith.truncf
// SOFT-NOT:      arith.extf
// SOFT:          return
func.func @half(%a: f32, %b: f16) -> (f16, f32) {
  %c = arith.truncf %a : f32 to f16
  %d = arith.extf %b : f16 to f32
  return %c, %d : f16, f32
}

// CHECK-LABEL: func.func @double
// CHECK:         %[[NEAREST:.*]] = arith.truncf %arg0 : f64 to f32
// CHECK:         %[[ODD:.*]] = arith.bitcast {{.*}} : i32 to f32
// CHECK:         arith.truncf %[[ODD]] : f32 to f16
func.func @double(%a: f64) -> f16 {
  %b = arith.truncf %a : f64 to f16
  return %b : f16
}

// CHECK-LABEL: func.func @ceiling
// CHECK-NOT:     arith.ceildivsi
func.func @ceiling(%a: index, %b: index) -> index {
  %c = arith.ceildivsi %a, %b : index
  return %c : index
}
