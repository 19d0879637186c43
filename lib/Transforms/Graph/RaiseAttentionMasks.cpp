// Biases and masks of an attention; see the header.
#include "lib/Transforms/Graph/ConstantNumber.h"
#include "lib/Transforms/Graph/RaiseAttentionMasks.h"
#include "lib/Transforms/Graph/RaiseAttentionScores.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Interfaces/Movement.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;
using namespace tessera;

namespace {
struct Bounds {
  int64_t least = std::numeric_limits<int64_t>::min();
  int64_t most = std::numeric_limits<int64_t>::max();
};
} // namespace

/// Bounds of a tensor of signed integers.
static Bounds boundsOf(Value value) {
  constexpr int64_t exact = int64_t(1) << 53; // of a double
  if (std::optional<double> number = constantNumber(value))
    if (std::abs(*number) < exact)
      return {static_cast<int64_t>(*number), static_cast<int64_t>(*number)};
  Operation *op = value.getDefiningOp();
  if (!op)
    return {};
  if (isIndexMap(op))
    return boundsOf(op->getOperand(0));
  if (isa<graph::IotaOp>(op))
    return {0, std::numeric_limits<int64_t>::max()};
  if (!isa<arith::AddIOp, arith::MulIOp>(op))
    return {};
  Bounds a = boundsOf(op->getOperand(0)), b = boundsOf(op->getOperand(1));
  if (a.least < 0 || b.least < 0)
    return {};
  // Counters and what is added to them stay far below the end of their type.
  Bounds result;
  bool isSum = isa<arith::AddIOp>(op);
  if (isSum ? llvm::AddOverflow(a.least, b.least, result.least)
            : llvm::MulOverflow(a.least, b.least, result.least))
    return {};
  if (isSum ? llvm::AddOverflow(a.most, b.most, result.most)
            : llvm::MulOverflow(a.most, b.most, result.most))
    result.most = std::numeric_limits<int64_t>::max();
  return result;
}

bool tessera::isAlwaysTrue(Value condition) {
  if (std::optional<double> number = constantNumber(condition))
    return *number != 0;
  Operation *op = condition.getDefiningOp();
  if (!op)
    return false;
  if (isIndexMap(op))
    return isAlwaysTrue(op->getOperand(0));
  if (isa<arith::AndIOp>(op))
    return isAlwaysTrue(op->getOperand(0)) && isAlwaysTrue(op->getOperand(1));
  if (isa<arith::OrIOp>(op))
    return isAlwaysTrue(op->getOperand(0)) || isAlwaysTrue(op->getOperand(1));
  auto compare = dyn_cast<arith::CmpIOp>(op);
  if (!compare)
    return false;
  Bounds a = boundsOf(compare.getLhs()), b = boundsOf(compare.getRhs());
  switch (compare.getPredicate()) {
  case arith::CmpIPredicate::sge:
    return a.least >= b.most;
  case arith::CmpIPredicate::sgt:
    return a.least > b.most;
  case arith::CmpIPredicate::sle:
    return a.most <= b.least;
  case arith::CmpIPredicate::slt:
    return a.most < b.least;
  default:
    return false;
  }
}

/// The operand that is left of a conjunction with true, or null.
static Value withoutTrue(Operation *op) {
  if (isa_and_nonnull<arith::AndIOp>(op))
    for (unsigned i : {0u, 1u})
      if (isAlwaysTrue(op->getOperand(i)))
        return op->getOperand(1 - i);
  return {};
}

static bool isElementwise(Operation *op) {
  return op && OpTrait::hasElementwiseMappableTraits(op) &&
         isa<arith::ArithDialect>(op->getDialect()) &&
         op->getNumOperands() > 0 &&
         llvm::all_of(op->getOperandTypes(), llvm::IsaPred<RankedTensorType>);
}

void ScoreOperandBuilder::followMaps(Value &value, AxisLabels &labels) {
  labels = axes.resolveLabels(labels);
  while (true) {
    if (Value left = withoutTrue(value.getDefiningOp()))
      value = left;
    else if (!axes.stepBack(value, labels, /*allowSplits=*/false,
                            /*allowRepeats=*/true))
      return;
  }
}

AxisList ScoreOperandBuilder::dependencies(Value value, AxisLabels labels,
                                           unsigned depth) {
  constexpr unsigned deepest = 12;
  if (constantNumber(value))
    return {};
  followMaps(value, labels);
  Operation *op = value.getDefiningOp();
  if (depth == deepest || !isElementwise(op))
    return axes.all(labels);
  AxisList found;
  for (Value operand : op->getOperands())
    for (unsigned axis : dependencies(operand, labels, depth + 1))
      if (!llvm::is_contained(found, axis))
        found.push_back(axis);
  return found;
}

void ScoreOperandBuilder::broadcastTogether(SmallVectorImpl<Value> &values) {
  AffineExpr one = builder.getAffineConstantExpr(1);
  SmallVector<AffineExpr> shape(layout.size(), one);
  for (Value value : values)
    for (auto [size, other] : llvm::zip(shape, sizes.dimsOf(value)))
      if (size == one)
        size = other;
  for (Value &value : values)
    if (!llvm::equal(sizes.dimsOf(value), shape))
      value = createBroadcast(builder, value, shape, sizes);
}

Value ScoreOperandBuilder::build(Value value, AxisLabels labels) {
  if (constantNumber(value)) {
    // A splat, and so are its elements on any shape.
    Operation *op = value.getDefiningOp();
    while (isIndexMap(op))
      op = op->getOperand(0).getDefiningOp();
    auto elements = dyn_cast_or_null<arith::ConstantOp>(op);
    auto splat = elements ? dyn_cast<SplatElementsAttr>(elements.getValue())
                          : SplatElementsAttr();
    if (splat) {
      SmallVector<int64_t> ones(layout.size(), 1);
      return arith::ConstantOp::create(
          builder, loc,
          splat.resizeSplat(cast<ShapedType>(splat.getType()).clone(ones)));
    }
  }
  followMaps(value, labels);
  Operation *op = value.getDefiningOp();
  if (!isElementwise(op) ||
      dependencies(value, labels, 0).size() >= axes.all(labels).size())
    return axes.relayout(builder, loc, value, labels, layout, /*repeat=*/false);
  SmallVector<Value> operands;
  for (Value operand : op->getOperands())
    operands.push_back(build(operand, labels));
  broadcastTogether(operands);
  auto type = cast<RankedTensorType>(operands[0].getType())
                  .clone(getElementTypeOrSelf(op->getResult(0).getType()));
  Operation *narrow = builder.clone(*op);
  narrow->setOperands(operands);
  narrow->getResult(0).setType(type);
  return narrow->getResult(0);
}
