// RUN: tessera-opt %s --split-input-file --plan-storage --verify-buffer-state --cse | FileCheck %s

// Two kernels: the first result lives in the arena, the second in the output.
// A reshape between them is another view of the same bytes.

graph.symbol @n min 0 typical 8 max 100
graph.weights @w : tensor<4xf32> from dense<1.0> : tensor<4xf32> as tensor<4xf32>
kernel.func @scale(%x: tensor<?x4xf32>, %w: tensor<4xf32>, %out: tensor<?x4xf32>, %s0: index) -> tensor<?x4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<()[s0] -> (s0, 4)>, affine_map<()[s0] -> (4)>, affine_map<()[s0] -> (s0, 4)>], schedules = [#kernel.generic]} {
  %b = graph.broadcast_to %w sizes(%s0) : tensor<4xf32> -> tensor<?x4xf32>
  %r = arith.mulf %x, %b : tensor<?x4xf32>
  kernel.yield %r : tensor<?x4xf32>
}
kernel.func @negate(%x: tensor<?xf32>, %out: tensor<?xf32>, %s0: index) -> tensor<?xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<()[s0] -> (s0 * 4)>, affine_map<()[s0] -> (s0 * 4)>], schedules = [#kernel.generic]} {
  %r = arith.negf %x : tensor<?xf32>
  kernel.yield %r : tensor<?xf32>
}

// CHECK-LABEL: func.func @main
// CHECK-SAME:    (%[[CTX:.*]]: !llvm.ptr)
// CHECK-DAG:     %[[N:.*]] = kernel.symbol %[[CTX]] 0
// CHECK-DAG:     %[[X:.*]] = kernel.storage %[[CTX]] input 0 sizes({{.*}}) : memref<?x4xf32>
// CHECK-DAG:     %[[W:.*]] = kernel.storage %[[CTX]] weights 0 : memref<4xf32>
// CHECK-DAG:     %[[V:.*]] = kernel.storage %[[CTX]] value 0 sizes({{.*}}) : memref<?x4xf32>
// CHECK:         kernel.launch @scale of %[[CTX]](%[[X]], %[[W]], %[[V]]) sizes(%[[N]])
// CHECK-DAG:     %[[VIEW:.*]] = kernel.storage %[[CTX]] value 0 sizes({{.*}}) : memref<?xf32>
// CHECK-DAG:     %[[Y:.*]] = kernel.storage %[[CTX]] output 0 sizes({{.*}}) : memref<?xf32>
// CHECK:         kernel.launch @negate of %[[CTX]](%[[VIEW]], %[[Y]])
// CHECK:       kernel.entry @main_entry runs @main
// CHECK-SAME:    inputs [#kernel.port<"x", f32, ()[s0] -> (s0, 4)>]
// CHECK-SAME:    outputs [#kernel.port<"y", f32, ()[s0] -> (s0 * 4)>]
// CHECK-SAME:    symbols [#kernel.named_size<"n", 0, 8, 100>]
// CHECK-SAME:    values [#kernel.value<()[s0] -> (s0 * 16), 0, 1>]
// CHECK-SAME:    weights [#kernel.weight_place<@w, 0>] bytes 64
func.func @main(%x: tensor<?x4xf32> {graph.name = "x", graph.dims = [@n, 4]}) -> (tensor<?xf32> {graph.name = "y"}) {
  %n = graph.size @n
  %w = graph.weight @w : tensor<4xf32>
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %s = kernel.call @scale ins(%x, %w : tensor<?x4xf32>, tensor<4xf32>) outs(%e : tensor<?x4xf32>) sizes(%n) -> tensor<?x4xf32>
  %flat = tensor.collapse_shape %s [[0, 1]] : tensor<?x4xf32> into tensor<?xf32>
  %c4 = arith.constant 4 : index
  %m = arith.muli %n, %c4 : index
  %f = tensor.empty(%m) : tensor<?xf32>
  %r = kernel.call @negate ins(%flat : tensor<?xf32>) outs(%f : tensor<?xf32>) sizes(%n) -> tensor<?xf32>
  return %r : tensor<?xf32>
}

// -----

// Two outputs are one value, whose copies have become one call: the kernel is
// called for each.

kernel.func @copy(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (4)>, affine_map<() -> (4)>], schedules = [#kernel.generic]} {
  %e = tensor.empty() : tensor<4xf32>
  %r = linalg.copy ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  kernel.yield %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @one_value_twice
// CHECK-DAG:     %[[A:.*]] = kernel.storage %{{.*}} output 0 : memref<4xf32>
// CHECK-DAG:     %[[B:.*]] = kernel.storage %{{.*}} output 1 : memref<4xf32>
// CHECK-DAG:     kernel.launch @copy of %{{.*}}(%{{.*}}, %[[A]])
// CHECK-DAG:     kernel.launch @copy of %{{.*}}(%{{.*}}, %[[B]])
func.func @one_value_twice(%x: tensor<4xf32> {graph.name = "x", graph.dims = [4]}) -> (tensor<4xf32> {graph.name = "a"}, tensor<2x2xf32> {graph.name = "b"}) {
  %e = tensor.empty() : tensor<4xf32>
  %c = kernel.call @copy ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %v = tensor.expand_shape %c [[0, 1]] output_shape [2, 2] : tensor<4xf32> into tensor<2x2xf32>
  return %c, %v : tensor<4xf32>, tensor<2x2xf32>
}

// -----

// Sizes that are not affine in the symbols are computed before the run: of two
// that broadcast, and of an element of an input, which the entry reads as well.

graph.symbol @n min 0 typical 8 max 100
graph.symbol @m min 0 typical 8 max 100
kernel.func @add(%x: tensor<?xf32>, %y: tensor<?xf32>, %out: tensor<?xf32>, %s0: index, %s1: index, %s2: index) -> tensor<?xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<()[s0, s1, s2] -> (s0)>, affine_map<()[s0, s1, s2] -> (s1)>, affine_map<()[s0, s1, s2] -> (s2)>], schedules = [#kernel.generic]} {
  %bx = graph.broadcast_to %x sizes(%s2) : tensor<?xf32> -> tensor<?xf32>
  %by = graph.broadcast_to %y sizes(%s2) : tensor<?xf32> -> tensor<?xf32>
  %r = arith.addf %bx, %by : tensor<?xf32>
  kernel.yield %r : tensor<?xf32>
}
kernel.func @repeat(%x: tensor<?xf32>, %out: tensor<?x?xf32>, %s0: index, %s1: index) -> tensor<?x?xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<()[s0, s1] -> (s0)>, affine_map<()[s0, s1] -> (s1, s0)>], schedules = [#kernel.generic]} {
  %r = graph.broadcast_to %x sizes(%s1, %s0) : tensor<?xf32> -> tensor<?x?xf32>
  kernel.yield %r : tensor<?x?xf32>
}

// CHECK-LABEL: func.func @main
// CHECK-SAME:    (%[[CTX:.*]]: !llvm.ptr)
// CHECK-NOT:   tensor.extract
// CHECK:       %[[COUNT:.*]] = kernel.symbol %[[CTX]] 2
// CHECK:       %[[CAST:.*]] = arith.index_cast %[[COUNT]] : index to i64
// CHECK:       kernel.launch @repeat
// CHECK:       kernel.entry @main_entry runs @main
// CHECK-SAME:    outputs [#kernel.port<"z", f32, {{.*}} -> (s2, s3)>]
// CHECK-SAME:    computed [#kernel.computed_size<element, ()[s0, s1] -> (2, 1)>,
// CHECK-SAME:              #kernel.computed_size<select_equal, {{.*}} -> (s0, 1, s1, s0)>]
// CHECK-SAME:    values [#kernel.value<{{.*}} -> (s3 * 4), 0, 1>]
func.func @main(%x: tensor<?xf32> {graph.name = "x", graph.dims = [@n]}, %y: tensor<?xf32> {graph.name = "y", graph.dims = [@m]},
                %counts: tensor<2xi64> {graph.name = "counts", graph.dims = [2]}) -> (tensor<?x?xf32> {graph.name = "z"}) {
  %n = graph.size @n
  %m = graph.size @m
  %c1 = arith.constant 1 : index
  %one = arith.cmpi eq, %n, %c1 : index
  %common = arith.select %one, %m, %n : index
  %e = tensor.empty(%common) : tensor<?xf32>
  %s = kernel.call @add ins(%x, %y : tensor<?xf32>, tensor<?xf32>) outs(%e : tensor<?xf32>) sizes(%n, %m, %common) -> tensor<?xf32>
  %element = tensor.extract %counts[%c1] : tensor<2xi64>
  %count = arith.index_cast %element : i64 to index
  %f = tensor.empty(%count, %common) : tensor<?x?xf32>
  %r = kernel.call @repeat ins(%s : tensor<?xf32>) outs(%f : tensor<?x?xf32>) sizes(%common, %count) -> tensor<?x?xf32>
  return %r : tensor<?x?xf32>
}

// -----

// A size by way of floats is computed step by step, each rounded as in the model.

graph.symbol @n min 0 typical 8 max 100
kernel.func @halves(%x: tensor<?xf32>, %out: tensor<?xf32>, %s0: index, %s1: index) -> tensor<?xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<()[s0, s1] -> (s0)>, affine_map<()[s0, s1] -> (s1)>], schedules = [#kernel.generic]} {
  %r = tensor.extract_slice %x[0] [%s1] [1] : tensor<?xf32> to tensor<?xf32>
  kernel.yield %r : tensor<?xf32>
}

// CHECK-LABEL: func.func @by_floats
// CHECK:       kernel.launch @halves
// CHECK:       kernel.entry @by_floats_entry
// CHECK-SAME:    outputs [#kernel.port<"y", f32, {{.*}} -> (s3)>]
// CHECK-SAME:    computed [#kernel.computed_size<to_float, ()[s0] -> (s0, 32)>,
// CHECK-SAME:              #kernel.computed_size<float_mul, ()[s0, s1] -> (s1, {{[0-9]+}}, 32)>,
// CHECK-SAME:              #kernel.computed_size<to_integer, ()[s0, s1, s2] -> (s2)>]
func.func @by_floats(%x: tensor<?xf32> {graph.name = "x", graph.dims = [@n]}) -> (tensor<?xf32> {graph.name = "y"}) {
  %n = graph.size @n
  %scale = arith.constant 0.7 : f32
  %i = arith.index_cast %n : index to i64
  %f = arith.sitofp %i : i64 to f32
  %p = arith.mulf %f, %scale : f32
  %j = arith.fptosi %p : f32 to i64
  %k = arith.index_cast %j : i64 to index
  %e = tensor.empty(%k) : tensor<?xf32>
  %y = kernel.call @halves ins(%x : tensor<?xf32>) outs(%e : tensor<?xf32>) sizes(%n, %k) -> tensor<?xf32>
  return %y : tensor<?xf32>
}
