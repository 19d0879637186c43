// Moves transposes below operations that only move elements.
#include "lib/Transforms/Graph/TransposePatterns.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tessera;

Value tessera::transposed(PatternRewriter &rewriter, Location loc, Value value,
                        ArrayRef<int64_t> permutation) {
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<int64_t> shape =
      applyPermutation(type.getShape(), permutation);
  DenseElementsAttr splat;
  if (matchPattern(value, m_Constant(&splat)) && splat.isSplat())
    return arith::ConstantOp::create(rewriter, loc,
                                     splat.resizeSplat(type.clone(shape)));
  SmallVector<OpFoldResult> sizes = applyPermutation(
      tensor::getMixedSizes(rewriter, loc, value), permutation);
  Value into =
      tensor::EmptyOp::create(rewriter, loc, sizes, type.getElementType());
  return linalg::TransposeOp::create(rewriter, loc, value, into, permutation)
      ->getResult(0);
}

bool tessera::isIdentity(ArrayRef<int64_t> permutation) {
  return llvm::equal(permutation, llvm::seq<int64_t>(0, permutation.size()));
}

bool tessera::isComputed(Value value) {
  Operation *op = value.getDefiningOp();
  return op && !isa<graph::WeightOp>(op) &&
         !op->hasTrait<OpTrait::ConstantLike>();
}

bool tessera::isNarrowBroadcast(Value value) {
  constexpr int64_t kFewTimes = 16;
  auto broadcast = value.getDefiningOp<graph::BroadcastToOp>();
  if (!broadcast)
    return false;
  auto from = cast<RankedTensorType>(broadcast.getSource().getType());
  auto to = cast<RankedTensorType>(broadcast.getType());
  if (!isComputed(broadcast.getSource()) || from.getRank() < to.getRank())
    return true;
  int64_t times = 1;
  for (auto [before, after] : llvm::zip(from.getShape(), to.getShape())) {
    if (before != 1 || after == 1)
      continue;
    if (ShapedType::isDynamic(after) || after > kFewTimes)
      return true;
    times *= after;
  }
  return times > kFewTimes;
}

namespace {

/// The dimensions of `source` that each group of dimensions of its transpose by
/// `permutation` is, in the order of `source`, and the order in which the groups
/// then stand: group i of the transpose is group order[i] of `source`. Nothing if
/// a group's dimensions, but for those of size 1, are not neighbours there in the
/// same order.
struct MovedGroups {
  SmallVector<ReassociationIndices> groups;
  SmallVector<int64_t> order;
};

std::optional<MovedGroups> groupsBeforeTranspose(
    RankedTensorType source, ArrayRef<int64_t> permutation,
    ArrayRef<ReassociationIndices> groups) {
  // The first dimension of each group that carries elements, and where they go.
  SmallVector<std::pair<int64_t, int64_t>> carriers;
  SmallVector<int64_t> groupOf(source.getRank(), -1);
  for (auto [number, group] : llvm::enumerate(groups)) {
    int64_t first = -1, last = -1;
    for (int64_t dimension : group) {
      int64_t from = permutation[dimension];
      if (source.getDimSize(from) == 1)
        continue;
      if (from < last)
        return std::nullopt;
      groupOf[from] = number;
      first = first < 0 ? from : first;
      last = from;
    }
    if (first < 0)
      first = permutation[group[0]];
    groupOf[first] = number;
    carriers.push_back({first, number});
  }
  llvm::sort(carriers);
  MovedGroups moved;
  moved.order.resize(groups.size());
  size_t next = 0;
  for (int64_t dimension = 0; dimension < source.getRank(); ++dimension) {
    int64_t group = groupOf[dimension];
    if (next < carriers.size() && dimension == carriers[next].first) {
      moved.order[group] = next++;
      // 1s in front of the first carrier belong to its group.
      if (next > 1 || moved.groups.empty())
        moved.groups.emplace_back();
    } else if (group >= 0 &&
               (next == 0 || carriers[next - 1].second != group)) {
      return std::nullopt;
    } else if (moved.groups.empty()) {
      moved.groups.emplace_back();
    }
    moved.groups.back().push_back(dimension);
  }
  return moved;
}

/// collapse(transpose(x))  ==>  transpose(collapse(x)) where the dimensions that
/// merge are neighbours in x, too.
struct SinkBelowCollapse : OpRewritePattern<tensor::CollapseShapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::CollapseShapeOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = op.getSrc().getDefiningOp<linalg::TransposeOp>();
    if (!transpose)
      return rewriter.notifyMatchFailure(op, "expects a transpose");
    if (op.getReassociationIndices().empty())
      return rewriter.notifyMatchFailure(op, "gives a scalar");
    std::optional<MovedGroups> moved = groupsBeforeTranspose(
        cast<RankedTensorType>(transpose.getInput().getType()),
        transpose.getPermutation(), op.getReassociationIndices());
    if (!moved)
      return rewriter.notifyMatchFailure(op, "merges dimensions that are apart");
    Location loc = op.getLoc();
    Value value = tensor::CollapseShapeOp::create(
        rewriter, loc, transpose.getInput(), moved->groups);
    rewriter.replaceOp(op, isIdentity(moved->order)
                               ? value
                               : transposed(rewriter, loc, value, moved->order));
    return success();
  }
};

/// expand(transpose(x))  ==>  transpose(expand(x))
struct SinkBelowExpand : OpRewritePattern<tensor::ExpandShapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::ExpandShapeOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = op.getSrc().getDefiningOp<linalg::TransposeOp>();
    if (!transpose || !isComputed(transpose.getInput()))
      return rewriter.notifyMatchFailure(op, "expects a transpose of a computed "
                                             "value");
    SmallVector<ReassociationIndices> groups = op.getReassociationIndices();
    SmallVector<int64_t> inverse =
        invertPermutationVector(transpose.getPermutation());
    // Dimensions of the result in the order of x.
    SmallVector<int64_t> shape, fromResult;
    SmallVector<OpFoldResult> sizes, resultSizes = op.getMixedOutputShape();
    SmallVector<ReassociationIndices> movedGroups;
    for (int64_t group : inverse) {
      movedGroups.emplace_back();
      for (int64_t dimension : groups[group]) {
        movedGroups.back().push_back(shape.size());
        shape.push_back(op.getResultType().getDimSize(dimension));
        sizes.push_back(resultSizes[dimension]);
        fromResult.push_back(dimension);
      }
    }
    Value value = tensor::ExpandShapeOp::create(
        rewriter, op.getLoc(), op.getResultType().clone(shape),
        transpose.getInput(), movedGroups, sizes);
    rewriter.replaceOp(op, transposed(rewriter, op.getLoc(), value,
                                      invertPermutationVector(fromResult)));
    return success();
  }
};

/// concat(transpose(x), transpose(y))  ==>  transpose(concat(x, y))
struct SinkBelowConcat : OpRewritePattern<tensor::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::ConcatOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<Value> inputs;
    linalg::TransposeOp first;
    for (Value input : op.getInputs()) {
      auto transpose = input.getDefiningOp<linalg::TransposeOp>();
      if (!transpose || !isComputed(transpose.getInput()) ||
          (first && transpose.getPermutation() != first.getPermutation()))
        return rewriter.notifyMatchFailure(op, "expects transposes of computed "
                                               "values by one permutation");
      first = first ? first : transpose;
      inputs.push_back(transpose.getInput());
    }
    if (!first)
      return rewriter.notifyMatchFailure(op, "expects inputs");
    ArrayRef<int64_t> permutation = first.getPermutation();
    auto type = cast<RankedTensorType>(op.getType());
    Value value = tensor::ConcatOp::create(
        rewriter, op.getLoc(),
        type.clone(applyPermutation(type.getShape(),
                                    invertPermutationVector(permutation))),
        permutation[op.getDim()], inputs);
    rewriter.replaceOp(op,
                       transposed(rewriter, op.getLoc(), value, permutation));
    return success();
  }
};

/// pad(transpose(x))  ==>  transpose(pad(x)), of one value everywhere.
struct SinkBelowPad : OpRewritePattern<tensor::PadOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::PadOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = op.getSource().getDefiningOp<linalg::TransposeOp>();
    Value padding = op.getConstantPaddingValue();
    if (!transpose || !isComputed(transpose.getInput()) || !padding)
      return rewriter.notifyMatchFailure(op, "expects a transpose of a computed "
                                             "value and one padding value");
    ArrayRef<int64_t> permutation = transpose.getPermutation();
    SmallVector<int64_t> inverse = invertPermutationVector(permutation);
    RankedTensorType type = op.getResultType();
    Value value = tensor::PadOp::create(
        rewriter, op.getLoc(),
        type.clone(applyPermutation(type.getShape(), inverse)),
        transpose.getInput(), applyPermutation(op.getMixedLowPad(), inverse),
        applyPermutation(op.getMixedHighPad(), inverse), padding,
        op.getNofold());
    rewriter.replaceOp(op,
                       transposed(rewriter, op.getLoc(), value, permutation));
    return success();
  }
};

/// slice(transpose(x))  ==>  transpose(slice(x)), where it keeps all dimensions.
struct SinkBelowSlice : OpRewritePattern<tensor::ExtractSliceOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::ExtractSliceOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = op.getSource().getDefiningOp<linalg::TransposeOp>();
    if (!transpose || !isComputed(transpose.getInput()) ||
        op.getType().getRank() != op.getSourceType().getRank())
      return rewriter.notifyMatchFailure(op, "expects a transpose of a computed "
                                             "value and all its dimensions");
    ArrayRef<int64_t> permutation = transpose.getPermutation();
    SmallVector<int64_t> inverse = invertPermutationVector(permutation);
    Value value = tensor::ExtractSliceOp::create(
        rewriter, op.getLoc(), transpose.getInput(),
        applyPermutation(op.getMixedOffsets(), inverse),
        applyPermutation(op.getMixedSizes(), inverse),
        applyPermutation(op.getMixedStrides(), inverse));
    rewriter.replaceOp(op,
                       transposed(rewriter, op.getLoc(), value, permutation));
    return success();
  }
};

/// broadcast_to(transpose(x))  ==>  transpose(broadcast_to(x)), where it is not
/// narrow.
struct SinkBelowBroadcast : OpRewritePattern<graph::BroadcastToOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(graph::BroadcastToOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = op.getSource().getDefiningOp<linalg::TransposeOp>();
    if (!transpose || !isComputed(transpose.getInput()) ||
        isNarrowBroadcast(op))
      return rewriter.notifyMatchFailure(op, "expects a transpose of a computed "
                                             "value about as large");
    ArrayRef<int64_t> permutation = transpose.getPermutation();
    SmallVector<int64_t> inverse = invertPermutationVector(permutation);
    auto type = cast<RankedTensorType>(op.getType());
    SmallVector<Value> dynamic;
    for (OpFoldResult size : applyPermutation(
             getMixedValues(type.getShape(), op.getSizes(), rewriter), inverse))
      if (auto value = dyn_cast<Value>(size))
        dynamic.push_back(value);
    Value value = graph::BroadcastToOp::create(
        rewriter, op.getLoc(),
        type.clone(applyPermutation(type.getShape(), inverse)),
        transpose.getInput(), dynamic);
    rewriter.replaceOp(op,
                       transposed(rewriter, op.getLoc(), value, permutation));
    return success();
  }
};

/// gather(transpose(x))  ==>  transpose(gather(x)) by one index vector.
struct SinkBelowGather : OpRewritePattern<graph::GatherOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(graph::GatherOp op,
                                PatternRewriter &rewriter) const override {
    auto transpose = op.getData().getDefiningOp<linalg::TransposeOp>();
    if (!transpose || !isComputed(transpose.getInput()) ||
        op.getIndices().getType().getRank() != 1)
      return rewriter.notifyMatchFailure(op, "expects a transpose of a computed "
                                             "value and one index vector");
    ArrayRef<int64_t> permutation = transpose.getPermutation();
    auto type = cast<RankedTensorType>(op.getType());
    Value value = graph::GatherOp::create(
        rewriter, op.getLoc(),
        type.clone(applyPermutation(type.getShape(),
                                    invertPermutationVector(permutation))),
        transpose.getInput(), op.getIndices(), permutation[op.getAxis()]);
    rewriter.replaceOp(op,
                       transposed(rewriter, op.getLoc(), value, permutation));
    return success();
  }
};

} // namespace

void tessera::populateSinkTransposesBelowMovement(RewritePatternSet &patterns) {
  patterns.add<SinkBelowCollapse, SinkBelowExpand, SinkBelowConcat,
               SinkBelowPad, SinkBelowSlice, SinkBelowBroadcast,
               SinkBelowGather>(patterns.getContext());
}
