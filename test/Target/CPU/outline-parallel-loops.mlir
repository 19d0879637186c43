// RUN: tessera-opt %s -split-input-file -verify-diagnostics -cpu-outline-parallel-loops | FileCheck %s

// The run-time count picks the pool or one direct call; a constant is repeated
// in the body, other values are captured.

// CHECK-LABEL: llvm.func @dynamic
// CHECK:         %[[CAPTURES:.*]] = llvm.alloca %{{.*}} x !llvm.struct<(ptr)>
// CHECK:         llvm.store %arg1, %{{.*}}
// CHECK:         %[[MANY:.*]] = llvm.icmp "sgt" %arg2
// CHECK:         llvm.cond_br %[[MANY]], ^[[PARALLEL:.*]], ^[[SERIAL:.*]]
// CHECK:       ^[[PARALLEL]]:
// CHECK:         %[[TASK:.*]] = llvm.mlir.addressof @dynamic.task
// CHECK:         llvm.call %{{.*}}(%{{.*}}, %[[TASK]], %[[CAPTURES]], %arg2)
// CHECK:       ^[[SERIAL]]:
// CHECK:         llvm.icmp "eq" %arg2
// CHECK:         llvm.call @dynamic.task(%[[CAPTURES]], %{{.*}}, %{{.*}})
// CHECK-LABEL: llvm.func internal @dynamic.task
// CHECK-SAME:    no_inline
// CHECK:         llvm.load %{{.*}} : !llvm.ptr -> !llvm.ptr
// CHECK:         llvm.mlir.constant(1.000000e+00 : f32)
// CHECK:         llvm.store
// CHECK:         llvm.return
llvm.func @dynamic(%ctx: !llvm.ptr, %x: !llvm.ptr, %n: i64) {
  %one = llvm.mlir.constant(1.0 : f32) : f32
  kernel.parallel_for (%task, %worker) in (%n) of %ctx : i64 {
    %p = llvm.getelementptr %x[%task] : (!llvm.ptr, i64) -> !llvm.ptr, f32
    llvm.store %one, %p : f32, !llvm.ptr
    kernel.end
  }
  llvm.return
}

// -----

// One task runs in place, as worker 0.
// CHECK-LABEL: llvm.func @single
// CHECK-NOT:     llvm.call
// CHECK:         llvm.store
// CHECK-NOT:   @single.task
llvm.func @single(%ctx: !llvm.ptr, %x: !llvm.ptr) {
  %one = llvm.mlir.constant(1 : i64) : i64
  kernel.parallel_for (%task, %worker) in (%one) of %ctx : i64 {
    %p = llvm.getelementptr %x[%task] : (!llvm.ptr, i64) -> !llvm.ptr, i64
    llvm.store %worker, %p : i64, !llvm.ptr
    kernel.end
  }
  llvm.return
}

// -----

// Many tasks need no test of the count.
// CHECK-LABEL: llvm.func @many
// CHECK-NOT:     llvm.cond_br
// CHECK:         llvm.return
// CHECK-LABEL: llvm.func internal @many.task
// CHECK-NOT:     no_inline
// CHECK:         llvm.return
llvm.func @many(%ctx: !llvm.ptr, %x: !llvm.ptr) {
  %four = llvm.mlir.constant(4 : i64) : i64
  kernel.parallel_for (%task, %worker) in (%four) of %ctx : i64 {
    llvm.store %task, %x : i64, !llvm.ptr
    kernel.end
  }
  llvm.return
}

// -----

// A loop inside a task: one inner task runs as the outer task's worker, and the
// inner loop's struct is at the start of the outer body, not in its loop.
// CHECK-LABEL: llvm.func internal @nested.task_
// CHECK-SAME:    %{{.*}}: i64, %[[WORKER:.*]]: i64)
// CHECK:         llvm.alloca
// CHECK:         llvm.br
// CHECK-NOT:     llvm.alloca
// CHECK:         llvm.call @nested.task(%{{.*}}, %{{.*}}, %[[WORKER]])
// CHECK:         llvm.return
llvm.func @nested(%ctx: !llvm.ptr, %n: i64) {
  %two = llvm.mlir.constant(2 : i64) : i64
  kernel.parallel_for (%task, %worker) in (%two) of %ctx : i64 {
    llvm.br ^loop
  ^loop:
    kernel.parallel_for (%inner, %innerWorker) in (%n) of %ctx : i64 {
      %p = llvm.inttoptr %task : i64 to !llvm.ptr
      llvm.store %innerWorker, %p : i64, !llvm.ptr
      kernel.end
    }
    %again = llvm.icmp "eq" %task, %n : i64
    llvm.cond_br %again, ^loop, ^end
  ^end:
    kernel.end
  }
  llvm.return
}

// -----

// A function called by tasks does not know its worker: always the pool.
// CHECK-LABEL: llvm.func @called
// CHECK-NOT:     llvm.cond_br
// CHECK:         llvm.mlir.addressof @called.task
// CHECK:         llvm.return
llvm.func @called(%ctx: !llvm.ptr, %n: i64) {
  %one = llvm.mlir.constant(1 : i64) : i64
  kernel.parallel_for (%task, %worker) in (%one) of %ctx : i64 { kernel.end }
  llvm.return
}
llvm.func @caller(%ctx: !llvm.ptr, %n: i64) {
  kernel.parallel_for (%task, %worker) in (%n) of %ctx : i64 {
    llvm.call @called(%ctx, %task) : (!llvm.ptr, i64) -> ()
    kernel.end
  }
  llvm.return
}

// -----

// Scratch of constant size does not grow the stack in a loop.
// CHECK-LABEL: llvm.func @scratch
// CHECK:         %[[SIZE:.*]] = llvm.mlir.constant(16 : i64)
// CHECK-NEXT:    llvm.alloca %[[SIZE]] x f32
// CHECK:         llvm.br
// CHECK-NOT:     llvm.alloca
llvm.func @scratch(%n: i64) {
  llvm.br ^loop
^loop:
  %size = llvm.mlir.constant(16 : i64) : i64
  %x = llvm.alloca %size x f32 : (i64) -> !llvm.ptr
  llvm.store %n, %x : i64, !llvm.ptr
  llvm.br ^loop
}

// -----

func.func @early(%ctx: !llvm.ptr, %n: index) {
  // expected-error @+1 {{expects to be in a function of the LLVM dialect}}
  kernel.parallel_for (%task, %worker) in (%n) of %ctx { kernel.end }
  return
}
