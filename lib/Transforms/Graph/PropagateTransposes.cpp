// Moves transposes of computed values out of the way of fusion, until they meet
// their inverse, a weight or the end.
#include "lib/Transforms/Graph/LimitedRewrites.h"
#include "lib/Transforms/Graph/Passes.h"
#include "lib/Transforms/Graph/TransposePatterns.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"

namespace tessera {
#define GEN_PASS_DEF_PROPAGATETRANSPOSES
#include "lib/Transforms/Graph/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

/// transpose(transpose(x))  ==>  transpose(x) by the product; x if that is none.
struct ComposeTransposes : OpRewritePattern<linalg::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(linalg::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    if (isIdentity(op.getPermutation())) {
      rewriter.replaceOp(op, op.getInput());
      return success();
    }
    auto first = op.getInput().getDefiningOp<linalg::TransposeOp>();
    if (!first)
      return rewriter.notifyMatchFailure(op, "expects a transpose of another");
    SmallVector<int64_t> both =
        applyPermutation(first.getPermutation(), op.getPermutation());
    rewriter.replaceOp(
        op, isIdentity(both)
                ? first.getInput()
                : transposed(rewriter, op.getLoc(), first.getInput(), both));
    return success();
  }
};

/// A transpose that moves only dimensions of size 1  ==>  collapse, expand: the
/// bytes stay where they are.
struct ReshapeInsteadOfMovingOnes : OpRewritePattern<linalg::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(linalg::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    auto from = cast<RankedTensorType>(op.getInput().getType());
    auto to = cast<RankedTensorType>(op->getResult(0).getType());
    int64_t last = -1;
    for (int64_t dimension : op.getPermutation()) {
      if (from.getDimSize(dimension) == 1)
        continue;
      if (dimension < last)
        return rewriter.notifyMatchFailure(op, "moves elements");
      last = dimension;
    }
    // Groups of one carrying dimension with the 1s around it.
    auto groupsOf = [](ArrayRef<int64_t> shape) {
      SmallVector<ReassociationIndices> groups;
      for (auto [i, size] : llvm::enumerate(shape)) {
        if (groups.empty() || (size != 1 && llvm::any_of(groups.back(), [&](int64_t d) {
                                 return shape[d] != 1;
                               })))
          groups.emplace_back();
        groups.back().push_back(i);
      }
      return groups;
    };
    SmallVector<ReassociationIndices> fromGroups = groupsOf(from.getShape());
    SmallVector<ReassociationIndices> toGroups = groupsOf(to.getShape());
    Location loc = op.getLoc();
    Value value = op.getInput();
    if (static_cast<int64_t>(fromGroups.size()) < from.getRank())
      value = tensor::CollapseShapeOp::create(rewriter, loc, value, fromGroups);
    if (static_cast<int64_t>(toGroups.size()) < to.getRank()) {
      SmallVector<OpFoldResult> sizes = applyPermutation(
          tensor::getMixedSizes(rewriter, loc, op.getInput()),
          op.getPermutation());
      value = tensor::ExpandShapeOp::create(rewriter, loc, to, value, toGroups,
                                            sizes);
    }
    rewriter.replaceOp(op, value);
    return success();
  }
};

/// elementwise(transpose(x), y)  ==>  transpose(elementwise(x, transpose'(y)))
struct SinkBelowElementwise : RewritePattern {
  explicit SinkBelowElementwise(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {}
  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!OpTrait::hasElementwiseMappableTraits(op) || op->getNumResults() != 1 ||
        !isa<RankedTensorType>(op->getResult(0).getType()))
      return rewriter.notifyMatchFailure(op, "expects an elementwise operation");
    linalg::TransposeOp transpose;
    for (Value operand : op->getOperands()) {
      auto found = operand.getDefiningOp<linalg::TransposeOp>();
      if (found && isComputed(found.getInput()) &&
          llvm::all_of(operand.getUsers(), [](Operation *user) {
            return OpTrait::hasElementwiseMappableTraits(user);
          }))
        transpose = found;
    }
    if (!transpose)
      return rewriter.notifyMatchFailure(op, "no operand is a transpose of a "
                                             "computed value");
    // The other operands must be transposed the other way: only where that is
    // free, or two transposes would chase each other.
    for (Value operand : op->getOperands()) {
      auto same = operand.getDefiningOp<linalg::TransposeOp>();
      bool isFree =
          !isa<RankedTensorType>(operand.getType()) ||
          isNarrowBroadcast(operand) ||
          operand.getDefiningOp<graph::WeightOp>() ||
          matchPattern(operand, m_Constant()) ||
          (same && same.getPermutation() == transpose.getPermutation());
      if (!isFree)
        return rewriter.notifyMatchFailure(op, "another operand would have to "
                                               "be transposed");
    }
    ArrayRef<int64_t> permutation = transpose.getPermutation();
    SmallVector<int64_t> inverse = invertPermutationVector(permutation);
    Location loc = op->getLoc();
    SmallVector<Value> operands;
    for (Value operand : op->getOperands()) {
      auto same = operand.getDefiningOp<linalg::TransposeOp>();
      if (same && same.getPermutation() == permutation)
        operands.push_back(same.getInput());
      else if (isa<RankedTensorType>(operand.getType()))
        operands.push_back(transposed(rewriter, loc, operand, inverse));
      else
        operands.push_back(operand);
    }
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    Operation *moved = rewriter.create(
        loc, op->getName().getIdentifier(), operands,
        type.clone(applyPermutation(type.getShape(), inverse)), op->getAttrs());
    rewriter.replaceOp(op,
                       transposed(rewriter, loc, moved->getResult(0), permutation));
    return success();
  }
};

/// transpose(broadcast_to(x))  ==>  broadcast_to(transpose(x)) of an x that is much
/// smaller, 1s added in front of it where it has fewer dimensions.
struct TransposeOfBroadcast : OpRewritePattern<linalg::TransposeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(linalg::TransposeOp op,
                                PatternRewriter &rewriter) const override {
    auto broadcast = op.getInput().getDefiningOp<graph::BroadcastToOp>();
    if (!broadcast || !isNarrowBroadcast(broadcast))
      return rewriter.notifyMatchFailure(op, "expects a broadcast of a smaller "
                                             "value");
    Location loc = op.getLoc();
    Value source = broadcast.getSource();
    auto sourceType = cast<RankedTensorType>(source.getType());
    auto wideType = cast<RankedTensorType>(broadcast.getType());
    int64_t added = wideType.getRank() - sourceType.getRank();
    if (sourceType.getRank() > 0 && added > 0) {
      SmallVector<int64_t> shape(added, 1);
      llvm::append_range(shape, sourceType.getShape());
      SmallVector<OpFoldResult> sizes(added, rewriter.getIndexAttr(1));
      llvm::append_range(sizes, tensor::getMixedSizes(rewriter, loc, source));
      SmallVector<ReassociationIndices> groups(sourceType.getRank());
      for (int64_t i = 0; i < wideType.getRank(); ++i)
        groups[std::max<int64_t>(0, i - added)].push_back(i);
      source = tensor::ExpandShapeOp::create(
          rewriter, loc, sourceType.clone(shape), source, groups, sizes);
    }
    if (sourceType.getRank() > 0)
      source = transposed(rewriter, loc, source, op.getPermutation());
    SmallVector<OpFoldResult> sizes = applyPermutation(
        getMixedValues(wideType.getShape(), broadcast.getSizes(), rewriter),
        op.getPermutation());
    SmallVector<Value> dynamic;
    for (OpFoldResult size : sizes)
      if (auto value = dyn_cast<Value>(size))
        dynamic.push_back(value);
    rewriter.replaceOpWithNewOp<graph::BroadcastToOp>(
        op, op->getResult(0).getType(), source, dynamic);
    return success();
  }
};

/// reduce(transpose(x))  ==>  transpose(reduce(x)) over the dimensions they are
/// in x.
struct SinkBelowReduce : OpRewritePattern<linalg::ReduceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(linalg::ReduceOp op,
                                PatternRewriter &rewriter) const override {
    if (op.getInputs().size() != 1)
      return rewriter.notifyMatchFailure(op, "expects one input");
    auto transpose = op.getInputs()[0].getDefiningOp<linalg::TransposeOp>();
    if (!transpose)
      return rewriter.notifyMatchFailure(op, "expects a transpose");
    ArrayRef<int64_t> permutation = transpose.getPermutation();
    SmallVector<int64_t> dimensions;
    for (int64_t dimension : op.getDimensions())
      dimensions.push_back(permutation[dimension]);
    llvm::sort(dimensions);
    // The kept dimensions, in the result's order and in x's order.
    SmallVector<int64_t> kept;
    for (auto [i, from] : llvm::enumerate(permutation))
      if (!llvm::is_contained(op.getDimensions(), static_cast<int64_t>(i)))
        kept.push_back(from);
    SmallVector<int64_t> sorted(kept);
    llvm::sort(sorted);
    SmallVector<int64_t> order;
    for (int64_t from : kept)
      order.push_back(llvm::find(sorted, from) - sorted.begin());
    Location loc = op.getLoc();
    Value init = transposed(rewriter, loc, op.getInits()[0],
                            invertPermutationVector(order));
    // A fill of another shape is a fill again.
    if (auto fill = op.getInits()[0].getDefiningOp<linalg::FillOp>()) {
      SmallVector<OpFoldResult> sizes = applyPermutation(
          tensor::getMixedSizes(rewriter, loc, op.getInits()[0]),
          invertPermutationVector(order));
      Value into = tensor::EmptyOp::create(
          rewriter, loc, sizes,
          cast<RankedTensorType>(init.getType()).getElementType());
      init = linalg::FillOp::create(rewriter, loc, fill.value(), into)
                 .getResult(0);
    }
    auto reduce = linalg::ReduceOp::create(
        rewriter, loc, init.getType(), transpose.getInput(), init, dimensions);
    rewriter.inlineRegionBefore(op.getRegion(), reduce.getRegion(),
                                reduce.getRegion().begin());
    rewriter.replaceOp(op,
                       isIdentity(order)
                           ? reduce->getResult(0)
                           : transposed(rewriter, loc, reduce->getResult(0), order));
    return success();
  }
};

struct PropagateTransposes
    : tessera::impl::PropagateTransposesBase<PropagateTransposes> {
  void runOnOperation() override {
    MLIRContext *context = &getContext();
    RewritePatternSet patterns(context);
    patterns.add<ComposeTransposes, ReshapeInsteadOfMovingOnes,
                 SinkBelowElementwise, TransposeOfBroadcast, SinkBelowReduce>(
        context);
    populateSinkTransposesBelowMovement(patterns);
    tensor::ExpandShapeOp::getCanonicalizationPatterns(patterns, context);
    tensor::CollapseShapeOp::getCanonicalizationPatterns(patterns, context);
    applyLimitedRewrites(getOperation(), std::move(patterns), "transposes");
  }
};

} // namespace
