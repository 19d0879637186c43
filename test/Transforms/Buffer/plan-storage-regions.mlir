// RUN: tessera-opt %s --split-input-file --plan-storage --verify-buffer-state --cse | FileCheck %s

#v = affine_map<() -> (4)>

// Both branches write the output. What is of outside is alive in both.

kernel.func @f(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [#v, #v], schedules = [#kernel.generic]} {
  %r = arith.negf %x : tensor<4xf32>
  kernel.yield %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @branch
// CHECK-DAG:     %[[C:.*]] = arith.cmpi
// CHECK-DAG:     %[[V:.*]] = kernel.storage %{{.*}} value 0 : memref<4xf32>
// CHECK:         kernel.launch @f of %{{.*}}(%{{.*}}, %[[V]])
// CHECK:         scf.if %[[C]] {
// CHECK:           %[[Y:.*]] = kernel.storage %{{.*}} output 0
// CHECK:           kernel.launch @f of %{{.*}}(%[[V]], %[[Y]])
// CHECK:         } else {
// CHECK:           %[[T:.*]] = kernel.storage %{{.*}} value 1
// CHECK:           kernel.launch @f of %{{.*}}(%[[V]], %[[T]])
// CHECK:           %[[Y:.*]] = kernel.storage %{{.*}} output 0
// CHECK:           kernel.launch @f of %{{.*}}(%[[T]], %[[Y]])
// CHECK:         }
// CHECK:       kernel.entry @branch_entry
// CHECK-SAME:    values [#kernel.value<()[s0] -> (16), 0, 2>, #kernel.value<()[s0] -> (16), 2, 3>]
graph.symbol @n min 0 typical 8 max 100
func.func @branch(%x: tensor<4xf32> {graph.dims = [4]}, %s: tensor<?xf32> {graph.dims = [@n]}) -> tensor<4xf32> {
  %n = graph.size @n
  %c4 = arith.constant 4 : index
  %c = arith.cmpi ult, %n, %c4 : index
  %e = tensor.empty() : tensor<4xf32>
  %a = kernel.call @f ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %r = scf.if %c -> (tensor<4xf32>) {
    %b = kernel.call @f ins(%a : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %b : tensor<4xf32>
  } else {
    %b = kernel.call @f ins(%a : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    %d = kernel.call @f ins(%b : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %d : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// -----

#v = affine_map<() -> (4)>

// What a loop carries is one place, value 1, from call 1 to the last; value 0, of
// outside, is alive to the loop's end (call 4) though call 2 reads it; what a trip
// computes on the way, value 2, only in the trip. Scalars stay.

kernel.func @f(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [#v, #v], schedules = [#kernel.generic]} {
  %r = arith.negf %x : tensor<4xf32>
  kernel.yield %r : tensor<4xf32>
}
kernel.func @g(%x: tensor<4xf32>, %y: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [#v, #v, #v], schedules = [#kernel.generic]} {
  %r = arith.addf %x, %y : tensor<4xf32>
  kernel.yield %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @loop
// CHECK:         kernel.launch @f
// CHECK:         %[[P:.*]] = kernel.storage %{{.*}} value 1 : memref<4xf32>
// CHECK:         kernel.launch @f of %{{.*}}(%{{.*}}, %[[P]])
// CHECK:         %[[K:.*]] = scf.for %{{.*}} iter_args(%[[K0:.*]] = %{{.*}}) -> (index) {
// CHECK:           %[[T:.*]] = kernel.storage %{{.*}} value 2 : memref<4xf32>
// CHECK:           kernel.launch @g of %{{.*}}(%[[P]], %{{.*}}, %[[T]])
// CHECK:           kernel.launch @f of %{{.*}}(%[[T]], %{{.*}})
// CHECK:           kernel.launch @f of %{{.*}}(%{{.*}}, %[[P]])
// CHECK:           scf.yield %{{.*}} : index
// CHECK:         }
// CHECK:         kernel.launch @f of %{{.*}}(%[[P]], %{{.*}})
// CHECK:       kernel.entry @loop_entry
// CHECK-SAME:    values [#kernel.value<() -> (16), 0, 4>, #kernel.value<() -> (16), 1, 5>, #kernel.value<() -> (16), 2, 3>, #kernel.value<() -> (16), 3, 4>]
func.func @loop(%x: tensor<4xf32> {graph.dims = [4]}, %trips: tensor<i64> {graph.dims = []}) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %element = tensor.extract %trips[] : tensor<i64>
  %n = arith.index_cast %element : i64 to index
  %e = tensor.empty() : tensor<4xf32>
  %a = kernel.call @f ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %init = kernel.call @f ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %r, %k = scf.for %i = %c0 to %n step %c1 iter_args(%p = %init, %k0 = %c0) -> (tensor<4xf32>, index) {
    %t = kernel.call @g ins(%p, %a : tensor<4xf32>, tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    %u = kernel.call @f ins(%t : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    %next = kernel.call @f ins(%u : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    %k1 = arith.addi %k0, %i : index
    scf.yield %next, %k1 : tensor<4xf32>, index
  }
  %y = kernel.call @f ins(%r : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  return %y : tensor<4xf32>
}

// -----

#v = affine_map<() -> (4)>
#b = affine_map<() -> (2)>

// A condition that a kernel computed is loaded; its place, which the loop reads in
// each trip, is kept to the loop's end.

kernel.func @f(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [#v, #v], schedules = [#kernel.generic]} {
  %r = arith.negf %x : tensor<4xf32>
  kernel.yield %r : tensor<4xf32>
}
kernel.func @flags(%x: tensor<4xf32>, %out: tensor<2xi8>) -> tensor<2xi8>
    attributes {outputs = 1 : i64, shapes = [#v, #b], schedules = [#kernel.generic]} {
  %r = arith.constant dense<1> : tensor<2xi8>
  kernel.yield %r : tensor<2xi8>
}

// CHECK-LABEL: func.func @by_value
// CHECK:         %[[F:.*]] = kernel.storage %{{.*}} value 0 : memref<2xi8>
// CHECK:         kernel.launch @flags of %{{.*}}(%{{.*}}, %[[F]])
// CHECK:         scf.for
// CHECK:           %[[E:.*]] = memref.load %[[F]]
// CHECK:           %[[C:.*]] = arith.trunci %[[E]] : i8 to i1
// CHECK:           scf.if %[[C]] {
// CHECK:             kernel.launch @f
// CHECK:           }
// CHECK:       kernel.entry @by_value_entry
// CHECK-SAME:    values [#kernel.value<() -> (2), 0, 4>
func.func @by_value(%x: tensor<4xf32> {graph.dims = [4]}) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %e = tensor.empty() : tensor<4xf32>
  %g = tensor.empty() : tensor<2xi8>
  %flags = kernel.call @flags ins(%x : tensor<4xf32>) outs(%g : tensor<2xi8>) -> tensor<2xi8>
  %init = kernel.call @f ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%p = %init) -> (tensor<4xf32>) {
    %byte = tensor.extract %flags[%c1] : tensor<2xi8>
    %c = arith.trunci %byte : i8 to i1
    %t = kernel.call @f ins(%p : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    %next = scf.if %c -> (tensor<4xf32>) {
      %u = kernel.call @f ins(%t : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
      scf.yield %u : tensor<4xf32>
    } else {
      %u = kernel.call @f ins(%t : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
      scf.yield %u : tensor<4xf32>
    }
    scf.yield %next : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// -----

#v = affine_map<() -> (4)>

// Equal copies that have become one call are apart again: two loops begin with them.

kernel.func @copy(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [#v, #v], schedules = [#kernel.generic]} {
  %e = tensor.empty() : tensor<4xf32>
  %r = linalg.copy ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  kernel.yield %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @two_loops
// CHECK:         %[[B:.*]] = kernel.storage %{{.*}} output 1
// CHECK:         kernel.launch @copy of %{{.*}}(%{{.*}}, %[[B]])
// CHECK:         %[[A:.*]] = kernel.storage %{{.*}} output 0
// CHECK:         kernel.launch @copy of %{{.*}}(%{{.*}}, %[[A]])
// CHECK:         scf.for
// CHECK:           kernel.launch @copy of %{{.*}}(%{{.*}}, %[[A]])
// CHECK:         scf.for
// CHECK:           kernel.launch @copy of %{{.*}}(%{{.*}}, %[[B]])
func.func @two_loops(%x: tensor<4xf32> {graph.dims = [4]}) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c3 = arith.constant 3 : index
  %e = tensor.empty() : tensor<4xf32>
  %init = kernel.call @copy ins(%x : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
  %r = scf.for %i = %c0 to %c3 step %c1 iter_args(%p = %init) -> (tensor<4xf32>) {
    %t = kernel.call @copy ins(%p : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    %u = kernel.call @copy ins(%t : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %u : tensor<4xf32>
  }
  %s = scf.for %i = %c0 to %c3 step %c1 iter_args(%p = %init) -> (tensor<4xf32>) {
    %t = kernel.call @copy ins(%p : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    %u = kernel.call @copy ins(%t : tensor<4xf32>) outs(%e : tensor<4xf32>) -> tensor<4xf32>
    scf.yield %u : tensor<4xf32>
  }
  return %r, %s : tensor<4xf32>, tensor<4xf32>
}
