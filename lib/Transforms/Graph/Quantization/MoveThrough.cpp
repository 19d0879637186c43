// Moves dequantization down and quantization up through operations that move elements.
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeKeepingFolds.h"
#include "lib/Transforms/Graph/Quantization/Parameters.h"
#include "lib/Transforms/Graph/Quantization/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"
#include "llvm/ADT/TypeSwitch.h"

namespace tessera::quantization {
#define GEN_PASS_DEF_MOVETHROUGH
#include "lib/Transforms/Graph/Quantization/Passes.h.inc"
} // namespace tessera::quantization

using namespace mlir;
using namespace tessera;
using namespace tessera::quantization;

/// The dimension of `group`, of `type`, that has `size` while all others have 1.
static std::optional<int64_t> onlyDimension(RankedTensorType type,
                                            ArrayRef<int64_t> group,
                                            int64_t size) {
  std::optional<int64_t> found;
  for (int64_t dim : group) {
    if (type.getDimSize(dim) == 1)
      continue;
    if (found || type.getDimSize(dim) != size)
      return std::nullopt;
    found = dim;
  }
  return found ? found : size == 1 ? std::optional(group.back()) : std::nullopt;
}

/// Which dimension of the result of `op` is `axis` of its source; nothing where it is
/// taken apart, joined or cut.
static std::optional<int64_t> axisBehind(Operation *op, int64_t axis) {
  RankedTensorType source = typeOf(op->getOperand(0)),
                   result = typeOf(op->getResult(0));
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op)) {
    auto order = transpose.getPermutation();
    return std::distance(order.begin(), llvm::find(order, axis));
  }
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(op))
    return onlyDimension(result, expand.getReassociationIndices()[axis],
                         source.getDimSize(axis));
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(op)) {
    for (auto [i, group] : llvm::enumerate(collapse.getReassociationIndices()))
      if (llvm::is_contained(group, axis) &&
          onlyDimension(source, group, source.getDimSize(axis)) == axis)
        return i;
    return std::nullopt;
  }
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    if (source.getRank() != result.getRank() ||
        slice.isDynamicOffset(axis) || slice.getStaticOffset(axis) != 0 ||
        source.isDynamicDim(axis) ||
        source.getDimSize(axis) != result.getDimSize(axis))
      return std::nullopt;
  if (auto reverse = dyn_cast<graph::ReverseOp>(op))
    if (llvm::is_contained(reverse.getDimensions(), axis))
      return std::nullopt;
  if (isa<graph::ReshapeOp>(op))
    return std::nullopt;
  return axis;
}

/// `op` on `source`, which has its operand's shape and another element type.
static Value movedElements(OpBuilder &builder, Operation *op, Value source) {
  Type type = typeOf(source).getElementType();
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op)) {
    SmallVector<OpFoldResult> sizes =
        tensor::getMixedSizes(builder, op->getLoc(), transpose.getInit());
    Value init = tensor::EmptyOp::create(builder, op->getLoc(), sizes, type);
    return linalg::TransposeOp::create(builder, op->getLoc(), source, init,
                                       transpose.getPermutation())
        ->getResult(0);
  }
  Operation *moved = builder.clone(*op);
  moved->setOperand(0, source);
  moved->getResult(0).setType(typeOf(op->getResult(0)).clone(type));
  return moved->getResult(0);
}

/// Whether rows are gathered of what `source` makes of a weight.
static bool isGatheredTable(DequantizeOp source) {
  return source.getSource().getDefiningOp<graph::WeightOp>() &&
         llvm::any_of(source->getUses(), [](OpOperand &use) {
           return use.getOperandNumber() == 0 &&
                  isa<graph::GatherOp>(use.getOwner());
         });
}

namespace {

/// move(dequantize %q)  ==>  dequantize (move %q), rounded to f16 or bf16 behind it as
/// before
struct DequantizeLater : RewritePattern {
  explicit DequantizeLater(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/1, context) {}
  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!movesElements(op))
      return rewriter.notifyMatchFailure(op, "expects a movement");
    auto narrow = op->getOperand(0).getDefiningOp<arith::TruncFOp>();
    auto source = (narrow ? narrow.getIn() : op->getOperand(0))
                      .getDefiningOp<DequantizeOp>();
    if (!source || source.getGroups() || source.getBlock())
      return rewriter.notifyMatchFailure(op, "expects scales of a tensor or axis");
    if (isGatheredTable(source))
      return rewriter.notifyMatchFailure(op, "expects no table, which would be "
                                             "stored twice");
    std::optional<int64_t> axis;
    if (source.getAxis() && typeOf(source.getScale()).getRank() > 0) {
      axis = axisBehind(op, *source.getAxis());
      if (!axis)
        return rewriter.notifyMatchFailure(op, "expects to keep the axis whole");
    }
    Value moved = movedElements(rewriter, op, source.getSource());
    Value numbers = dequantizedLike(rewriter, source, moved, axis);
    if (narrow)
      numbers = arith::TruncFOp::create(rewriter, op->getLoc(),
                                        op->getResult(0).getType(), numbers);
    rewriter.replaceOp(op, numbers);
    return success();
  }
};

/// quantize (move %x)  ==>  move(quantize %x)
struct QuantizeEarlier : OpRewritePattern<QuantizeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(QuantizeOp op,
                                PatternRewriter &rewriter) const override {
    Operation *move = op.getSource().getDefiningOp();
    // Slices take a part, which need not be all that is quantized so.
    if (!movesElements(move) || isa<tensor::ExtractSliceOp>(move) ||
        !move->hasOneUse())
      return rewriter.notifyMatchFailure(op, "expects a movement for it alone");
    std::optional<int64_t> axis;
    if (typeOf(op.getScale()).getRank() > 0) {
      auto transpose = dyn_cast<linalg::TransposeOp>(move);
      if (!transpose || op.getBlock())
        return rewriter.notifyMatchFailure(op, "expects to keep the axis whole");
      axis = transpose.getPermutation()[*op.getAxis()];
    }
    Value source = move->getOperand(0);
    auto quantized = quantizedLike(rewriter, op, source, axis);
    rewriter.replaceOp(op, movedElements(rewriter, move, quantized));
    return success();
  }
};

/// The parts of `join`, if all are dequantized alike, of the whole tensor.
static SmallVector<DequantizeOp> equalParts(tensor::ConcatOp join) {
  SmallVector<DequantizeOp> parts;
  for (Value input : join.getInputs()) {
    auto part = input.getDefiningOp<DequantizeOp>();
    if (!part || typeOf(part.getScale()).getRank() > 0 ||
        (!parts.empty() && !haveEqualParameters(part, parts.front())))
      return {};
    parts.push_back(part);
  }
  return parts;
}

/// `vector`, of dimension `position` of `shape`, for each index of all of `shape` as one
/// dimension.
static Value repeatedVector(OpBuilder &builder, Value vector,
                            ArrayRef<int64_t> shape, int64_t position) {
  Location loc = vector.getLoc();
  RankedTensorType type = typeOf(vector);
  SmallVector<int64_t> units(shape.size(), 1);
  units[position] = shape[position];
  auto all = llvm::to_vector<2>(llvm::seq<int64_t>(0, shape.size()));
  ArrayRef<ReassociationIndices> groups(all);
  Value apart = tensor::ExpandShapeOp::create(builder, loc, type.clone(units),
                                              vector, groups);
  Value repeated = graph::BroadcastToOp::create(builder, loc, type.clone(shape),
                                                apart, ValueRange());
  return tensor::CollapseShapeOp::create(builder, loc, repeated, groups);
}

/// collapse (dequantize %q scale [a, b] axis 1)  ==>
///   dequantize (collapse %q) scale [a, b, a, b] axis 0
struct DequantizeCollapsed : OpRewritePattern<tensor::CollapseShapeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::CollapseShapeOp op,
                                PatternRewriter &rewriter) const override {
    auto source = op.getSrc().getDefiningOp<DequantizeOp>();
    if (!source || source.getGroups() || source.getBlock() || !source.getAxis() ||
        typeOf(source.getScale()).getRank() == 0 ||
        axisBehind(op, *source.getAxis()))
      return rewriter.notifyMatchFailure(op, "expects an axis that is joined");
    int64_t axis = *source.getAxis();
    for (auto [i, group] : llvm::enumerate(op.getReassociationIndices())) {
      if (!llvm::is_contained(group, axis))
        continue;
      auto shape = typeOf(op.getSrc()).getShape().slice(group.front(), group.size());
      if (ShapedType::isDynamicShape(shape))
        return rewriter.notifyMatchFailure(op, "expects known sizes");
      int64_t position = axis - group.front();
      auto repeated = [&](Value vector) {
        return vector ? repeatedVector(rewriter, vector, shape, position)
                      : vector;
      };
      Value moved = movedElements(rewriter, op, source.getSource());
      Value scale = repeated(source.getScale()), zero = repeated(source.getZero());
      rewriter.replaceOpWithNewOp<DequantizeOp>(
          op, op.getType(), moved, scale, zero, /*groups=*/Value(),
          source.getFormat(), rewriter.getI64IntegerAttr(i),
          /*block=*/IntegerAttr());
      return success();
    }
    return rewriter.notifyMatchFailure(op, "expects an axis of a group");
  }
};

/// concat(dequantize %a, dequantize %b)  ==>  dequantize (concat(%a, %b))
struct DequantizeJoined : OpRewritePattern<tensor::ConcatOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::ConcatOp op,
                                PatternRewriter &rewriter) const override {
    SmallVector<DequantizeOp> parts = equalParts(op);
    if (parts.empty())
      return rewriter.notifyMatchFailure(op, "expects parts of equal parameters");
    SmallVector<Value> stored;
    for (DequantizeOp part : parts)
      stored.push_back(part.getSource());
    Type type = typeOf(stored.front()).getElementType();
    Value joined =
        tensor::ConcatOp::create(rewriter, op.getLoc(),
                                 op.getResultType().clone(type), op.getDim(), stored);
    rewriter.replaceOp(
        op, dequantizedLike(rewriter, parts.front(), joined, std::nullopt));
    return success();
  }
};

/// quantize (concat(%a, %b))  ==>  concat(quantize %a, quantize %b)
struct QuantizeParts : OpRewritePattern<QuantizeOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(QuantizeOp op,
                                PatternRewriter &rewriter) const override {
    auto join = op.getSource().getDefiningOp<tensor::ConcatOp>();
    if (!join || !join->hasOneUse() || typeOf(op.getScale()).getRank() > 0)
      return rewriter.notifyMatchFailure(op, "expects a join for it alone");
    SmallVector<Value> parts;
    for (Value input : join.getInputs())
      parts.push_back(quantizedLike(rewriter, op, input, std::nullopt));
    rewriter.replaceOpWithNewOp<tensor::ConcatOp>(op, op.getResult().getType(),
                                                  join.getDim(), parts);
    return success();
  }
};

/// pad(dequantize %q, 0)  ==>  dequantize (pad(%q, zero point))
struct DequantizePadded : OpRewritePattern<tensor::PadOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(tensor::PadOp op,
                                PatternRewriter &rewriter) const override {
    auto source = op.getSource().getDefiningOp<DequantizeOp>();
    Value fill = op.getConstantPaddingValue();
    if (!source || typeOf(source.getScale()).getRank() > 0 ||
        !isInteger(source.getFormat()) || !fill ||
        !matchPattern(fill, m_AnyZeroFloat()))
      return rewriter.notifyMatchFailure(op, "expects padding with zero");
    Type type = typeOf(source.getSource()).getElementType();
    Value zero = source.getZero();
    if (zero && typeOf(zero).getElementType() != type)
      return rewriter.notifyMatchFailure(op, "expects a zero point that is stored");
    Value byte = zero ? tensor::ExtractOp::create(rewriter, op.getLoc(), zero,
                                                  ValueRange())
                      : arith::ConstantOp::create(
                            rewriter, op.getLoc(), rewriter.getIntegerAttr(type, 0))
                            .getResult();
    Value padded = tensor::PadOp::create(
        rewriter, op.getLoc(), op.getResultType().clone(type),
        source.getSource(), op.getMixedLowPad(), op.getMixedHighPad(), byte);
    rewriter.replaceOp(op,
                       dequantizedLike(rewriter, source, padded, std::nullopt));
    return success();
  }
};

struct MoveThrough : quantization::impl::MoveThroughBase<MoveThrough> {
  void runOnOperation() override {
    // The driver would simplify other models on its way.
    auto isQuantized = [](Operation *op) {
      return isa<QuantizeOp, DequantizeOp>(op) ? WalkResult::interrupt()
                                               : WalkResult::advance();
    };
    if (!getOperation().walk(isQuantized).wasInterrupted())
      return;
    RewritePatternSet patterns(&getContext());
    patterns.add<DequantizeLater, DequantizeCollapsed, QuantizeEarlier, DequantizeJoined,
                 QuantizeParts, DequantizePadded>(&getContext());
    GreedyRewriteConfig config;
    graph::foldKeepingSizes(patterns, config);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns), config)))
      signalPassFailure();
  }
};
} // namespace
