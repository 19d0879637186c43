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

// So with what branches give and loops carry.

// CHECK-LABEL: func.func @regions
// CHECK:         %[[I:.*]] = arith.extui %{{.*}} : tensor<4xi1> to tensor<4xi8>
// CHECK:         %[[R:.*]] = scf.for {{.*}} iter_args(%[[A:.*]] = %[[I]]) -> (tensor<4xi8>) {
// CHECK:           %[[T:.*]] = arith.trunci %[[A]] : tensor<4xi8> to tensor<4xi1>
// CHECK:           %[[B:.*]] = scf.if %{{.*}} -> (tensor<4xi8>) {
// CHECK:             %[[Y:.*]] = arith.extui %[[T]] : tensor<4xi1> to tensor<4xi8>
// CHECK:             scf.yield %[[Y]]
// CHECK:           %[[N:.*]] = arith.trunci %[[B]]
// CHECK:           %[[E:.*]] = arith.extui %[[N]]
// CHECK:           scf.yield %[[E]]
// CHECK:         %[[F:.*]] = arith.trunci %[[R]]
// CHECK:         arith.select %[[F]]
func.func @regions(%x: tensor<4xf32>, %y: tensor<4xf32>, %c: i1, %n: index) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %less = arith.cmpf olt, %x, %y : tensor<4xf32>
  %more = arith.cmpf ogt, %x, %y : tensor<4xf32>
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%a = %less) -> (tensor<4xi1>) {
    %b = scf.if %c -> (tensor<4xi1>) {
      scf.yield %a : tensor<4xi1>
    } else {
      scf.yield %more : tensor<4xi1>
    }
    scf.yield %b : tensor<4xi1>
  }
  %s = arith.select %r, %x, %y : tensor<4xi1>, tensor<4xf32>
  return %s : tensor<4xf32>
}
