// Folds that keep sizes which are not known; see the header.
#include "dialects/Graph/IR/SizeKeepingFolds.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeMaterialization.h"

using namespace mlir;
using namespace tessera;

static bool hasUnknownSize(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  return type && !type.hasStaticShape();
}

/// `constant`, all of whose elements are the same, in the sizes of an operand of
/// the elementwise `op`; null if it is not known to be so.
static Value sizedLikeOperand(OpBuilder &builder, graph::SizeAnalysis &sizes,
                              Operation *op, Value constant) {
  SplatElementsAttr splat;
  if (!OpTrait::hasElementwiseMappableTraits(op) ||
      !matchPattern(constant, m_Constant(&splat)))
    return {};
  auto type = cast<RankedTensorType>(constant.getType());
  Value operand = *llvm::find_if(op->getOperands(), [](Value value) {
    return isa<RankedTensorType>(value.getType());
  });
  SmallVector<Value> dynamicSizes = graph::materializeDynamicSizes(
      builder, op->getLoc(), sizes, type, sizes.dimsOf(operand));
  Value element = arith::ConstantOp::create(
      builder, op->getLoc(),
      splat.resizeSplat(type.clone(ArrayRef<int64_t>())));
  return graph::BroadcastToOp::create(builder, op->getLoc(), type, element,
                                      dynamicSizes);
}

LogicalResult graph::tryFoldKeepingSizes(RewriterBase &rewriter,
                                         SizeAnalysis &sizes, Operation *op,
                                         SmallVectorImpl<Value> &results) {
  SmallVector<Operation *> constants;
  if (failed(rewriter.tryFold(op, results, &constants)))
    return failure();
  for (Value &result : results) {
    Operation *constant = result.getDefiningOp();
    if (!llvm::is_contained(constants, constant) || !hasUnknownSize(result))
      continue;
    result = sizedLikeOperand(rewriter, sizes, op, result);
    rewriter.eraseOp(constant);
    if (!result) {
      results.clear();
      return failure();
    }
  }
  return success();
}

namespace {

struct Fold : RewritePattern {
  /// Before any other pattern sees what can be folded.
  explicit Fold(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1000, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    graph::SizeAnalysis sizes(rewriter.getContext());
    SmallVector<Value> results;
    rewriter.startOpModification(op);
    if (failed(graph::tryFoldKeepingSizes(rewriter, sizes, op, results))) {
      rewriter.cancelOpModification(op);
      return rewriter.notifyMatchFailure(op, "expects an operation that folds");
    }
    rewriter.finalizeOpModification(op);
    if (!results.empty())
      rewriter.replaceOp(op, results);
    return success();
  }
};

} // namespace

void graph::foldKeepingSizes(RewritePatternSet &patterns,
                             GreedyRewriteConfig &config) {
  patterns.add<Fold>(patterns.getContext());
  config.enableFolding(false);
}
