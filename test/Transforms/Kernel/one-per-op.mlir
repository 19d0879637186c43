// RUN: tessera-opt %s --split-input-file --pass-pipeline='builtin.module(func.func(graph-legalize-booleans),kernel-one-per-op,canonicalize,cse)' \
// RUN:   --verify-diagnostics | FileCheck %s

graph.symbol @n min 0 typical 128 max 512
graph.weights @w : tensor<8x4xf32> from #graph.file<"m.onnx", 64, 128> as tensor<8x4xf32>

// Destinations, the constant and the size go into the kernel; the weight is an
// operand.
// CHECK-DAG:   #[[SX:.+]] = affine_map<()[s0] -> (s0, 8)>
// CHECK-DAG:   #[[SW:.+]] = affine_map<()[s0] -> (8, 4)>
// CHECK-DAG:   #[[SY:.+]] = affine_map<()[s0] -> (s0, 4)>
// CHECK-LABEL: kernel.func @linalg_matmul
// CHECK-SAME:    (%[[X:.+]]: tensor<?x8xf32>, %[[W:.+]]: tensor<8x4xf32>, %{{.+}}: tensor<?x4xf32>, %[[N:.+]]: index)
// CHECK-SAME:    outputs = 1
// CHECK-SAME:    schedules = [#kernel.generic]
// CHECK-SAME:    shapes = [#[[SX]], #[[SW]], #[[SY]]]
// CHECK:         %[[E:.+]] = tensor.empty(%[[N]])
// CHECK:         %[[F:.+]] = linalg.fill {{.*}} outs(%[[E]]
// CHECK:         %[[Y:.+]] = linalg.matmul ins(%[[X]], %[[W]] {{.*}} outs(%[[F]]
// CHECK:         kernel.yield %[[Y]]
// CHECK-LABEL: kernel.func @math_tanh
// CHECK-LABEL: func.func @dense
// CHECK-SAME:    (%[[X:.+]]: tensor
// CHECK-DAG:     %[[W:.+]] = graph.weight @w
// CHECK-DAG:     %[[N:.+]] = graph.size @n
// CHECK-DAG:     %[[E:.+]] = tensor.empty(%[[N]])
// CHECK:         %[[Y:.+]] = kernel.call @linalg_matmul ins(%[[X]], %[[W]] : {{.*}}) outs(%[[E]] : {{.*}}) sizes(%[[N]])
// CHECK:         %[[T:.+]] = kernel.call @math_tanh ins(%[[Y]]
// CHECK-NEXT:    return %[[T]]
func.func @dense(%x: tensor<?x8xf32> {graph.dims = [@n, 8]}) -> tensor<?x4xf32> {
  %n = graph.size @n
  %w = graph.weight @w : tensor<8x4xf32>
  %e = tensor.empty(%n) : tensor<?x4xf32>
  %zero = arith.constant 0.0 : f32
  %f = linalg.fill ins(%zero : f32) outs(%e : tensor<?x4xf32>) -> tensor<?x4xf32>
  %y = linalg.matmul ins(%x, %w : tensor<?x8xf32>, tensor<8x4xf32>)
                     outs(%f : tensor<?x4xf32>) -> tensor<?x4xf32>
  %t = math.tanh %y : tensor<?x4xf32>
  return %t : tensor<?x4xf32>
}

// -----

graph.symbol @n min 0 typical 128 max 512

// A size that is an expression is given to the kernel where it has no other.
// CHECK:       #[[ONE:.+]] = affine_map<()[s0] -> (1)>
// CHECK:       #[[SIZE:.+]] = affine_map<()[s0] -> (s0)>
// CHECK-LABEL: kernel.func @graph_broadcast_to
// CHECK-SAME:    %[[N:[a-z0-9]+]]: index)
// CHECK-SAME:    shapes = [#[[ONE]], #[[SIZE]]]
// CHECK:         graph.broadcast_to %{{.+}} sizes(%[[N]])
// CHECK-LABEL: func.func @computed_size
// CHECK:         %[[N:.+]] = graph.size @n
// CHECK:         %[[D:.+]] = arith.muli %[[N]]
// CHECK:         %[[M:.+]] = arith.addi %[[D]]
// CHECK:         kernel.call @graph_broadcast_to {{.*}} sizes(%[[M]])
func.func @computed_size(%x: tensor<1xf32> {graph.dims = [1]}) -> tensor<?xf32> {
  %n = graph.size @n
  %one = arith.constant 1 : index
  %two = arith.constant 2 : index
  %d = arith.muli %n, %two : index
  %m = arith.addi %d, %one : index
  %y = graph.broadcast_to %x sizes(%m) : tensor<1xf32> -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// Booleans are bytes between kernels and at the entry's border.
// CHECK-LABEL: kernel.func @arith_cmpf
// CHECK-SAME:    %{{.+}}: tensor<4xf32>, %{{.+}}: tensor<4xi8>)
// CHECK:         %[[C:.+]] = arith.cmpf olt
// CHECK:         %[[B:.+]] = arith.extui %[[C]] : tensor<4xi1> to tensor<4xi8>
// CHECK:         kernel.yield %[[B]]
// CHECK-LABEL: kernel.func @arith_andi
// CHECK:         arith.trunci %{{.+}} : tensor<4xi8> to tensor<4xi1>
// CHECK:         arith.trunci %{{.+}} : tensor<4xi8> to tensor<4xi1>
// CHECK-LABEL: func.func @booleans
// CHECK-SAME:    %[[M:[a-z0-9]+]]: tensor<4xi8> {graph.element_type = i1}
// CHECK-SAME:    -> (tensor<4xi8> {graph.element_type = i1})
// CHECK:         %[[C:.+]] = kernel.call @arith_cmpf
// CHECK:         %[[A:.+]] = kernel.call @arith_andi ins(%[[C]], %[[M]] :
// CHECK:         %[[B:.+]] = kernel.call @arith_extui ins(%[[A]]
// CHECK-NEXT:    return %[[B]]
func.func @booleans(%x: tensor<4xf32>, %m: tensor<4xi1>) -> tensor<4xi1> {
  %c = arith.cmpf olt, %x, %x : tensor<4xf32>
  %a = arith.andi %c, %m : tensor<4xi1>
  return %a : tensor<4xi1>
}

// -----

// A size that is data becomes an index argument.
// CHECK:       #[[SIZE:.+]] = affine_map<()[s0] -> (s0)>
// CHECK-LABEL: kernel.func @graph_broadcast_to
// CHECK-SAME:    shapes = [#{{.+}}, #[[SIZE]]]
// CHECK-LABEL: func.func @data_dependent
// CHECK:         %[[I:.+]] = arith.index_cast %{{.+}} : i64 to index
// CHECK:         kernel.call @graph_broadcast_to {{.*}} sizes(%[[I]])
func.func @data_dependent(%x: tensor<1xf32>, %shape: tensor<1xi64>) -> tensor<?xf32> {
  %zero = arith.constant 0 : index
  %i = tensor.extract %shape[%zero] : tensor<1xi64>
  %n = arith.index_cast %i : i64 to index
  %y = graph.broadcast_to %x sizes(%n) : tensor<1xf32> -> tensor<?xf32>
  return %y : tensor<?xf32>
}

// -----

// Results that nothing computes get a kernel that writes them.
// CHECK-LABEL: func.func @returned_as_is
// CHECK-DAG:     kernel.call @linalg_copy ins(%{{.+}} : tensor<4xf32>)
// CHECK-DAG:     kernel.call @linalg_copy_0 ins()
// CHECK-DAG:     kernel.call @arith_extui
func.func @returned_as_is(%x: tensor<4xf32>, %m: tensor<4xi1>)
    -> (tensor<4xf32>, tensor<2xi64>, tensor<4xi1>) {
  %c = arith.constant dense<[1, 2]> : tensor<2xi64>
  return %x, %c, %m : tensor<4xf32>, tensor<2xi64>, tensor<4xi1>
}

// -----

// Values that a region captures are arguments too.
// CHECK-LABEL: kernel.func @linalg_generic
// CHECK-SAME:    %{{.+}}: tensor<4xf32>, %[[TABLE:.+]]: tensor<7xf32>, %{{.+}}: tensor<4xf32>
// CHECK:         tensor.extract %[[TABLE]]
func.func @captured(%x: tensor<4xf32>, %table: tensor<7xf32>) -> tensor<4xf32> {
  %e = tensor.empty() : tensor<4xf32>
  %y = linalg.generic {
      indexing_maps = [affine_map<(i) -> (i)>, affine_map<(i) -> (i)>],
      iterator_types = ["parallel"]}
      ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) {
  ^bb0(%a: f32, %b: f32):
    %i = linalg.index 0 : index
    %t = tensor.extract %table[%i] : tensor<7xf32>
    %s = arith.addf %a, %t : f32
    linalg.yield %s : f32
  } -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

func.func @scalar_argument(%x: tensor<4xf32>, %pad: f32) -> tensor<6xf32> {
  // expected-error @+1 {{uses a 'f32' that cannot be computed inside a kernel}}
  %y = tensor.pad %x low[1] high[1] {
  ^bb0(%i: index):
    tensor.yield %pad : f32
  } : tensor<4xf32> to tensor<6xf32>
  return %y : tensor<6xf32>
}
