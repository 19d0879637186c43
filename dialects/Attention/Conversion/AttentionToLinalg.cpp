// Expresses attention as linalg operations.
#include "dialects/Attention/Conversion/Passes.h"
#include "dialects/Attention/IR/Attention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace tessera::attention {
#define GEN_PASS_DEF_ATTENTIONTOLINALG
#include "dialects/Attention/Conversion/Passes.h.inc"
} // namespace tessera::attention

using namespace mlir;
using namespace tessera;

namespace {
struct AttentionToLinalg
    : attention::impl::AttentionToLinalgBase<AttentionToLinalg> {
  void runOnOperation() override {
    SmallVector<attention::SdpaOp> ops;
    getOperation()->walk([&](attention::SdpaOp op) { ops.push_back(op); });
    IRRewriter rewriter(&getContext());
    for (attention::SdpaOp op : ops) {
      rewriter.setInsertionPoint(op);
      FailureOr<SmallVector<Value>> parts = op.decomposeOperation(rewriter);
      if (failed(parts)) {
        op.emitOpError("has no form in linalg");
        return signalPassFailure();
      }
      rewriter.replaceOp(op, *parts);
    }
  }
};
} // namespace
