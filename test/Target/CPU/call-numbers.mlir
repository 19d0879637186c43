// RUN: tessera-opt %s --cpu-emit-kernels | FileCheck %s

// Calls are numbered as they stand, also in branches and loops, and keep their
// numbers whether they run or not.

#v = affine_map<() -> (4)>
kernel.func @f(%x: tensor<4xf32>, %out: tensor<4xf32>) -> tensor<4xf32>
    attributes {outputs = 1 : i64, shapes = [#v, #v], schedules = [#kernel.generic]} {
  %r = arith.negf %x : tensor<4xf32>
  kernel.yield %r : tensor<4xf32>
}

// CHECK-LABEL: func.func @main
// CHECK:         call @f{{.*}} {kernel.number = 0 : i64}
// CHECK:         scf.if
// CHECK:           call @f{{.*}} {kernel.number = 1 : i64}
// CHECK:         else
// CHECK:           call @f{{.*}} {kernel.number = 2 : i64}
// CHECK:         scf.for
// CHECK:           scf.if
// CHECK:             call @f{{.*}} {kernel.number = 3 : i64}
// CHECK:           call @f{{.*}} {kernel.number = 4 : i64}
// CHECK:         call @f{{.*}} {kernel.number = 5 : i64}
func.func @main(%ctx: !llvm.ptr, %c: i1, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %x = kernel.storage %ctx input 0 : memref<4xf32>
  %y = kernel.storage %ctx output 0 : memref<4xf32>
  kernel.launch @f of %ctx(%x, %y) : memref<4xf32>, memref<4xf32>
  scf.if %c {
    kernel.launch @f of %ctx(%x, %y) : memref<4xf32>, memref<4xf32>
  } else {
    kernel.launch @f of %ctx(%x, %y) : memref<4xf32>, memref<4xf32>
  }
  scf.for %i = %c0 to %n step %c1 {
    scf.if %c {
      kernel.launch @f of %ctx(%x, %y) : memref<4xf32>, memref<4xf32>
    }
    kernel.launch @f of %ctx(%x, %y) : memref<4xf32>, memref<4xf32>
  }
  kernel.launch @f of %ctx(%x, %y) : memref<4xf32>, memref<4xf32>
  return
}

// CHECK-LABEL: func.func @other
// CHECK:         call @f{{.*}} {kernel.number = 0 : i64}
func.func @other(%ctx: !llvm.ptr) {
  %x = kernel.storage %ctx input 0 : memref<4xf32>
  %y = kernel.storage %ctx output 0 : memref<4xf32>
  kernel.launch @f of %ctx(%x, %y) : memref<4xf32>, memref<4xf32>
  return
}
