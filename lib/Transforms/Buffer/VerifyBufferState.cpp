// The border check of the buffer state.
#include "lib/Transforms/Buffer/Passes.h"

#include "dialects/Kernel/IR/Kernel.h"

namespace tessera {
#define GEN_PASS_DEF_VERIFYBUFFERSTATE
#include "lib/Transforms/Buffer/Passes.h.inc"
} // namespace tessera

using namespace mlir;

namespace {
struct VerifyBufferState
    : tessera::impl::VerifyBufferStateBase<VerifyBufferState> {
  void runOnOperation() override {
    WalkResult result = getOperation()->walk<WalkOrder::PreOrder>(
        [](Operation *op) -> WalkResult {
          if (isa<tessera::kernel::FuncOp>(op))
            return WalkResult::skip();
          auto isTensor = [](Type type) { return isa<TensorType>(type); };
          if (isa<memref::AllocOp, memref::CopyOp>(op))
            return op->emitError("an allocation or copy that no pass planned "
                                 "is left in the buffer state");
          if (llvm::any_of(op->getOperandTypes(), isTensor) ||
              llvm::any_of(op->getResultTypes(), isTensor))
            return op->emitError("a tensor is left in the buffer state");
          return WalkResult::advance();
        });
    if (result.wasInterrupted())
      signalPassFailure();
  }
};
} // namespace
