// RUN: tessera-opt %s --split-input-file --kernel-outline-groups --verify-diagnostics | FileCheck %s

// A branch has kernels of its own, which read what is outside; index maps of outside
// are cloned. What nothing in the branch computes is copied there.

// CHECK-LABEL: func.func @branch
// CHECK:         %[[A:.*]] = kernel.call @elementwise
// CHECK:         %[[R:.*]] = scf.if %{{.*}} -> (tensor<4x4xf32>) {
// CHECK:           %[[B:.*]] = kernel.call @elementwise{{.*}} ins(%[[A]], %{{.*}} :
// CHECK:           scf.yield %[[B]]
// CHECK:         } else {
// CHECK:           %[[C:.*]] = kernel.call @elementwise{{.*}} ins(%{{.*}} :
// CHECK:           scf.yield %[[C]]
// CHECK:         }
// CHECK:         %[[Y:.*]] = kernel.call @elementwise{{.*}} ins(%[[A]], %[[R]] :
// CHECK:         return %[[Y]]
func.func @branch(%x: tensor<4x4xf32>, %c: i1) -> tensor<4x4xf32> {
  %a = math.exp %x : tensor<4x4xf32>
  %e = tensor.empty() : tensor<4x4xf32>
  %t = linalg.transpose ins(%x : tensor<4x4xf32>) outs(%e : tensor<4x4xf32>) permutation = [1, 0]
  %r = scf.if %c -> (tensor<4x4xf32>) {
    %s = arith.addf %a, %t : tensor<4x4xf32>
    %b = math.tanh %s : tensor<4x4xf32>
    scf.yield %b : tensor<4x4xf32>
  } else {
    scf.yield %x : tensor<4x4xf32>
  }
  // Cannot join the kernel of %a, which the branch reads and which would read it.
  %y = arith.addf %a, %r : tensor<4x4xf32>
  return %y : tensor<4x4xf32>
}

// -----

// A loop begins with a copy of what others read too. The kernel that computes the next
// trip's tensor reads this trip's, so it is copied at the end.

// CHECK-LABEL: func.func @loop
// CHECK:         %[[I:.*]] = kernel.call @elementwise ins(%arg0 :
// CHECK:         %[[R:.*]] = scf.for {{.*}} iter_args(%[[P:.*]] = %[[I]]) -> (tensor<4xf32>) {
// CHECK:           %[[N:.*]] = kernel.call @elementwise{{.*}} ins(%[[P]]
// CHECK:           %[[D:.*]] = kernel.call @carry ins(%[[N]] : {{.*}} {kernel.own_place = {{[0-9]+}} : i64}
// CHECK:           scf.yield %[[D]]
// CHECK:         }
// CHECK:         return %[[R]]
func.func @loop(%x: tensor<4xf32>, %n: index) -> tensor<4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %r = scf.for %i = %c0 to %n step %c1 iter_args(%p = %x) -> (tensor<4xf32>) {
    %next = math.sin %p : tensor<4xf32>
    scf.yield %next : tensor<4xf32>
  }
  return %r : tensor<4xf32>
}

// -----

// No copies: a kernel computes what the loop begins with for it alone, and the last
// kernel of the trip does not read what the trip got.

// CHECK-LABEL: func.func @no_copies
// CHECK:         %[[I:.*]] = kernel.call @elementwise
// CHECK:         scf.for {{.*}} iter_args(%[[P:.*]] = %[[I]])
// CHECK:           %[[M:.*]] = kernel.call @elementwise{{.*}} ins(%[[P]] :
// CHECK:           %[[N:.*]] = kernel.call @matmul ins(%[[M]], %{{.*}} :
// CHECK-NOT:       kernel.call
// CHECK:           scf.yield %[[N]]
func.func @no_copies(%x: tensor<4x4xf32>, %n: index) -> tensor<4x4xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %zero = arith.constant 0.0 : f32
  %i = math.sin %x : tensor<4x4xf32>
  %r = scf.for %k = %c0 to %n step %c1 iter_args(%p = %i) -> (tensor<4x4xf32>) {
    %t = math.exp %p : tensor<4x4xf32>
    %e = tensor.empty() : tensor<4x4xf32>
    %f = linalg.fill ins(%zero : f32) outs(%e : tensor<4x4xf32>) -> tensor<4x4xf32>
    %next = linalg.matmul ins(%t, %x : tensor<4x4xf32>, tensor<4x4xf32>) outs(%f : tensor<4x4xf32>) -> tensor<4x4xf32>
    scf.yield %next : tensor<4x4xf32>
  }
  return %r : tensor<4x4xf32>
}

// -----

// Carried tensors that swap are copied out of their places before they are written.

// CHECK-LABEL: func.func @swap
// CHECK:         scf.for {{.*}} iter_args(%[[P:.*]] = %{{.*}}, %[[Q:.*]] = %{{.*}})
// CHECK-DAG:       %[[A:.*]] = kernel.call @elementwise{{.*}} ins(%[[Q]] :
// CHECK-DAG:       %[[B:.*]] = kernel.call @elementwise{{.*}} ins(%[[P]] :
// CHECK:           %[[C:.*]] = kernel.call @carry{{.*}} ins(%[[A]] :
// CHECK:           scf.yield %[[C]], %[[B]]
func.func @swap(%x: tensor<4xf32>, %y: tensor<4xf32>, %n: index) -> (tensor<4xf32>, tensor<4xf32>) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %a, %b = scf.for %i = %c0 to %n step %c1 iter_args(%p = %x, %q = %y) -> (tensor<4xf32>, tensor<4xf32>) {
    scf.yield %q, %p : tensor<4xf32>, tensor<4xf32>
  }
  return %a, %b : tensor<4xf32>, tensor<4xf32>
}

// -----

func.func @grows(%x: tensor<?xf32>) -> tensor<?xf32> {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  // expected-error @+1 {{expects carried tensor 0 to keep its sizes, but a trip may change those of 'tensor<?xf32>'}}
  %r = scf.for %i = %c0 to %c1 step %c1 iter_args(%p = %x) -> (tensor<?xf32>) {
    %b = tensor.concat dim(0) %p, %x : (tensor<?xf32>, tensor<?xf32>) -> tensor<?xf32>
    scf.yield %b : tensor<?xf32>
  }
  return %r : tensor<?xf32>
}

// -----

// A selection between whole tensors is a branch.

// CHECK-LABEL: func.func @selection
// CHECK:         scf.if %{{.*}} -> (tensor<4xf32>) {
// CHECK:           kernel.call @elementwise{{.*}} ins(%arg0 :
// CHECK:         } else {
// CHECK:           kernel.call @elementwise{{.*}} ins(%arg1 :
func.func @selection(%x: tensor<4xf32>, %y: tensor<4xf32>, %c: i1) -> tensor<4xf32> {
  %r = arith.select %c, %x, %y : tensor<4xf32>
  return %r : tensor<4xf32>
}
