// Reduce*, ArgMax and ArgMin, CumSum and CumProd.
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Reducing.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

/// Axes are an attribute before opset 13 (ReduceSum) or 18 (the others), an
/// input from then on. No axes: all, or none with noop_with_empty_axes.
FailureOr<SmallVector<int64_t>> reducedAxes(NodeContext &node) {
  int64_t rank = node.inputRank(0);
  int64_t inputSince = node.opType() == "ReduceSum" ? 13 : 18;
  SmallVector<int64_t> axes = node.integers("axes");
  if (Value input = node.version() >= inputSince ? node.input(1) : Value()) {
    auto given = requireConstantIntegers(node, input, "the list of axes");
    if (failed(given))
      return failure();
    axes = *given;
  }
  if (axes.empty() && !node.integer("noop_with_empty_axes", 0))
    axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  for (int64_t &axis : axes) {
    FailureOr<int64_t> normal = node.normalizeAxis(axis, rank);
    if (failed(normal))
      return failure();
    axis = *normal;
  }
  llvm::sort(axes);
  if (llvm::adjacent_find(axes) != axes.end())
    return node.error("an axis is given twice");
  return axes;
}

/// What a Reduce operator does before and after its reduction.
struct Recipe {
  Reduction reduction;
  enum { Plain, Absolute, Square } before = Plain;
  enum { None, Mean, Log, Sqrt } after = None;
};

Value square(NodeContext &node, Value x) {
  return isa<FloatType>(getElementTypeOrSelf(x))
             ? node.create<arith::MulFOp>(x, x)
             : node.create<arith::MulIOp>(x, x);
}

LogicalResult reduceBy(NodeContext &node, Recipe recipe) {
  FailureOr<SmallVector<int64_t>> axes = reducedAxes(node);
  if (failed(axes))
    return failure();
  Value input = node.input(0);
  Type type = node.inputType(0).getElementType();
  bool isFloat = isa<FloatType>(type), keep = node.integer("keepdims", 1) != 0;
  // An extremum needs no wider accumulator.
  bool isExtremum =
      recipe.reduction == Reduction::Max || recipe.reduction == Reduction::Min;
  Value x = isExtremum ? input : widenToF32(node, input);
  if (recipe.before == Recipe::Square)
    x = square(node, x);
  else if (recipe.before == Recipe::Absolute && isFloat)
    x = node.create<math::AbsFOp>(x);
  else if (recipe.before == Recipe::Absolute && !node.isUnsigned())
    x = node.create<math::AbsIOp>(x);

  Value result =
      reduce(node, recipe.reduction, x, *axes, keep, node.isUnsigned());
  Type wide = getElementTypeOrSelf(result);
  if (recipe.after == Recipe::Mean) {
    Value count =
        node.filled(elementCount(node, x, *axes, wide), node.shapeOf(result));
    result = isFloat             ? node.create<arith::DivFOp>(result, count)
             : node.isUnsigned() ? node.create<arith::DivUIOp>(result, count)
                                 : node.create<arith::DivSIOp>(result, count);
  } else if (recipe.after != Recipe::None) {
    Type floats = isFloat ? wide : Type(node.builder.getF64Type());
    result = castElements(node, result, node.isUnsigned(), floats, false);
    result = recipe.after == Recipe::Log ? node.create<math::LogOp>(result)
                                         : node.create<math::SqrtOp>(result);
  }
  node.setOutput(0, castElements(node, result, false, type, node.isUnsigned()));
  return success();
}

template <Reduction reduction> LogicalResult plain(NodeContext &node) {
  return reduceBy(node, {reduction});
}

LogicalResult mean(NodeContext &node) {
  return reduceBy(node, {Reduction::Sum, Recipe::Plain, Recipe::Mean});
}

LogicalResult l1(NodeContext &node) {
  return reduceBy(node, {Reduction::Sum, Recipe::Absolute});
}

LogicalResult l2(NodeContext &node) {
  return reduceBy(node, {Reduction::Sum, Recipe::Square, Recipe::Sqrt});
}

LogicalResult sumSquare(NodeContext &node) {
  return reduceBy(node, {Reduction::Sum, Recipe::Square});
}

LogicalResult logSum(NodeContext &node) {
  return reduceBy(node, {Reduction::Sum, Recipe::Plain, Recipe::Log});
}

/// log(sum(exp(x))) = m + log(sum(exp(x - m))) with m the maximum, or 0 where
/// that is not finite.
LogicalResult logSumExp(NodeContext &node) {
  FailureOr<SmallVector<int64_t>> axes = reducedAxes(node);
  if (failed(axes))
    return failure();
  Type type = node.inputType(0).getElementType();
  if (!isa<FloatType>(type))
    return node.error("integers are not supported; cast to float before");
  Value x = widenToF32(node, node.input(0));
  Value max = reduce(node, Reduction::Max, x, *axes, /*keepDims=*/true);
  Value isFinite = node.create<arith::CmpFOp>(
      arith::CmpFPredicate::ONE, node.create<math::AbsFOp>(max),
      node.filled(std::numeric_limits<double>::infinity(), max));
  max = node.create<arith::SelectOp>(isFinite, max, node.filled(0.0, max));
  FailureOr<Value> wide = broadcastTo(node, max, node.shapeOf(x));
  if (failed(wide))
    return failure();
  Value e = node.create<math::ExpOp>(node.create<arith::SubFOp>(x, *wide));
  Value sum = reduce(node, Reduction::Sum, e, *axes, /*keepDims=*/true);
  Value result = node.create<arith::AddFOp>(max, node.create<math::LogOp>(sum));
  if (!node.integer("keepdims", 1))
    result = dropDims(node, result, *axes);
  node.setOutput(0, castFloat(node, result, type));
  return success();
}

template <graph::Extremum kind> LogicalResult argReduce(NodeContext &node) {
  int64_t rank = node.inputRank(0);
  FailureOr<int64_t> axis = node.normalizeAxis(node.integer("axis", 0), rank);
  if (failed(axis))
    return failure();
  Shape shape = node.shapeOf(node.input(0));
  AffineExpr size = shape[*axis];
  shape.erase(shape.begin() + *axis);
  if (failed(node.requireElements(size, productOf(node, shape),
                                  "axis " + Twine(*axis))))
    return failure();
  Value result = graph::ArgReduceOp::create(
      node.builder, node.loc, node.typeOf(shape, node.builder.getI64Type()),
      node.input(0), kind, *axis, node.integer("select_last_index", 0) != 0,
      node.isUnsigned());
  if (node.integer("keepdims", 1))
    result = insertUnitDims(node, result, *axis);
  node.setOutput(0, result);
  return success();
}

/// Sums or products of all elements up to each one along a constant axis.
template <graph::Combination combination>
LogicalResult cumulate(NodeContext &node) {
  auto given = requireConstantIntegers(node, node.input(1), "the axis");
  if (failed(given))
    return failure();
  if (given->size() != 1)
    return node.error("expects one axis");
  FailureOr<int64_t> axis =
      node.normalizeAxis(given->front(), node.inputRank(0));
  if (failed(axis))
    return failure();
  Value x = widenToF32(node, node.input(0));
  Value result = graph::CumulativeOp::create(
      node.builder, node.loc, x.getType(), x, combination, *axis,
      node.integer("exclusive", 0) != 0, node.integer("reverse", 0) != 0);
  Type to = node.inputType(0).getElementType();
  node.setOutput(0, isa<FloatType>(to) ? castFloat(node, result, to) : result);
  return success();
}

} // namespace

void addReductionTranslators(TranslatorTable &table) {
  table.add("ReduceSum", plain<Reduction::Sum>);
  table.add("ReduceProd", plain<Reduction::Product>);
  table.add("ReduceMax", plain<Reduction::Max>);
  table.add("ReduceMin", plain<Reduction::Min>);
  table.add("ReduceMean", mean);
  table.add("ReduceL1", l1);
  table.add("ReduceL2", l2);
  table.add("ReduceSumSquare", sumSquare);
  table.add("ReduceLogSum", logSum);
  table.add("ReduceLogSumExp", logSumExp);
  table.add("CumSum", cumulate<graph::Combination::Add>);
  table.add("CumProd", cumulate<graph::Combination::Multiply>);
  table.add("ArgMax", argReduce<graph::Extremum::Max>);
  table.add("ArgMin", argReduce<graph::Extremum::Min>);
}

} // namespace tessera::onnx_importer
