// RUN: tessera-opt %s --cpu-emit-kernels | FileCheck %s

// A function for each schedule, and one that takes the first whose condition holds.

// CHECK-DAG:     #[[SHORT:.*]] = affine_set<()[s0] : (-s0 + 99 >= 0)>
// CHECK:       func.func private @exp.form0(
// CHECK:       func.func private @exp.form1(
// CHECK:       func.func private @exp(%[[CTX:.*]]: !llvm.ptr, %[[X:.*]]: memref<?xf32>, %[[OUT:.*]]: memref<?xf32>, %[[N:.*]]: index) {
// CHECK-NEXT:    affine.if #[[SHORT]]()[%[[N]]] {
// CHECK-NEXT:      call @exp.form0(%[[CTX]], %[[X]], %[[OUT]], %[[N]])
// CHECK-NEXT:    } else {
// CHECK-NEXT:      call @exp.form1(%[[CTX]], %[[X]], %[[OUT]], %[[N]])
// CHECK-NEXT:    }
// CHECK-NEXT:    return
#short = affine_set<()[s0] : (99 - s0 >= 0)>
#n = affine_map<()[s0] -> (s0)>
kernel.func @exp(%x: tensor<?xf32>, %out: tensor<?xf32>, %n: index) -> tensor<?xf32>
    attributes {outputs = 1 : i64, shapes = [#n, #n],
                schedules = [#kernel.guarded<#short,
                                             #kernel.rows<lanes = 8, unroll = 1, taskElements = 1024>>,
                             #kernel.rows<lanes = 8, unroll = 4, taskElements = 4096>]} {
  %y = math.exp %x : tensor<?xf32>
  kernel.yield %y : tensor<?xf32>
}
