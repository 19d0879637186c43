// Passes that lead from the kernel state to the buffer state.
include "mlir/Pass/PassBase.td"

def PlanStorage : Pass<"plan-storage", "mlir::ModuleOp"> {
  let summary = "Give every tensor of an entry its storage";
  let description = [{
    Kernels are destination style already, so what is left to decide is which
    bytes each destination is: an output of the entry, or a value of the arena
    with its size and life time. Reshapes between kernels are other views of the
    same bytes.

      %n = graph.size @seq                          %n = kernel.symbol %ctx 0
      %w = graph.weight @w                          %x = kernel.storage %ctx input 0 sizes(%n)
      %e = tensor.empty(%n)                    ==>  %w = kernel.storage %ctx weights 0
      %t = kernel.call @k ins(%x, %w) outs(%e)      %t = kernel.storage %ctx output 0 sizes(%n)
      return %t                                     kernel.launch @k of %ctx (%x, %w, %t)

    and a `kernel.entry` with ports, symbols, values and weights. The runtime
    packs the values into the arena.

    The storage of a `kernel.append` is the entry's output, with the caller's
    strides; its operands are parts of it. The copy of the past is launched only
    where the input begins at another address (`kernel.is_in_place`).

    `scf.if` and `scf.for` lose their tensors and keep their scalars. The results of
    an `scf.if` are one place that both branches write; what an `scf.for` carries is
    one place from its initial value to its result. A value that is used in a loop is
    alive to the loop's end (TensorLives.h). Elements that conditions and bounds are
    made of are symbols of the entry, or loaded from storage.

    Expects the kernel state. Fails where a size depends on data, where what leaves a
    block is not the result of a kernel of its own, and where a loop's body writes what
    it carries before all of it is read.
  }];
  let dependentDialects = ["tessera::kernel::KernelDialect", "mlir::memref::MemRefDialect",
                           "mlir::LLVM::LLVMDialect", "mlir::arith::ArithDialect",
                           "mlir::scf::SCFDialect"];
}

def SeparateChecks : Pass<"separate-checks", "mlir::ModuleOp"> {
  let summary = "Give the asserts of an entry a function of their own, which runs first";
  let description = [{
    Kernels and storage plans take the sizes that an assert compares for equal, also
    where these come from operations before the assert. So no kernel may run and
    nothing may be planned before all asserts of the entry hold.

      func.func @main(%ctx) {                    func.func private @main_checks(%ctx) {
        kernel.launch @k of %ctx …                 %same = arith.cmpi eq, %n, %m
        %same = arith.cmpi eq, %n, %m              graph.assert %same, "…"
        graph.assert %same, "…"           ==>      return
        return                                   }
      }                                          func.func @main(%ctx) { kernel.launch … }
      kernel.entry @e runs @main …               kernel.entry @e runs @main checks @main_checks …

    Expects the buffer state. Fails where a condition depends on more than sizes, and
    at an assert in a branch or loop, which does not hold for the whole run.
  }];
  let dependentDialects = ["tessera::kernel::KernelDialect"];
}

def VerifyBufferState : Pass<"verify-buffer-state", "mlir::ModuleOp"> {
  let summary = "Fail on tensors, allocations and copies";
  let description = [{
    The border of the buffer state: no operation outside a `kernel.func` has a
    tensor operand or result, and none is `memref.alloc` or `memref.copy`.
  }];
}
