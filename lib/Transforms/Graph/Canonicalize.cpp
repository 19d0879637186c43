// Canonicalizes; folds keep sizes that are not known.
#include "lib/Transforms/Graph/Passes.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeKeepingFolds.h"

#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace tessera {
#define GEN_PASS_DEF_CANONICALIZE
#include "lib/Transforms/Graph/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

/// assert %c; ...; assert %c  ==>  assert %c
struct DropRepeatedAssert : OpRewritePattern<graph::AssertOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(graph::AssertOp op,
                                PatternRewriter &rewriter) const override {
    bool isRepeated =
        llvm::any_of(op.getCondition().getUsers(), [&](Operation *user) {
          return isa<graph::AssertOp>(user) && user != op &&
                 user->getBlock() == op->getBlock() &&
                 user->isBeforeInBlock(op);
        });
    if (!isRepeated)
      return rewriter.notifyMatchFailure(op, "is the first of its condition");
    rewriter.eraseOp(op);
    return success();
  }
};

struct Canonicalize : tessera::impl::CanonicalizeBase<Canonicalize> {
  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet owned(context);
    for (Dialect *dialect : context->getLoadedDialects())
      dialect->getCanonicalizationPatterns(owned);
    for (RegisteredOperationName op : context->getRegisteredOperations())
      op.getCanonicalizationPatterns(owned, context);
    owned.add<DropRepeatedAssert>(context);
    graph::foldKeepingSizes(owned, config);
    config.setRegionSimplificationLevel(GreedySimplifyRegionLevel::Normal);
    patterns = FrozenRewritePatternSet(std::move(owned));
    return success();
  }

  // Without convergence the IR is valid all the same, as upstream has it.
  void runOnOperation() override {
    (void)applyPatternsGreedily(getOperation(), patterns, config);
  }

  GreedyRewriteConfig config;
  FrozenRewritePatternSet patterns;
};

} // namespace
