// Makes zero padding in front of a convolution the convolution's own.
#include "lib/Transforms/Graph/Passes.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeKeepingFolds.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace tessera {
#define GEN_PASS_DEF_FOLDPADSINTOCONVOLUTIONS
#include "lib/Transforms/Graph/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

/// conv(pad(x)) pads p  ==>  conv(x) pads p + those of the pad
struct FoldPad : OpRewritePattern<graph::ConvOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(graph::ConvOp op,
                                PatternRewriter &rewriter) const override {
    auto pad = op.getInput().getDefiningOp<tensor::PadOp>();
    if (!pad)
      return rewriter.notifyMatchFailure(op, "expects a pad");
    Value value = pad.getConstantPaddingValue();
    if (!value || !matchPattern(value, m_AnyZeroFloat()))
      return rewriter.notifyMatchFailure(op, "expects padding with zero");
    ArrayRef<int64_t> low = pad.getStaticLow(), high = pad.getStaticHigh();
    auto isKnown = [](int64_t size) { return size >= 0; };
    if (!llvm::all_of(low, isKnown) || !llvm::all_of(high, isKnown) ||
        low.front() || high.front() || low.back() || high.back())
      return rewriter.notifyMatchFailure(op, "expects known padding of spatial "
                                             "dimensions only");
    SmallVector<int64_t> padLow(op.getPadLow()), padHigh(op.getPadHigh());
    for (size_t i = 0; i < padLow.size(); ++i) {
      padLow[i] += low[i + 1];
      padHigh[i] += high[i + 1];
    }
    rewriter.modifyOpInPlace(op, [&] {
      op.getInputMutable().assign(pad.getSource());
      op.setPadLow(padLow);
      op.setPadHigh(padHigh);
    });
    return success();
  }
};

struct FoldPadsIntoConvolutions
    : tessera::impl::FoldPadsIntoConvolutionsBase<FoldPadsIntoConvolutions> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<FoldPad>(&getContext());
    GreedyRewriteConfig config;
    graph::foldKeepingSizes(patterns, config);
    if (failed(
            applyPatternsGreedily(getOperation(), std::move(patterns), config)))
      signalPassFailure();
  }
};

} // namespace
