// Passes of the kernel state.
#ifndef TESSERA_KERNEL_PASSES
#define TESSERA_KERNEL_PASSES

include "mlir/Pass/PassBase.td"

def OnePerOp : Pass<"kernel-one-per-op", "mlir::ModuleOp"> {
  let summary = "Make every tensor operation of the entries a kernel of its own";
  let description = [{
    The naive way to the kernel state, for -O0 and as the oracle of every
    optimised path: no fusion, every kernel lowered by the generic route.

      %a = math.exp %x ; %b = math.tanh %a
      ==>
      %a = kernel.call @exp ins(%x) outs(%e) ; %b = kernel.call @tanh ins(%a) outs(%f)

    Expects the graph state with boolean arguments and results as bytes
    (graph-legalize-booleans). Leaves weights, sizes, scalars and assertions in
    the entry.
  }];
  let dependentDialects = ["mlir::arith::ArithDialect", "mlir::linalg::LinalgDialect",
                           "mlir::tensor::TensorDialect", "tessera::graph::GraphDialect",
                           "tessera::kernel::KernelDialect"];
}

def MergeIdentical : Pass<"kernel-merge-identical", "mlir::ModuleOp"> {
  let summary = "Keep one of the kernels that are equal but for their names";
  let description = [{
    The layers of a model give the same kernels again and again; compile time
    and code size follow the number of distinct ones.

      kernel.call @exp …, kernel.call @exp_0 …  ==>  kernel.call @exp …, kernel.call @exp …

    Locations do not count; the first kernel's stay.
  }];
}

#endif // TESSERA_KERNEL_PASSES
