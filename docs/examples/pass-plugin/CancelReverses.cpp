// Removes two reversals of the same dimensions: an example of a pass that is built
// outside of Tessera. See docs/extending.md.
#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Pass/Pass.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

using namespace mlir;
using namespace tessera;

namespace {

/// graph.reverse (graph.reverse %x [d...]) [d...]   ==>   %x
struct CancelReverse : OpRewritePattern<graph::ReverseOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(graph::ReverseOp op,
                                PatternRewriter &rewriter) const override {
    auto inner = op.getSource().getDefiningOp<graph::ReverseOp>();
    if (!inner || inner.getDimensions() != op.getDimensions())
      return rewriter.notifyMatchFailure(
          op, "expects a reversal of the same dimensions");
    rewriter.replaceOp(op, inner.getSource());
    return success();
  }
};

struct CancelReverses
    : PassWrapper<CancelReverses, OperationPass<func::FuncOp>> {
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(CancelReverses)

  StringRef getArgument() const override { return "cancel-reverses"; }
  StringRef getDescription() const override {
    return "Remove two reversals of the same dimensions";
  }

  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<CancelReverse>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace

extern "C" LLVM_ATTRIBUTE_VISIBILITY_DEFAULT PassPluginLibraryInfo
mlirGetPassPluginInfo() {
  return {MLIR_PLUGIN_API_VERSION, "CancelReverses", "0.1",
          [] { PassRegistration<CancelReverses>(); }};
}
