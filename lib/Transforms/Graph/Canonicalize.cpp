// Canonicalizes; folds keep sizes that are not known.
#include "lib/Transforms/Graph/Passes.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeKeepingFolds.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/SymbolTable.h"
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

/// cast(cast(x)) to the type of x  ==>  x
struct DropCastBack : OpRewritePattern<tensor::CastOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::CastOp op,
                                PatternRewriter &rewriter) const override {
    auto first = op.getSource().getDefiningOp<tensor::CastOp>();
    if (!first || first.getSource().getType() != op.getType())
      return rewriter.notifyMatchFailure(op, "expects a cast back");
    rewriter.replaceOp(op, first.getSource());
    return success();
  }
};

/// A pattern of a dialect for operations of any other, such as the one that reads
/// past a tensor.cast. Not of those that name a symbol: it says their types.
class ExceptOnSymbolUsers : public RewritePattern {
public:
  explicit ExceptOnSymbolUsers(std::unique_ptr<RewritePattern> pattern)
      : RewritePattern(MatchAnyOpTypeTag(), pattern->getBenefit(),
                       pattern->getContext()),
        pattern(std::move(pattern)) {}
  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    std::optional<OperationName> kind = pattern->getRootKind();
    std::optional<TypeID> interface = pattern->getRootInterfaceID(),
                          trait = pattern->getRootTraitID();
    if (isa<SymbolUserOpInterface>(op) || (kind && kind != op->getName()) ||
        (interface && !op->getName().hasInterface(*interface)) ||
        (trait && !op->getName().hasTrait(*trait)))
      return rewriter.notifyMatchFailure(op, "is not what the pattern is for");
    return pattern->matchAndRewrite(op, rewriter);
  }

private:
  std::unique_ptr<RewritePattern> pattern;
};

struct Canonicalize : tessera::impl::CanonicalizeBase<Canonicalize> {
  LogicalResult initialize(MLIRContext *context) override {
    RewritePatternSet owned(context);
    for (Dialect *dialect : context->getLoadedDialects()) {
      RewritePatternSet general(context);
      dialect->getCanonicalizationPatterns(general);
      for (std::unique_ptr<RewritePattern> &pattern :
           general.getNativePatterns())
        owned.add(std::make_unique<ExceptOnSymbolUsers>(std::move(pattern)));
    }
    for (RegisteredOperationName op : context->getRegisteredOperations())
      op.getCanonicalizationPatterns(owned, context);
    owned.add<DropRepeatedAssert, DropCastBack>(context);
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
