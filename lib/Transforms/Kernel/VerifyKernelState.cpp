// The border check of the kernel state.
#include "lib/Transforms/Kernel/Passes.h"
#include "lib/Transforms/Kernel/RegionTensors.h"

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

/// Fails if `op` computes a tensor: kernels do, and branches and loops give what theirs
/// compute.
static LogicalResult checkComputesNothing(Operation &op) {
  if (llvm::none_of(op.getResultTypes(), llvm::IsaPred<RankedTensorType>) ||
      isa<kernel::CallOp, kernel::AppendOp, graph::WeightOp, tensor::EmptyOp>(
          op) ||
      isView(&op) || isControlFlow(&op))
    return success();
  return op.emitError("'") << op.getName() << "' computes a tensor outside a kernel";
}

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
    for (auto entry : getOperation().getOps<func::FuncOp>()) {
      if (entry.isExternal())
        continue;
      for (Block *block : entryBlocks(entry))
        for (Operation &op : *block)
          valid &= succeeded(checkComputesNothing(op));
    }
    if (!valid)
      signalPassFailure();
  }
};
} // namespace
