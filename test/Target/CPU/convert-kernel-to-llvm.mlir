// RUN: tessera-opt %s -split-input-file -verify-diagnostics -cpu-convert-kernel-to-llvm -canonicalize | FileCheck %s

// Offsets are those of TesseraContext: symbols 8, inputs 16, outputs 24,
// weights 32, arena 40, offsets 48.

// CHECK-LABEL: llvm.func internal @symbol
// CHECK:         %[[FIELD:.*]] = llvm.getelementptr inbounds %arg0[8]
// CHECK:         %[[ARRAY:.*]] = llvm.load %[[FIELD]] invariant
// CHECK:         %[[ELEMENT:.*]] = llvm.getelementptr inbounds %[[ARRAY]][16]
// CHECK:         llvm.load %[[ELEMENT]] invariant {{.*}} -> i64
func.func @symbol(%ctx: !llvm.ptr) -> index {
  %n = kernel.symbol %ctx 2
  return %n : index
}

// -----

// CHECK-LABEL: llvm.func internal @storage
// CHECK-DAG:     llvm.getelementptr inbounds %arg0[16]
// CHECK-DAG:     llvm.getelementptr inbounds %arg0[24]
// CHECK-DAG:     llvm.getelementptr inbounds %arg0[40]
// CHECK-DAG:     llvm.getelementptr inbounds %arg0[48]
// CHECK-DAG:     %[[WEIGHTS:.*]] = llvm.getelementptr inbounds %arg0[32]
// CHECK-DAG:     llvm.load %[[WEIGHTS]] invariant
func.func @storage(%ctx: !llvm.ptr) {
  %a = kernel.storage %ctx input 0 : memref<4xf32>
  %b = kernel.storage %ctx output 1 : memref<4xf32>
  %d = kernel.storage %ctx value 3 : memref<4xf32>
  %e = kernel.storage %ctx weights 0 : memref<4xf32>
  call @use(%a, %b, %d, %e) : (memref<4xf32>, memref<4xf32>, memref<4xf32>, memref<4xf32>) -> ()
  return
}
func.func private @use(memref<4xf32>, memref<4xf32>, memref<4xf32>, memref<4xf32>)

// -----

// Weights may lie beyond 2 GiB.
// CHECK-LABEL: llvm.func internal @far
// CHECK:         %[[FAR:.*]] = llvm.mlir.constant(6442450944 : i64)
// CHECK:         llvm.getelementptr inbounds %{{.*}}[%[[FAR]]]
func.func @far(%ctx: !llvm.ptr) -> f32 {
  %zero = arith.constant 0 : index
  %w = kernel.storage %ctx weights 6442450944 : memref<4xf32>
  %x = memref.load %w[%zero] : memref<4xf32>
  return %x : f32
}

// -----

// Strides are those of the dense row-major layout.
// CHECK-LABEL: llvm.func internal @strides
// CHECK:         %[[ROW:.*]] = llvm.mul %arg2, %arg1
// CHECK:         llvm.mul %arg3, %[[ROW]]
func.func @strides(%ctx: !llvm.ptr, %n: index, %m: index, %i: index) -> f32 {
  %zero = arith.constant 0 : index
  %x = kernel.storage %ctx input 0 sizes(%m, %n, %m) : memref<?x?x?xf32>
  %v = memref.load %x[%i, %zero, %zero] : memref<?x?x?xf32>
  return %v : f32
}

// -----

// CHECK-LABEL: llvm.func internal @parallel
// CHECK:         kernel.parallel_for (%[[TASK:.*]], %{{.*}}) in (%arg1) of %arg0 : i64 {
// CHECK:           llvm.getelementptr {{.*}}[%[[TASK]]]
// CHECK:           kernel.end
func.func @parallel(%ctx: !llvm.ptr, %n: index) {
  %zero = arith.constant 0.0 : f32
  %x = kernel.storage %ctx output 0 sizes(%n) : memref<?xf32>
  kernel.parallel_for (%task, %worker) in (%n) of %ctx {
    memref.store %zero, %x[%task] : memref<?xf32>
    kernel.end
  }
  return
}

// -----

// What is known of a loop becomes a property of its branch, which is translated.
// CHECK: #[[ANNOTATION:.*]] = #llvm.loop_annotation
// CHECK-LABEL: llvm.func internal @rolled
// CHECK:         llvm.br ^bb1(%{{.*}}) {loop_annotation = #[[ANNOTATION]]}
func.func @rolled(%n: index) {
  %zero = arith.constant 0 : index
  cf.br ^bb1(%zero : index)
^bb1(%i: index):
  %more = arith.cmpi slt, %i, %n : index
  cf.cond_br %more, ^bb2, ^bb3
^bb2:
  %next = arith.addi %i, %n : index
  cf.br ^bb1(%next : index) {llvm.loop_annotation = #llvm.loop_annotation<unroll = <disable = true>>}
^bb3:
  return
}

// -----

func.func @allocates(%n: index) {
  // expected-error @+1 {{failed to legalize operation 'memref.alloc'}}
  %x = memref.alloc(%n) : memref<?xf32>
  return
}

// -----

// Tiles pass from block to block.
// CHECK-LABEL: llvm.func internal @tiles
// CHECK:         %[[ZERO:.*]] = llvm.call_intrinsic "llvm.x86.tilezero.internal"
// CHECK:         llvm.br ^[[LOOP:.*]](%{{.*}}, %[[ZERO]] : i64, !llvm.x86_amx)
// CHECK:       ^[[LOOP]](%{{.*}}: i64, %[[SUM:.*]]: !llvm.x86_amx)
// CHECK:         %[[TILE:.*]] = llvm.call_intrinsic "llvm.x86.tileloaddt164.internal"
// CHECK:         llvm.call_intrinsic "llvm.x86.tdpbf16ps.internal"({{.*}}, %[[SUM]], %[[TILE]], %[[TILE]])
// CHECK:         llvm.call_intrinsic "llvm.x86.tilestored64.internal"
func.func @tiles(%p: !llvm.ptr, %out: memref<16x16xf32>, %n: index) {
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %rows = llvm.mlir.constant(16 : i16) : i16
  %bytes = llvm.mlir.constant(64 : i16) : i16
  %stride = arith.constant 64 : i64
  %zero = amx.tile_zero : !amx.tile<16x16xf32>
  cf.br ^loop(%c0, %zero : index, !amx.tile<16x16xf32>)
^loop(%i: index, %sum: !amx.tile<16x16xf32>):
  %x = llvm.call_intrinsic "llvm.x86.tileloaddt164.internal"(%rows, %bytes, %p, %stride) : (i16, i16, !llvm.ptr, i64) -> !llvm.x86_amx
  %t = builtin.unrealized_conversion_cast %x : !llvm.x86_amx to !amx.tile<16x32xbf16>
  %s = amx.tile_mulf %t, %t, %sum : !amx.tile<16x32xbf16>, !amx.tile<16x32xbf16>, !amx.tile<16x16xf32>
  %next = arith.addi %i, %c1 : index
  %more = arith.cmpi slt, %next, %n : index
  cf.cond_br %more, ^loop(%next, %s : index, !amx.tile<16x16xf32>), ^end
^end:
  amx.tile_store %out[%c0, %c0], %s : memref<16x16xf32>, !amx.tile<16x16xf32>
  return
}
