// RUN: tessera-opt %s --cpu-emit-kernels | FileCheck %s

// A function for each schedule, and one that takes the first whose guard holds.

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

// A unit that the system may refuse is asked for in the context.
// CHECK:       func.func private @log.form0({{.*}} attributes {kernel.unit = "matrix_tiles"}
// CHECK:       func.func private @log(%[[CTX:.*]]: !llvm.ptr,
// CHECK:         %[[UNITS:.*]] = llvm.load {{.*}} -> i64
// CHECK:         %[[GIVEN:.*]] = llvm.icmp "ne"
// CHECK-NEXT:    scf.if %[[GIVEN]] {
// CHECK-NEXT:      call @log.form0
// CHECK-NEXT:    } else {
// CHECK-NEXT:      call @log.form1
kernel.func @log(%x: tensor<?xf32>, %out: tensor<?xf32>, %n: index) -> tensor<?xf32>
    attributes {outputs = 1 : i64, shapes = [#n, #n],
                schedules = [#kernel.guarded<on matrix_tiles,
                                             #kernel.rows<lanes = 8, unroll = 1, taskElements = 1024>>,
                             #kernel.rows<lanes = 8, unroll = 4, taskElements = 4096>]} {
  %y = math.log %x : tensor<?xf32>
  kernel.yield %y : tensor<?xf32>
}

// CHECK:       func.func private @sin(%{{.*}}: !llvm.ptr, %{{.*}}, %[[N:.*]]: index) {
// CHECK:         %[[GIVEN:.*]] = llvm.icmp "ne"
// CHECK:         %[[BOTH:.*]] = affine.if #[[SHORT]]()[%[[N]]] -> i1 {
// CHECK-NEXT:      affine.yield %[[GIVEN]] : i1
// CHECK:         scf.if %[[BOTH]] {
kernel.func @sin(%x: tensor<?xf32>, %out: tensor<?xf32>, %n: index) -> tensor<?xf32>
    attributes {outputs = 1 : i64, shapes = [#n, #n],
                schedules = [#kernel.guarded<#short, on matrix_tiles,
                                             #kernel.rows<lanes = 8, unroll = 1, taskElements = 1024>>,
                             #kernel.rows<lanes = 8, unroll = 4, taskElements = 4096>]} {
  %y = math.sin %x : tensor<?xf32>
  kernel.yield %y : tensor<?xf32>
}
