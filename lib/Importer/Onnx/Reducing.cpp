// Reductions as linalg.reduce.
#include "lib/Importer/Onnx/Reducing.h"
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;

namespace tessera::onnx_importer {

Value neutralOf(NodeContext &node, Reduction reduction, Type type,
                bool isUnsigned) {
  if (reduction == Reduction::Sum)
    return node.scalar(0.0, type);
  if (reduction == Reduction::Product)
    return node.scalar(1.0, type);
  bool isMax = reduction == Reduction::Max;
  if (isa<FloatType>(type)) {
    double infinity = std::numeric_limits<double>::infinity();
    return node.scalar(isMax ? -infinity : infinity, type);
  }
  unsigned bits = type.getIntOrFloatBitWidth();
  APInt limit =
      isUnsigned ? (isMax ? APInt::getMinValue(bits) : APInt::getMaxValue(bits))
                 : (isMax ? APInt::getSignedMinValue(bits)
                          : APInt::getSignedMaxValue(bits));
  return arith::ConstantOp::create(node.builder, node.loc,
                                   IntegerAttr::get(type, limit));
}

static Value combine(OpBuilder &builder, Location loc, Reduction reduction,
                     Value a, Value b, bool isUnsigned) {
  bool isFloat = isa<FloatType>(a.getType());
  auto pick = [&](auto floats, auto integers) -> Value {
    return isFloat ? Value(decltype(floats)::create(builder, loc, a, b))
                   : Value(decltype(integers)::create(builder, loc, a, b));
  };
  switch (reduction) {
  case Reduction::Sum:
    return pick(arith::AddFOp(), arith::AddIOp());
  case Reduction::Product:
    return pick(arith::MulFOp(), arith::MulIOp());
  case Reduction::Max:
    return isUnsigned ? pick(arith::MaximumFOp(), arith::MaxUIOp())
                      : pick(arith::MaximumFOp(), arith::MaxSIOp());
  case Reduction::Min:
    return isUnsigned ? pick(arith::MinimumFOp(), arith::MinUIOp())
                      : pick(arith::MinimumFOp(), arith::MinSIOp());
  }
  llvm_unreachable("covered switch");
}

/// The reduction of a tensor with an element view; `axes` as reduce() has them.
static Value reduceElements(NodeContext &node, Reduction reduction,
                            Value tensor, ArrayRef<int64_t> axes, bool keepDims,
                            bool isUnsigned) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<int64_t> kept, shape;
  for (int64_t axis = 0; axis < type.getRank(); ++axis) {
    bool isReduced = llvm::is_contained(axes, axis);
    kept.push_back(isReduced ? 1 : type.getDimSize(axis));
    if (!isReduced || keepDims)
      shape.push_back(kept.back());
  }
  Value start = neutralOf(node, reduction, type.getElementType(), isUnsigned);
  SmallVector<Value> results(ShapedType::getNumElements(kept), start);
  SmallVector<int64_t> from = computeStrides(type.getShape()),
                       to = computeStrides(kept);
  for (auto [i, scalar] : llvm::enumerate(*elementsOf(node, tensor))) {
    SmallVector<int64_t> index = delinearize(i, from);
    for (int64_t axis : axes)
      index[axis] = 0;
    Value &result = results[linearize(index, to)];
    result = result == start ? scalar
                             : combine(node.builder, node.loc, reduction,
                                       result, scalar, isUnsigned);
  }
  return fromElements(node, results, shape, type.getElementType());
}

Value reduce(NodeContext &node, Reduction reduction, Value tensor,
             ArrayRef<int64_t> axes, bool keepDims, bool isUnsigned) {
  if (axes.empty())
    return tensor;
  if (hasElements(tensor))
    return reduceElements(node, reduction, tensor, axes, keepDims, isUnsigned);
  Shape from = node.shapeOf(tensor), shape;
  for (auto [i, size] : llvm::enumerate(from))
    if (!llvm::is_contained(axes, static_cast<int64_t>(i)))
      shape.push_back(size);
  Type type = cast<RankedTensorType>(tensor.getType()).getElementType();
  Value start =
      linalg::FillOp::create(node.builder, node.loc,
                             neutralOf(node, reduction, type, isUnsigned),
                             node.empty(shape, type))
          .getResult(0);
  Value result = linalg::ReduceOp::create(
                     node.builder, node.loc, tensor, start, axes,
                     [&](OpBuilder &builder, Location loc, ValueRange values) {
                       Value combined =
                           combine(builder, loc, reduction, values[0],
                                   values[1], isUnsigned);
                       linalg::YieldOp::create(builder, loc, combined);
                     })
                     ->getResult(0);
  return keepDims ? insertUnitDims(node, result, axes) : result;
}

Value elementCount(NodeContext &node, Value tensor, ArrayRef<int64_t> axes,
                   Type type) {
  Shape shape = node.shapeOf(tensor);
  AffineExpr count = node.constantSize(1);
  for (int64_t axis : axes)
    count = count * shape[axis];
  if (auto constant = dyn_cast<AffineConstantExpr>(count))
    return node.scalar(constant.getValue(), type);
  Value integer = node.create<arith::IndexCastOp>(
      isa<FloatType>(type) ? node.builder.getI64Type() : type,
      node.materializeIndex(count));
  return isa<FloatType>(type) ? node.create<arith::SIToFPOp>(type, integer)
                              : integer;
}

Value reduceMean(NodeContext &node, Value tensor, ArrayRef<int64_t> axes,
                 bool keepDims) {
  Value sum = reduce(node, Reduction::Sum, tensor, axes, keepDims);
  Type type = cast<RankedTensorType>(tensor.getType()).getElementType();
  Value count = elementCount(node, tensor, axes, type);
  return node.create<arith::DivFOp>(sum, node.filled(count, node.shapeOf(sum)));
}

} // namespace tessera::onnx_importer
