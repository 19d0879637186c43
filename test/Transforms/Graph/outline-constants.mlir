// RUN: tessera-opt %s --split-input-file --graph-outline-constants | FileCheck %s

// Equal tables are one weight; splats and scalars stay constants.

// CHECK:      graph.weights @constant : tensor<2xf32> from dense<[1.000000e+00, 2.000000e+00]>
// CHECK-NOT:  graph.weights
// CHECK-LABEL: func.func @main
// CHECK:         %[[A:.*]] = graph.weight @constant : tensor<2xf32>
// CHECK:         %[[B:.*]] = arith.constant dense<3.000000e+00>
// CHECK:         %[[C:.*]] = graph.weight @constant : tensor<2xf32>
// CHECK:         %[[D:.*]] = arith.constant 4.000000e+00 : f32
// CHECK:         return %[[A]], %[[B]], %[[C]], %[[D]]
func.func @main() -> (tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, f32) {
  %a = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %b = arith.constant dense<3.0> : tensor<2xf32>
  %c = arith.constant dense<[1.0, 2.0]> : tensor<2xf32>
  %d = arith.constant 4.0 : f32
  return %a, %b, %c, %d : tensor<2xf32>, tensor<2xf32>, tensor<2xf32>, f32
}

// -----

// Booleans are bytes in storage.

// CHECK:      graph.weights @constant : tensor<3xi8> from dense<[1, 0, 1]>
// CHECK-LABEL: func.func @boolean
// CHECK:         %[[W:.*]] = graph.weight @constant : tensor<3xi8>
// CHECK:         %[[M:.*]] = arith.trunci %[[W]] : tensor<3xi8> to tensor<3xi1>
// CHECK:         arith.select %[[M]]
func.func @boolean(%x: tensor<3xf32>, %y: tensor<3xf32>) -> tensor<3xf32> {
  %m = arith.constant dense<[true, false, true]> : tensor<3xi1>
  %r = arith.select %m, %x, %y : tensor<3xi1>, tensor<3xf32>
  return %r : tensor<3xf32>
}

// -----

// So are imported weights.

// CHECK:      graph.weights @file : tensor<2x3xi8> from #graph.file<"m.onnx", 64, 6> as tensor<2x3xi8>
// CHECK:      graph.weights @list : tensor<3xi8> from dense<[1, 0, 1]> : tensor<3xi8> as tensor<3xi8>
// CHECK-LABEL: func.func @weights
// CHECK:         %[[F:.*]] = graph.weight @file : tensor<2x3xi8>
// CHECK:         %[[M:.*]] = arith.trunci %[[F]] : tensor<2x3xi8> to tensor<2x3xi1>
// CHECK:         arith.select %[[M]]
// CHECK:         %[[L:.*]] = graph.weight @list : tensor<3xi8>
// CHECK:         arith.trunci %[[L]] : tensor<3xi8> to tensor<3xi1>
graph.weights @file : tensor<2x3xi1> from #graph.file<"m.onnx", 64, 6> as tensor<2x3xi1>
graph.weights @list : tensor<3xi1> from dense<[true, false, true]> : tensor<3xi1> as tensor<3xi1>
func.func @weights(%x: tensor<2x3xf32>, %y: tensor<2x3xf32>) -> (tensor<2x3xf32>, tensor<3xi1>) {
  %m = graph.weight @file : tensor<2x3xi1>
  %r = arith.select %m, %x, %y : tensor<2x3xi1>, tensor<2x3xf32>
  %l = graph.weight @list : tensor<3xi1>
  return %r, %l : tensor<2x3xf32>, tensor<3xi1>
}

// -----

// Booleans that a recipe computes become bytes at its end; the source stays what it is.

// CHECK:      graph.weights @mask : tensor<2xi8> from #graph.file<"m.onnx", 0, 8> as tensor<2xf32>
// CHECK-SAME:   #graph.elementwise<"arith.cmpf" to i1 {{.*}}, #graph.elementwise<"arith.extui" to i8>]
// CHECK-LABEL: func.func @computed
// CHECK:         arith.trunci %{{.*}} : tensor<2xi8> to tensor<2xi1>
graph.weights @mask : tensor<2xi1> from #graph.file<"m.onnx", 0, 8> as tensor<2xf32>
  recipe [#graph.elementwise<"arith.cmpf" to i1 with [<dense<0.0> : tensor<2xf32> as tensor<2xf32> recipe []>] predicate 2>]
func.func @computed() -> tensor<2xi1> {
  %m = graph.weight @mask : tensor<2xi1>
  return %m : tensor<2xi1>
}
