// RUN: tessera-opt %s --split-input-file --kernel-append-caches | FileCheck %s
// RUN: tessera-opt %s --split-input-file --kernel-append-caches --plan-storage --verify-buffer-state --cse | FileCheck %s --check-prefix=BUFFER

#rows = #kernel.rows<lanes = 8, unroll = 4, taskElements = 1024>

// An output that begins with an input is written behind it: the copy of the past
// runs only where the two are not one memory.

graph.symbol @past min 0 typical 8 max 100
graph.symbol @new min 1 typical 1 max 100
kernel.func @concat(%past: tensor<2x?x4xf32>, %new: tensor<?x2x4xf32>, %out: tensor<2x?x4xf32>, %s0: index, %s1: index) -> tensor<2x?x4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<()[s0, s1] -> (2, s0, 4)>, affine_map<()[s0, s1] -> (s1, 2, 4)>, affine_map<()[s0, s1] -> (2, s0 + s1, 4)>], schedules = [#rows]} {
  %e = tensor.empty(%s1) : tensor<2x?x4xf32>
  %t = linalg.transpose ins(%new : tensor<?x2x4xf32>) outs(%e : tensor<2x?x4xf32>) permutation = [1, 0, 2]
  %r = tensor.concat dim(1) %past, %t : (tensor<2x?x4xf32>, tensor<2x?x4xf32>) -> tensor<2x?x4xf32>
  kernel.yield %r : tensor<2x?x4xf32>
}
kernel.func @negate(%x: tensor<2x?x4xf32>, %out: tensor<2x?x4xf32>, %s0: index) -> tensor<2x?x4xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<()[s0] -> (2, s0, 4)>, affine_map<()[s0] -> (2, s0, 4)>], schedules = [#rows]} {
  %r = arith.negf %x : tensor<2x?x4xf32>
  kernel.yield %r : tensor<2x?x4xf32>
}

// CHECK-NOT:   kernel.func @concat(
// CHECK:       kernel.func @[[COPY:.*]](%[[PAST:.*]]: tensor<2x?x4xf32>, %{{.*}}: tensor<2x?x4xf32>, %{{.*}}: index, %{{.*}}: index)
// CHECK:         kernel.yield %[[PAST]]
// CHECK:       kernel.func @[[ADD:.*]](%[[NEW:.*]]: tensor<?x2x4xf32>, %{{.*}}: tensor<2x?x4xf32>,
// CHECK:         %[[TURNED:.*]] = linalg.transpose ins(%[[NEW]]
// CHECK:         kernel.yield %[[TURNED]]
// CHECK-LABEL: func.func @main
// CHECK-SAME:    (%[[X:.*]]: tensor<2x?x4xf32>{{.*}}, %[[N:.*]]: tensor<?x2x4xf32>
// CHECK:         %[[HEAD:.*]] = kernel.call @[[COPY]] ins(%[[X]] :
// CHECK:         %[[TAIL:.*]] = kernel.call @[[ADD]] ins(%[[N]] :
// CHECK:         %[[ALL:.*]] = kernel.append %[[HEAD]], %[[TAIL]] outs({{.*}}) along 1 of input 0
// CHECK:         kernel.call @negate ins(%[[ALL]] :
// CHECK:         return %[[ALL]]

// BUFFER-LABEL: func.func @main
// BUFFER:         %[[PAST:.*]] = kernel.storage %{{.*}} input 0 {{.*}} : memref<2x?x4xf32, strided<[?, 4, 1]>>
// BUFFER:         %[[ALL:.*]] = kernel.storage %{{.*}} output 0 {{.*}} : memref<2x?x4xf32, strided<[?, 4, 1]>>
// BUFFER:         %[[HEAD:.*]] = memref.subview %[[ALL]][0, 0, 0]
// BUFFER:         %[[SAME:.*]] = kernel.is_in_place %{{.*}} input 0 output 0
// BUFFER:         %[[COPIED:.*]] = arith.xori %[[SAME]], %true
// BUFFER:         scf.if %[[COPIED]] {
// BUFFER-NEXT:      kernel.launch @{{.*}}(%[[PAST]], %[[HEAD]])
// BUFFER-NEXT:    }
// BUFFER:         %[[TAIL:.*]] = memref.subview %[[ALL]][0, %{{.*}}, 0]
// BUFFER:         kernel.launch @{{.*}}(%{{.*}}, %[[TAIL]])
// BUFFER:         kernel.launch @negate {{.*}}(%[[ALL]],
// BUFFER:       kernel.entry @main_entry
// BUFFER-SAME:    inputs [#kernel.port<"x", f32, ()[s0, s1] -> (2, s0, 4), alias 0>, #kernel.port<"n", f32, ()[s0, s1] -> (s1, 2, 4)>]
// BUFFER-SAME:    outputs [#kernel.port<"y", f32, ()[s0, s1] -> (2, s0 + s1, 4), alias 0>, #kernel.port<"z", f32, ()[s0, s1] -> (2, s0 + s1, 4)>]
// BUFFER-SAME:    {kernel.append_axes = array<i64: 1, 0>}
func.func @main(%x: tensor<2x?x4xf32> {graph.name = "x", graph.dims = [2, @past, 4]},
                %n: tensor<?x2x4xf32> {graph.name = "n", graph.dims = [@new, 2, 4]})
    -> (tensor<2x?x4xf32> {graph.name = "y"}, tensor<2x?x4xf32> {graph.name = "z"}) {
  %p = graph.size @past
  %a = graph.size @new
  %s = arith.addi %p, %a : index
  %e = tensor.empty(%s) : tensor<2x?x4xf32>
  %y = kernel.call @concat ins(%x, %n : tensor<2x?x4xf32>, tensor<?x2x4xf32>) outs(%e : tensor<2x?x4xf32>) sizes(%p, %a) -> tensor<2x?x4xf32>
  %z = kernel.call @negate ins(%y : tensor<2x?x4xf32>) outs(%e : tensor<2x?x4xf32>) sizes(%s) -> tensor<2x?x4xf32>
  return %y, %z : tensor<2x?x4xf32>, tensor<2x?x4xf32>
}

// -----

// A kernel of the generic route reads the result: it stays dense.

graph.symbol @past min 0 typical 8 max 100
kernel.func @concat(%past: tensor<?xf32>, %new: tensor<1xf32>, %out: tensor<?xf32>, %s0: index) -> tensor<?xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<()[s0] -> (s0)>, affine_map<()[s0] -> (1)>, affine_map<()[s0] -> (s0 + 1)>], schedules = [#kernel.rows<lanes = 8, unroll = 4, taskElements = 1024>]} {
  %r = tensor.concat dim(0) %past, %new : (tensor<?xf32>, tensor<1xf32>) -> tensor<?xf32>
  kernel.yield %r : tensor<?xf32>
}
kernel.func @negate(%x: tensor<?xf32>, %out: tensor<?xf32>, %s0: index) -> tensor<?xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<()[s0] -> (s0)>, affine_map<()[s0] -> (s0)>], schedules = [#kernel.generic]} {
  %r = arith.negf %x : tensor<?xf32>
  kernel.yield %r : tensor<?xf32>
}
// CHECK-LABEL: func.func @read_by_generic
// CHECK-NOT:     kernel.append
// CHECK:         kernel.call @concat
func.func @read_by_generic(%x: tensor<?xf32> {graph.name = "x", graph.dims = [@past]}, %n: tensor<1xf32> {graph.name = "n", graph.dims = [1]})
    -> (tensor<?xf32>, tensor<?xf32>) {
  %p = graph.size @past
  %c1 = arith.constant 1 : index
  %s = arith.addi %p, %c1 : index
  %e = tensor.empty(%s) : tensor<?xf32>
  %y = kernel.call @concat ins(%x, %n : tensor<?xf32>, tensor<1xf32>) outs(%e : tensor<?xf32>) sizes(%p) -> tensor<?xf32>
  %z = kernel.call @negate ins(%y : tensor<?xf32>) outs(%e : tensor<?xf32>) sizes(%s) -> tensor<?xf32>
  return %y, %z : tensor<?xf32>, tensor<?xf32>
}

// -----

// The caller sees u16 and i16: one cannot be the memory of the other.

graph.symbol @past min 0 typical 8 max 100
kernel.func @concat(%past: tensor<?xi16>, %new: tensor<1xi16>, %out: tensor<?xi16>, %s0: index) -> tensor<?xi16>
    attributes {outputs = 1 : i64, shapes = [affine_map<()[s0] -> (s0)>, affine_map<()[s0] -> (1)>, affine_map<()[s0] -> (s0 + 1)>], schedules = [#kernel.rows<lanes = 8, unroll = 4, taskElements = 1024>]} {
  %r = tensor.concat dim(0) %past, %new : (tensor<?xi16>, tensor<1xi16>) -> tensor<?xi16>
  kernel.yield %r : tensor<?xi16>
}
// CHECK-LABEL: func.func @changed_sign
// CHECK-NOT:     kernel.append
// CHECK:         kernel.call @concat
func.func @changed_sign(%x: tensor<?xi16> {graph.name = "x", graph.dims = [@past], graph.element_type = ui16}, %n: tensor<1xi16> {graph.name = "n", graph.dims = [1], graph.element_type = ui16})
    -> (tensor<?xi16> {graph.name = "y"}) {
  %p = graph.size @past
  %c1 = arith.constant 1 : index
  %s = arith.addi %p, %c1 : index
  %e = tensor.empty(%s) : tensor<?xi16>
  %y = kernel.call @concat ins(%x, %n : tensor<?xi16>, tensor<1xi16>) outs(%e : tensor<?xi16>) sizes(%p) -> tensor<?xi16>
  return %y : tensor<?xi16>
}

// -----

// Nothing is added: a part of no elements begins behind the end.

kernel.func @concat(%past: tensor<2x3xf32>, %new: tensor<2x0xf32>, %out: tensor<2x3xf32>) -> tensor<2x3xf32>
    attributes {outputs = 1 : i64, shapes = [affine_map<() -> (2, 3)>, affine_map<() -> (2, 0)>, affine_map<() -> (2, 3)>], schedules = [#kernel.rows<lanes = 8, unroll = 4, taskElements = 1024>]} {
  %r = tensor.concat dim(1) %past, %new : (tensor<2x3xf32>, tensor<2x0xf32>) -> tensor<2x3xf32>
  kernel.yield %r : tensor<2x3xf32>
}
// CHECK:         kernel.func @concat(
// CHECK-LABEL:   func.func @main
// CHECK-NOT:     kernel.append
// BUFFER-LABEL:  func.func @main
// BUFFER-NOT:    memref.subview
// BUFFER:        kernel.launch @concat
func.func @main(%x: tensor<2x3xf32> {graph.name = "x", graph.dims = [2, 3]}, %n: tensor<2x0xf32> {graph.name = "n", graph.dims = [2, 0]})
    -> (tensor<2x3xf32> {graph.name = "y"}) {
  %e = tensor.empty() : tensor<2x3xf32>
  %y = kernel.call @concat ins(%x, %n : tensor<2x3xf32>, tensor<2x0xf32>) outs(%e : tensor<2x3xf32>) -> tensor<2x3xf32>
  return %y : tensor<2x3xf32>
}
