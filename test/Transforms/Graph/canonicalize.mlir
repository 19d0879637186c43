// RUN: tessera-opt %s --graph-canonicalize | FileCheck %s
// RUN: tessera-opt %s --tessera-graph | FileCheck %s --check-prefix=PIPELINE

// PIPELINE-NOT: arith.constant dense<{{.*}}> : tensor<?

// CHECK-LABEL: func.func @compared_with_itself
// CHECK-SAME:    %[[X:[^:]*]]: tensor<?x3xi32>
// CHECK-DAG:     %[[TRUE:.*]] = arith.constant dense<true> : tensor<i1>
// CHECK-DAG:     %[[ZERO:.*]] = arith.constant 0 : index
// CHECK:         %[[N:.*]] = tensor.dim %[[X]], %[[ZERO]]
// CHECK:         %[[Y:.*]] = graph.broadcast_to %[[TRUE]] sizes(%[[N]]) : tensor<i1> -> tensor<?x3xi1>
// CHECK:         return %[[Y]]
func.func @compared_with_itself(%x: tensor<?x3xi32>) -> tensor<?x3xi1> {
  %y = arith.cmpi sle, %x, %x : tensor<?x3xi32>
  return %y : tensor<?x3xi1>
}

// Operands that become equal on the way.

// CHECK-LABEL: func.func @becomes_equal
// CHECK:         %[[ZERO:.*]] = arith.constant dense<0> : tensor<i32>
// CHECK:         %[[Y:.*]] = graph.broadcast_to %[[ZERO]] sizes(%{{.*}}) : tensor<i32> -> tensor<?xi32>
// CHECK:         return %[[Y]]
func.func @becomes_equal(%x: tensor<?xi32>) -> tensor<?xi32> {
  %wide = arith.extsi %x : tensor<?xi32> to tensor<?xi64>
  %again = arith.trunci %wide : tensor<?xi64> to tensor<?xi32>
  %y = arith.xori %again, %x : tensor<?xi32>
  return %y : tensor<?xi32>
}

// CHECK-LABEL: func.func @known_size
// CHECK-NEXT:    %[[ZERO:.*]] = arith.constant dense<0> : tensor<4xi32>
// CHECK-NEXT:    return %[[ZERO]]
func.func @known_size(%x: tensor<4xi32>) -> tensor<4xi32> {
  %y = arith.xori %x, %x : tensor<4xi32>
  return %y : tensor<4xi32>
}

// CHECK-LABEL: func.func @scalar
// CHECK-NEXT:    %[[TRUE:.*]] = arith.constant true
// CHECK-NEXT:    return %[[TRUE]]
func.func @scalar(%x: index) -> i1 {
  %y = arith.cmpi eq, %x, %x : index
  return %y : i1
}

// CHECK-LABEL: func.func @folds_to_an_operand
// CHECK-SAME:    %[[X:.*]]: tensor<?xi32>
// CHECK-NEXT:    return %[[X]]
func.func @folds_to_an_operand(%x: tensor<?xi32>) -> tensor<?xi32> {
  %y = arith.maxsi %x, %x : tensor<?xi32>
  return %y : tensor<?xi32>
}

// CHECK-LABEL: func.func @checked_twice
// CHECK:         graph.assert %{{.*}}, "first"
// CHECK-NOT:     graph.assert
func.func @checked_twice(%c: i1, %x: tensor<2xf32>) -> tensor<2xf32> {
  graph.assert %c, "first"
  %y = math.exp %x : tensor<2xf32>
  graph.assert %c, "second"
  return %y : tensor<2xf32>
}

// CHECK-LABEL: func.func @cast_back
// CHECK-SAME:    %[[X:[^:]*]]: tensor<?x?xf32>
// CHECK:         %[[Y:.*]] = math.exp %[[X]]
// CHECK:         return %[[Y]]
func.func @cast_back(%x: tensor<?x?xf32>) -> tensor<?x?xf32> {
  %a = tensor.cast %x : tensor<?x?xf32> to tensor<?x1xf32>
  %b = tensor.cast %a : tensor<?x1xf32> to tensor<?x?xf32>
  %y = math.exp %b : tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}

// The kernel is written for any width.

#any = affine_map<()[s0] -> (s0, s0)>
kernel.func @k(%x: tensor<?x?xf32>, %out: tensor<?x?xf32>, %n: index) -> tensor<?x?xf32>
    attributes {outputs = 1 : i64, schedules = [#kernel.generic], shapes = [#any, #any]} {
  %y = math.exp %x : tensor<?x?xf32>
  kernel.yield %y : tensor<?x?xf32>
}

// CHECK-LABEL: func.func @call_behind_cast
// CHECK:         %[[C:.*]] = tensor.cast %{{.*}} : tensor<?x1xf32> to tensor<?x?xf32>
// CHECK:         kernel.call @k ins(%[[C]] : tensor<?x?xf32>)
func.func @call_behind_cast(%x: tensor<?x1xf32>, %n: index) -> tensor<?x?xf32> {
  %a = tensor.cast %x : tensor<?x1xf32> to tensor<?x?xf32>
  %e = tensor.empty(%n, %n) : tensor<?x?xf32>
  %y = kernel.call @k ins(%a : tensor<?x?xf32>) outs(%e : tensor<?x?xf32>) sizes(%n) -> tensor<?x?xf32>
  return %y : tensor<?x?xf32>
}
