// RUN: tessera-opt %s -split-input-file -verify-diagnostics -cpu-lower-entries | FileCheck %s

// CHECK-LABEL: func.func @checked(%arg0: !llvm.ptr) -> i32
// CHECK:         cf.cond_br %{{.*}}, ^[[REST:.*]], ^[[FAILED:.*]]
// CHECK:       ^[[REST]]:
// CHECK:         return %c0_i32
// CHECK:       ^[[FAILED]]:
// CHECK:         %[[FIELD:.*]] = llvm.getelementptr inbounds %arg0[{{.*}}] {{.*}} i8
// CHECK:         %[[MESSAGE:.*]] = llvm.mlir.addressof @message
// CHECK:         llvm.store %[[MESSAGE]], %[[FIELD]]
// CHECK:         return %c1_i32
// CHECK: llvm.mlir.global internal constant @message("n is zero\00")
func.func @checked(%ctx: !llvm.ptr) {
  %n = kernel.symbol %ctx 0
  %zero = arith.constant 0 : index
  %ok = arith.cmpi ne, %n, %zero : index
  graph.assert %ok, "n is zero"
  return
}
kernel.entry @main runs @checked inputs [] outputs [] symbols [#kernel.named_size<"n", 0, 1, 9>] values [] weights [] bytes 0

// -----

// What an entry runs begins with its checks.
// CHECK-LABEL: func.func @begins(%arg0: !llvm.ptr) -> i32
// CHECK:         %[[STATUS:.*]] = call @begins_checks(%arg0) : (!llvm.ptr) -> i32
// CHECK:         %[[HOLDS:.*]] = arith.cmpi eq, %[[STATUS]]
// CHECK:         cf.cond_br %[[HOLDS]], ^[[REST:.*]], ^[[FAILED:.*]]
// CHECK:       ^[[REST]]:
// CHECK:         call @kernel(%arg0)
// CHECK:       ^[[FAILED]]:
// CHECK:         return %[[STATUS]]
// CHECK-LABEL: func.func private @begins_checks(%arg0: !llvm.ptr) -> i32
// CHECK:         return %c1_i32
func.func private @kernel(%ctx: !llvm.ptr)
func.func @begins(%ctx: !llvm.ptr) {
  func.call @kernel(%ctx) : (!llvm.ptr) -> ()
  return
}
func.func private @begins_checks(%ctx: !llvm.ptr) {
  %n = kernel.symbol %ctx 0
  %zero = arith.constant 0 : index
  %ok = arith.cmpi ne, %n, %zero : index
  graph.assert %ok, "n is zero"
  return
}
kernel.entry @main runs @begins checks @begins_checks inputs [] outputs [] symbols [#kernel.named_size<"n", 0, 1, 9>] values [] weights [] bytes 0

// -----

// CHECK-LABEL: func.func @numbered(
// CHECK:         call @kernel(%arg0) : (!llvm.ptr) -> ()
// CHECK:         %[[NUMBER:.*]] = arith.constant 7 : i64
// CHECK:         call @tell_observer(%arg0, %[[NUMBER]])
// A shorter context has no observer, a context may have none.
// CHECK:       func.func private @tell_observer(%[[CTX:.*]]: !llvm.ptr, %[[CALL:.*]]: i64)
// CHECK:         %[[SIZE:.*]] = llvm.load %[[CTX]] : !llvm.ptr -> i64
// CHECK:         arith.cmpi uge, %[[SIZE]]
// CHECK:         cf.cond_br
// CHECK:         %[[OBSERVE:.*]] = llvm.load
// CHECK:         llvm.icmp "ne" %[[OBSERVE]]
// CHECK:         %[[OBSERVER:.*]] = llvm.load
// CHECK:         llvm.call %[[OBSERVE]](%[[OBSERVER]], %[[CALL]]) : !llvm.ptr, (!llvm.ptr, i64) -> ()
func.func private @kernel(%ctx: !llvm.ptr)
func.func @numbered(%ctx: !llvm.ptr) {
  func.call @kernel(%ctx) {kernel.number = 7 : i64} : (!llvm.ptr) -> ()
  return
}
kernel.entry @main runs @numbered inputs [] outputs [] symbols [] values [] weights [] bytes 0

// -----

// Functions that no entry runs keep their results.
// CHECK-LABEL: func.func private @helper(%arg0: !llvm.ptr) {
func.func private @helper(%ctx: !llvm.ptr) { return }

// -----

func.func private @elsewhere(%ok: i1) {
  // expected-error @+1 {{expects to be in an entry, outside of loops}}
  graph.assert %ok, "not here"
  return
}

// -----

// expected-error @+1 {{expects an entry that takes the context pointer and returns nothing}}
func.func @wrong(%n: index) { return }
kernel.entry @main runs @wrong inputs [] outputs [] symbols [] values [] weights [] bytes 0

// -----

// expected-error @+1 {{expects a function with a body}}
kernel.entry @main runs @missing inputs [] outputs [] symbols [] values [] weights [] bytes 0
