// RUN: tessera-opt %s --graph-legalize-booleans | FileCheck %s

// CHECK-LABEL: func.func @main
// CHECK-SAME:    (%[[B:.*]]: tensor<4xi8> {graph.element_type = i1, graph.name = "mask"}, %{{.*}}: tensor<4xf32>
// CHECK-SAME:    -> (tensor<4xi8> {graph.element_type = i1}, tensor<4xf32>)
// CHECK:         %[[T:.*]] = arith.trunci %[[B]] : tensor<4xi8> to tensor<4xi1>
// CHECK:         %[[N:.*]] = arith.xori %[[T]]
// CHECK:         %[[R:.*]] = arith.extui %[[N]] : tensor<4xi1> to tensor<4xi8>
// CHECK:         return %[[R]]
func.func @main(%mask: tensor<4xi1> {graph.name = "mask"}, %x: tensor<4xf32>) -> (tensor<4xi1>, tensor<4xf32>) {
  %true = arith.constant dense<true> : tensor<4xi1>
  %n = arith.xori %mask, %true : tensor<4xi1>
  return %n, %x : tensor<4xi1>, tensor<4xf32>
}
