// The border check of the kernel state.
#include "lib/Transforms/Kernel/Passes.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Interfaces/Movement.h"
#include "dialects/Kernel/IR/Append.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace tessera {
#define GEN_PASS_DEF_VERIFYKERNELSTATE
#include "lib/Transforms/Kernel/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {
struct VerifyKernelState
    : tessera::impl::VerifyKernelStateBase<VerifyKernelState> {
  void runOnOperation() override {
    bool valid = true;
    for (auto kernel : getOperation().getOps<kernel::FuncOp>())
      if (kernel.getSchedules().empty()) {
        kernel.emitError("a kernel without a schedule is left");
        valid = false;
      }
    for (auto entry : getOperation().getOps<func::FuncOp>())
      for (Operation &op : entry.getBody().front()) {
        bool computes = llvm::any_of(op.getResultTypes(),
                                     llvm::IsaPred<RankedTensorType>);
        if (!computes || isView(&op) ||
            isa<kernel::CallOp, kernel::AppendOp, graph::WeightOp,
                tensor::EmptyOp>(op))
          continue;
        op.emitError("'") << op.getName()
                          << "' computes a tensor outside a kernel";
        valid = false;
      }
    if (!valid)
      signalPassFailure();
  }
};
} // namespace
