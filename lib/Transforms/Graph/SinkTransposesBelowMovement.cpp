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

/// op(transpose(x))  ==>  transpose(op(x)) of a computed x, the first operand.
template <typename Op> struct SinkBelowUnary : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op, PatternRewriter &rewriter) const final {
    auto transpose =
        op->getOperand(0).template getDefiningOp<linalg::TransposeOp>();
    if (!transpose || !isComputed(transpose.getInput()) || !mayMove(op))
      return rewriter.notifyMatchFailure(op, "expects a transpose of a computed "
                                             "value that may move");
    ArrayRef<int64_t> permutation = transpose.getPermutation();
    SmallVector<int64_t> inverse = invertPermutationVector(permutation);
    auto type = cast<RankedTensorType>(op->getResult(0).getType());
    Value moved =
        create(rewriter, op, transpose.getInput(),
               type.clone(applyPermutation(type.getShape(), inverse)), inverse);
    rewriter.replaceOp(
        op, transposed(rewriter, op->getLoc(), moved, permutation));
    return success();
  }

  /// Whether `op` has as many dimensions as x, and gains by it.
  virtual bool mayMove(Op op) const = 0;
  /// `op` of `x`, of that type; dimension i of it is order[i] of the result of
  /// `op`.
  virtual Value create(PatternRewriter &rewriter, Op op, Value x,
                       RankedTensorType type,
                       ArrayRef<int64_t> order) const = 0;
};

/// Padding by one value everywhere.
struct SinkBelowPad : SinkBelowUnary<tensor::PadOp> {
  using SinkBelowUnary::SinkBelowUnary;
  bool mayMove(tensor::PadOp op) const override {
    return op.getConstantPaddingValue() != nullptr;
  }
  Value create(PatternRewriter &rewriter, tensor::PadOp op, Value x,
               RankedTensorType type, ArrayRef<int64_t> order) const override {
    return tensor::PadOp::create(
        rewriter, op.getLoc(), type, x,
        applyPermutation(op.getMixedLowPad(), order),
        applyPermutation(op.getMixedHighPad(), order),
        op.getConstantPaddingValue(), op.getNofold());
  }
};

struct SinkBelowSlice : SinkBelowUnary<tensor::ExtractSliceOp> {
  using SinkBelowUnary::SinkBelowUnary;
  bool mayMove(tensor::ExtractSliceOp op) const override {
    return op.getType().getRank() == op.getSourceType().getRank();
  }
  Value create(PatternRewriter &rewriter, tensor::ExtractSliceOp op, Value x,
               RankedTensorType, ArrayRef<int64_t> order) const override {
    return tensor::ExtractSliceOp::create(
        rewriter, op.getLoc(), x, applyPermutation(op.getMixedOffsets(), order),
        applyPermutation(op.getMixedSizes(), order),
        applyPermutation(op.getMixedStrides(), order));
  }
};

/// Broadcasts that are not narrow.
struct SinkBelowBroadcast : SinkBelowUnary<graph::BroadcastToOp> {
  using SinkBelowUnary::SinkBelowUnary;
  bool mayMove(graph::BroadcastToOp op) const override {
    return !isNarrowBroadcast(op);
  }
  Value create(PatternRewriter &rewriter, graph::BroadcastToOp op, Value x,
               RankedTensorType type, ArrayRef<int64_t> order) const override {
    ArrayRef<int64_t> shape = cast<RankedTensorType>(op.getType()).getShape();
    SmallVector<Value> dynamic;
    for (OpFoldResult size : applyPermutation(
             getMixedValues(shape, op.getSizes(), rewriter), order))
      if (auto value = dyn_cast<Value>(size))
        dynamic.push_back(value);
    return graph::BroadcastToOp::create(rewriter, op.getLoc(), type, x, dynamic);
  }
};

/// Gathers by one index vector.
struct SinkBelowGather : SinkBelowUnary<graph::GatherOp> {
  using SinkBelowUnary::SinkBelowUnary;
  bool mayMove(graph::GatherOp op) const override {
    return op.getIndices().getType().getRank() == 1;
  }
  Value create(PatternRewriter &rewriter, graph::GatherOp op, Value x,
               RankedTensorType type, ArrayRef<int64_t> order) const override {
    int64_t axis = llvm::find(order, op.getAxis()) - order.begin();
    return graph::GatherOp::create(rewriter, op.getLoc(), type, x,
                                   op.getIndices(), axis);
  }
};

} // namespace

void tessera::populateSinkTransposesBelowMovement(RewritePatternSet &patterns) {
  patterns.add<SinkBelowCollapse, SinkBelowExpand, SinkBelowConcat,
               SinkBelowPad, SinkBelowSlice, SinkBelowBroadcast,
               SinkBelowGather>(patterns.getContext());
}
