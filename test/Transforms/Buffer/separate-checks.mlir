// RUN: tessera-opt %s -split-input-file -verify-diagnostics -separate-checks | FileCheck %s

// What an assert says must hold before the kernel that stands in front of it runs.
// CHECK-LABEL: func.func @main(
// CHECK:         call @k
// CHECK-NOT:     graph.assert
// CHECK:         return
// CHECK-LABEL: func.func private @main_checks(
// CHECK-SAME:    %[[CTX:.*]]: !llvm.ptr)
// CHECK-DAG:     %[[N:.*]] = kernel.symbol %[[CTX]] 0
// CHECK-DAG:     %[[M:.*]] = kernel.symbol %[[CTX]] 1
// CHECK:         %[[SAME:.*]] = arith.cmpi eq, %[[N]], %[[M]]
// CHECK:         graph.assert %[[SAME]], "first"
// CHECK:         graph.assert %{{.*}}, "second"
// CHECK-NOT:     call
// CHECK:         return
// CHECK: kernel.entry @e runs @main checks @main_checks inputs []
func.func private @k(%ctx: !llvm.ptr)
func.func @main(%ctx: !llvm.ptr) {
  %n = kernel.symbol %ctx 0
  func.call @k(%ctx) : (!llvm.ptr) -> ()
  %m = kernel.symbol %ctx 1
  %same = arith.cmpi eq, %n, %m : index
  graph.assert %same, "first"
  %zero = arith.constant 0 : index
  %some = arith.cmpi ne, %n, %zero : index
  graph.assert %some, "second"
  return
}
kernel.entry @e runs @main inputs [] outputs []
  symbols [#kernel.named_size<"n", 0, 1, 9>, #kernel.named_size<"m", 0, 1, 9>]
  values [] weights [] bytes 0

// -----

// CHECK-LABEL: func.func @unchecked(
// CHECK-NOT:   _checks
// CHECK:       kernel.entry @e runs @unchecked inputs []
func.func @unchecked(%ctx: !llvm.ptr) { return }
kernel.entry @e runs @unchecked inputs [] outputs [] symbols [] values [] weights [] bytes 0

// -----

func.func @reads(%ctx: !llvm.ptr) {
  %c0 = arith.constant 0 : index
  %x = kernel.storage %ctx input 0 : memref<1xi1>
  %ok = memref.load %x[%c0] : memref<1xi1>
  // expected-error @+1 {{expects a condition on sizes only}}
  graph.assert %ok, "read"
  return
}
kernel.entry @e runs @reads inputs [#kernel.port<"x", i1, () -> (1)>] outputs [] symbols [] values [] weights [] bytes 0

// -----

func.func @nested(%ctx: !llvm.ptr) {
  %n = kernel.symbol %ctx 0
  %zero = arith.constant 0 : index
  %some = arith.cmpi ne, %n, %zero : index
  scf.if %some {
    // expected-error @+1 {{stands in a branch or loop; expects it outside, because all asserts are checked before a run}}
    graph.assert %some, "in a branch"
  }
  return
}
kernel.entry @e runs @nested inputs [] outputs [] symbols [#kernel.named_size<"n", 0, 1, 9>] values [] weights [] bytes 0
