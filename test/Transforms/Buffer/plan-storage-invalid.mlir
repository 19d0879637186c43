// RUN: tessera-opt %s --plan-storage --verify-diagnostics

// Its storage is planned already.
// expected-error @+1 {{expects tensors to plan storage for, but got '(!llvm.ptr) -> ()'}}
func.func @main(%context: !llvm.ptr) {
  return
}
