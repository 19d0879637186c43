// Moves reshapes of computed values below elementwise operations, so that
// kernels end with them.
#include "lib/Transforms/Graph/LimitedRewrites.h"
#include "lib/Transforms/Graph/Passes.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

namespace tessera {
#define GEN_PASS_DEF_SINKRESHAPES
#include "lib/Transforms/Graph/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

/// A reshape and its grouping: dimension i of the side with fewer dimensions is
/// made of the dimensions groups[i] of the other.
struct Reshape {
  Operation *op = nullptr;
  Value source;
  SmallVector<ReassociationIndices> groups;
  bool expands = false;

  static std::optional<Reshape> of(Value value) {
    if (auto expand = value.getDefiningOp<tensor::ExpandShapeOp>())
      return Reshape{expand, expand.getSrc(),
                     expand.getReassociationIndices(), true};
    if (auto collapse = value.getDefiningOp<tensor::CollapseShapeOp>())
      return Reshape{collapse, collapse.getSrc(),
                     collapse.getReassociationIndices(), false};
    return std::nullopt;
  }
};

/// Whether the value comes out of an operation whose kernel an elementwise
/// operation may join.
bool isComputed(Value value) {
  Operation *op = value.getDefiningOp();
  return op && (OpTrait::hasElementwiseMappableTraits(op) ||
                isa<graph::PoolOp, linalg::ReduceOp, linalg::SoftmaxOp>(op) ||
                isContraction(op));
}

/// `value`, of the reshape's result shape, in the shape of its source.
Value inSourceShape(PatternRewriter &rewriter, Location loc, Value value,
                    const Reshape &reshape) {
  auto element = cast<RankedTensorType>(value.getType()).getElementType();
  auto sourceType =
      cast<RankedTensorType>(reshape.source.getType()).clone(element);
  DenseElementsAttr splat;
  if (matchPattern(value, m_Constant(&splat)) && splat.isSplat() &&
      sourceType.hasStaticShape())
    return arith::ConstantOp::create(rewriter, loc,
                                     splat.resizeSplat(sourceType));
  if (reshape.expands)
    return tensor::CollapseShapeOp::create(rewriter, loc, sourceType, value,
                                           reshape.groups);
  return tensor::ExpandShapeOp::create(
      rewriter, loc, sourceType, value, reshape.groups,
      tensor::getMixedSizes(rewriter, loc, reshape.source));
}

/// Whether reshaping the operands of `op` but for the result of `reshape` leaves
/// no reshape of a computed value. Collapses move only then, expansions always:
/// if both did, a reshape could move back and forth between two operands.
bool othersAreFree(Operation *op, Operation *reshape) {
  return llvm::all_of(op->getOperands(), [&](Value operand) {
    Operation *producer = operand.getDefiningOp();
    return !producer || producer == reshape ||
           !isa<RankedTensorType>(operand.getType()) ||
           producer->hasTrait<OpTrait::ConstantLike>() ||
           isa<graph::BroadcastToOp, graph::WeightOp>(producer);
  });
}

/// Whether every user of a reshape will do without it: GELU reads its input
/// twice. A reduction beside an elementwise user, as in a norm, needs both to stay
/// in one shape.
bool isReadByElementsOnly(Value reshape) {
  return reshape.hasOneUse() ||
         llvm::all_of(reshape.getUsers(), [](Operation *user) {
           return OpTrait::hasElementwiseMappableTraits(user) ||
                  isa<tensor::CollapseShapeOp>(user);
         });
}

/// elementwise(reshape(x), y)  ==>  reshape(elementwise(x, inverse reshape(y)))
struct SinkBelowElementwise : RewritePattern {
  explicit SinkBelowElementwise(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {}

  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!OpTrait::hasElementwiseMappableTraits(op) || op->getNumResults() != 1)
      return rewriter.notifyMatchFailure(op, "expects an elementwise operation");
    auto resultType = dyn_cast<RankedTensorType>(op->getResult(0).getType());
    if (!resultType)
      return rewriter.notifyMatchFailure(op, "expects a tensor result");
    std::optional<Reshape> reshape;
    for (Value operand : op->getOperands()) {
      reshape = Reshape::of(operand);
      if (reshape && isComputed(reshape->source) &&
          (reshape->expands
               ? isReadByElementsOnly(operand)
               : operand.hasOneUse() && othersAreFree(op, reshape->op)))
        break;
      reshape.reset();
    }
    if (!reshape)
      return rewriter.notifyMatchFailure(op, "no operand is a reshape of a "
                                             "computed value that can move");
    Location loc = op->getLoc();
    rewriter.setInsertionPoint(op);
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      if (operand.getDefiningOp() == reshape->op)
        operands.push_back(reshape->source);
      else if (isa<RankedTensorType>(operand.getType()))
        operands.push_back(inSourceShape(rewriter, loc, operand, *reshape));
      else
        operands.push_back(operand);
    }
    auto sourceType = cast<RankedTensorType>(reshape->source.getType())
                          .clone(resultType.getElementType());
    Operation *moved = rewriter.create(loc, op->getName().getIdentifier(),
                                       operands, sourceType, op->getAttrs());
    Value result;
    if (reshape->expands) {
      auto expand = cast<tensor::ExpandShapeOp>(reshape->op);
      result = tensor::ExpandShapeOp::create(
          rewriter, loc, resultType, moved->getResult(0), reshape->groups,
          expand.getMixedOutputShape());
    } else {
      result = tensor::CollapseShapeOp::create(
          rewriter, loc, resultType, moved->getResult(0), reshape->groups);
    }
    rewriter.replaceOp(op, result);
    return success();
  }
};

/// Sizes of a reshape of a broadcast, from the broadcast's own.
SmallVector<OpFoldResult> resultSizes(tensor::ExpandShapeOp op,
                                      graph::BroadcastToOp,
                                      PatternRewriter &) {
  return op.getMixedOutputShape();
}
SmallVector<OpFoldResult> resultSizes(tensor::CollapseShapeOp op,
                                      graph::BroadcastToOp broadcast,
                                      PatternRewriter &rewriter) {
  SmallVector<OpFoldResult> from = getMixedValues(
      cast<RankedTensorType>(broadcast.getType()).getShape(), broadcast.getSizes(), rewriter);
  SmallVector<OpFoldResult> sizes;
  for (const ReassociationIndices &group : op.getReassociationIndices()) {
    OpFoldResult size = rewriter.getIndexAttr(1);
    AffineExpr a = rewriter.getAffineSymbolExpr(0);
    AffineExpr b = rewriter.getAffineSymbolExpr(1);
    for (int64_t dimension : group)
      size = affine::makeComposedFoldedAffineApply(rewriter, op.getLoc(), a * b,
                                                   {size, from[dimension]});
    sizes.push_back(size);
  }
  return sizes;
}

/// collapse(broadcast_to(x))  ==>  broadcast_to(collapse(x)), and likewise for
/// expand, where every group has at most one dimension other than 1 in the
/// broadcast's result.
template <typename ReshapeOp>
struct ReshapeOfBroadcast : OpRewritePattern<ReshapeOp> {
  using OpRewritePattern<ReshapeOp>::OpRewritePattern;

  LogicalResult matchAndRewrite(ReshapeOp op,
                                PatternRewriter &rewriter) const override {
    auto broadcast = op.getSrc().template getDefiningOp<graph::BroadcastToOp>();
    if (!broadcast)
      return rewriter.notifyMatchFailure(op, "expects a broadcast");
    constexpr bool collapses = std::is_same_v<ReshapeOp, tensor::CollapseShapeOp>;
    auto wide = cast<RankedTensorType>(collapses ? op.getSrc().getType()
                                                 : op.getType());
    SmallVector<ReassociationIndices> groups = op.getReassociationIndices();
    auto sourceType = cast<RankedTensorType>(broadcast.getSource().getType());
    auto fromType = cast<RankedTensorType>(broadcast.getType());

    // The broadcast's source with leading 1s, so that dimensions correspond.
    int64_t added = fromType.getRank() - sourceType.getRank();
    SmallVector<int64_t> shape(added, 1);
    llvm::append_range(shape, sourceType.getShape());

    // For each group: which of its wide dimensions carries the elements. A
    // group that the broadcast only repeats carries none.
    SmallVector<int64_t> result;
    for (auto [narrow, group] : llvm::enumerate(groups)) {
      bool repeated =
          collapses
              ? llvm::all_of(group, [&](int64_t d) { return shape[d] == 1; })
              : shape[narrow] == 1;
      int64_t carrier = -1;
      for (int64_t dimension : group)
        if (!repeated && wide.getDimSize(dimension) != 1) {
          if (carrier >= 0)
            return rewriter.notifyMatchFailure(
                op, "a group merges two dimensions of the broadcast");
          carrier = dimension;
        }
      if constexpr (collapses) {
        result.push_back(carrier < 0 ? 1 : shape[carrier]);
      } else {
        for (int64_t dimension : group)
          result.push_back(dimension == carrier ? shape[narrow] : 1);
      }
    }
    // Only sizes of the source that are known to be 1 or carried over appear, so
    // the reshape of the source inserts or removes 1s.
    Location loc = op.getLoc();
    auto reshapedType =
        RankedTensorType::get(result, sourceType.getElementType());
    Value source = broadcast.getSource();
    // A number is broadcast to any sizes as it is.
    if (reshapedType != sourceType && sourceType.getRank() > 0) {
      if (llvm::count_if(result, ShapedType::isDynamic) > 1)
        return rewriter.notifyMatchFailure(op, "several unknown sizes");
      std::optional<SmallVector<ReassociationIndices>> reassociation;
      bool narrower = reshapedType.getRank() < sourceType.getRank();
      if (reshapedType.getRank() == sourceType.getRank())
        return rewriter.notifyMatchFailure(op, "dimensions of 1 change places");
      reassociation = getReassociationIndicesForReshape(sourceType, reshapedType);
      if (!reassociation)
        return rewriter.notifyMatchFailure(op, "the source is not a reshape");
      if (narrower) {
        source = tensor::CollapseShapeOp::create(rewriter, loc, reshapedType,
                                                 source, *reassociation);
      } else {
        SmallVector<OpFoldResult> sizes;
        SmallVector<OpFoldResult> from =
            tensor::getMixedSizes(rewriter, loc, source);
        for (auto [i, group] : llvm::enumerate(*reassociation))
          for (int64_t dimension : group)
            sizes.push_back(ShapedType::isDynamic(result[dimension])
                                ? from[i]
                                : rewriter.getIndexAttr(result[dimension]));
        source = tensor::ExpandShapeOp::create(rewriter, loc, reshapedType,
                                               source, *reassociation, sizes);
      }
    }
    SmallVector<Value> sizes;
    auto toType = cast<RankedTensorType>(op.getType());
    for (auto [i, size] : llvm::enumerate(resultSizes(op, broadcast, rewriter)))
      if (toType.isDynamicDim(i))
        sizes.push_back(getValueOrCreateConstantIndexOp(rewriter, loc, size));
    rewriter.replaceOpWithNewOp<graph::BroadcastToOp>(op, toType, source, sizes);
    return success();
  }
};

struct SinkReshapes : tessera::impl::SinkReshapesBase<SinkReshapes> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<SinkBelowElementwise, ReshapeOfBroadcast<tensor::CollapseShapeOp>,
                 ReshapeOfBroadcast<tensor::ExpandShapeOp>>(context);
    tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, context);
    tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns, context);
    applyLimitedRewrites(getOperation(), std::move(patterns), "reshapes");
  }
};

} // namespace
