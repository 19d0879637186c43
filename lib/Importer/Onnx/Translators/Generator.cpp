// Operators that make tensors from attributes, shapes or indices.
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;
using onnx::TensorProto;

namespace tessera::onnx_importer {
namespace {

/// One of several attributes holds the value.
LogicalResult constant(NodeContext &node) {
  if (node.hasAttribute("value")) {
    FailureOr<OnnxValue> value = node.tensor("value");
    if (failed(value))
      return failure();
    node.setOutput(0, value->value, value->elementType);
    return success();
  }
  Type f32 = node.builder.getF32Type(), i64 = node.builder.getI64Type();
  auto set = [&](DenseElementsAttr elements, int32_t type) {
    node.setOutput(
        0, arith::ConstantOp::create(node.builder, node.loc, elements), type);
    return success();
  };
  if (node.hasAttribute("value_float"))
    return set(DenseElementsAttr::get(
                   RankedTensorType::get({}, f32),
                   static_cast<float>(node.number("value_float", 0))),
               TensorProto::FLOAT);
  if (node.hasAttribute("value_int"))
    return set(DenseElementsAttr::get(RankedTensorType::get({}, i64),
                                      node.integer("value_int", 0)),
               TensorProto::INT64);
  if (node.hasAttribute("value_floats")) {
    SmallVector<float> values = node.numbers("value_floats");
    return set(DenseElementsAttr::get(RankedTensorType::get(values.size(), f32),
                                      ArrayRef<float>(values)),
               TensorProto::FLOAT);
  }
  if (node.hasAttribute("value_ints")) {
    SmallVector<int64_t> values = node.integers("value_ints");
    return set(DenseElementsAttr::get(RankedTensorType::get(values.size(), i64),
                                      ArrayRef<int64_t>(values)),
               TensorProto::INT64);
  }
  return node.error("only dense numbers are supported as constants");
}

LogicalResult constantOfShape(NodeContext &node) {
  FailureOr<Shape> shape = elementSizes(node, node.input(0), "the shape");
  if (failed(shape))
    return failure();
  Value scalar = node.scalar(0.0, node.builder.getF32Type());
  int32_t elementType = TensorProto::FLOAT;
  if (node.hasAttribute("value")) {
    FailureOr<OnnxValue> value = node.tensor("value");
    if (failed(value))
      return failure();
    auto scalars = elementsOf(node, value->value);
    if (!scalars || scalars->size() != 1)
      return node.error("expects value to have one element");
    scalar = scalars->front();
    elementType = value->elementType;
  }
  if (failed(node.requireSizes(*shape, "the shape")))
    return failure();
  node.setOutput(0, node.filled(scalar, *shape), elementType);
  return success();
}

/// The size that a scalar is: an integer, or a float that was made of one.
AffineExpr wholeNumber(NodeContext &node, Value scalar) {
  FloatAttr constant;
  if (matchPattern(scalar, m_Constant(&constant))) {
    double value = constant.getValueAsDouble();
    bool isWhole = value == std::floor(value) && std::abs(value) < INT32_MAX;
    return isWhole ? node.constantSize(static_cast<int64_t>(value))
                   : AffineExpr();
  }
  if (auto cast = scalar.getDefiningOp<arith::SIToFPOp>())
    scalar = cast.getIn();
  return isa<FloatType>(scalar.getType()) ? AffineExpr()
                                          : node.sizes.sizeOf(scalar);
}

/// How many elements start, start + delta, ... are below limit (above, with a
/// negative delta); null after an error.
AffineExpr rangeLength(NodeContext &node, ArrayRef<Value> bounds) {
  AffineExpr first = wholeNumber(node, bounds[0]);
  AffineExpr end = wholeNumber(node, bounds[1]);
  auto delta = dyn_cast_or_null<AffineConstantExpr>(wholeNumber(node, bounds[2]));
  if (first && end && delta && delta.getValue() != 0) {
    AffineExpr distance = delta.getValue() < 0 ? first - end : end - first;
    return atLeastZero(node, distance.ceilDiv(std::abs(delta.getValue())));
  }
  if (!bounds[0].getType().isF32() && !bounds[0].getType().isF64()) {
    (void)node.error("expects bounds that are constants or sizes, and a "
                     "constant delta other than 0");
    return {};
  }
  Type f64 = node.builder.getF64Type();
  Value distance = castFloat(
      node, node.create<arith::SubFOp>(bounds[1], bounds[0]), f64);
  Value length = node.create<math::CeilOp>(
      node.create<arith::DivFOp>(distance, castFloat(node, bounds[2], f64)));
  FloatAttr constant;
  if (matchPattern(length, m_Constant(&constant)) &&
      !(constant.getValueAsDouble() < double(INT32_MAX))) {
    (void)node.error("the range is too long");
    return {};
  }
  return atLeastZero(node, node.sizes.sizeOf(node.create<arith::FPToSIOp>(
                               node.builder.getI64Type(), length)));
}

/// start, start + delta, ... below limit.
LogicalResult range(NodeContext &node) {
  SmallVector<Value> bounds;
  for (unsigned i = 0; i < 3; ++i) {
    auto scalars = elementsOf(node, node.input(i));
    if (!scalars || scalars->size() != 1)
      return node.error("its bounds depend on the model's data; they must be "
                        "computed from shapes and constants");
    bounds.push_back(scalars->front());
  }
  Type type = bounds[0].getType();
  AffineExpr count = rangeLength(node, bounds);
  if (!count)
    return failure();
  Value index = iota(node, {count}, type, 0);
  Value start = node.filled(bounds[0], {count});
  Value delta = node.filled(bounds[2], {count});
  if (isa<FloatType>(type))
    index = node.create<arith::AddFOp>(
        start, node.create<arith::MulFOp>(index, delta));
  else
    index = node.create<arith::AddIOp>(
        start, node.create<arith::MulIOp>(index, delta));
  node.setOutput(0, index);
  return success();
}

/// `shift`, an i64 scalar or tensor, so near to 0 that an index can be added. No
/// diagonal lies farther away.
Value limitedShift(NodeContext &node, Value shift) {
  constexpr double kFarthest = double(int64_t(1) << 62);
  shift = node.create<arith::MaxSIOp>(shift, node.filled(-kFarthest, shift));
  return node.create<arith::MinSIOp>(shift, node.filled(kFarthest, shift));
}

/// Index along `row` compared with index along `column`, plus `shift`, an i64
/// tensor of `shape`.
Value compareIndices(NodeContext &node, const Shape &shape,
                     arith::CmpIPredicate predicate, int64_t row,
                     int64_t column, Value shift) {
  Type i64 = node.builder.getI64Type();
  Value rows = iota(node, shape, i64, row);
  Value columns = iota(node, shape, i64, column);
  rows = node.create<arith::AddIOp>(rows, shift);
  return node.create<arith::CmpIOp>(predicate, columns, rows);
}

LogicalResult eyeLike(NodeContext &node) {
  if (node.inputRank(0) != 2)
    return node.error("expects an input of rank 2");
  int32_t elementType = node.integer("dtype", node.inputElementType(0));
  Type type = elementTypeToMlir(node.builder.getContext(), elementType);
  if (!type)
    return node.error("dtype is not supported");
  Shape shape = node.shapeOf(node.input(0));
  Value k = node.scalarInteger(node.integer("k", 0), node.builder.getI64Type());
  Value shift = node.filled(limitedShift(node, k), shape);
  Value onDiagonal =
      compareIndices(node, shape, arith::CmpIPredicate::eq, 0, 1, shift);
  node.setOutput(0,
                 castElements(node, onDiagonal, /*fromUnsigned=*/true, type,
                              isUnsignedType(elementType)),
                 elementType);
  return success();
}

LogicalResult trilu(NodeContext &node) {
  int64_t rank = node.inputRank(0);
  if (rank < 2)
    return node.error("expects an input of rank 2 or more");
  Shape shape = node.shapeOf(node.input(0));
  FailureOr<Value> shift = node.filled(
      node.scalarInteger(0, node.builder.getI64Type()), shape);
  if (Value k = node.input(1)) {
    auto scalars = elementsOf(node, k);
    if (scalars && scalars->size() == 1) {
      shift = node.filled(limitedShift(node, scalars->front()), shape);
    } else {
      shift = reshapeTo(node, k, {});
      if (succeeded(shift))
        shift = broadcastTo(node, limitedShift(node, *shift), shape);
    }
  }
  if (failed(shift))
    return failure();
  bool upper = node.integer("upper", 1) != 0;
  Value isKept = compareIndices(node, shape,
                                upper ? arith::CmpIPredicate::sge
                                      : arith::CmpIPredicate::sle,
                                rank - 2, rank - 1, *shift);
  node.setOutput(0,
                 node.create<arith::SelectOp>(isKept, node.input(0),
                                              node.filled(0.0, node.input(0))));
  return success();
}

/// on where the index along the new axis is the input's, counted from the end
/// if negative; off elsewhere.
LogicalResult oneHot(NodeContext &node) {
  // A depth may be of any type of numbers.
  FailureOr<Value> number =
      applyElementwise(node, {node.input(1)}, [&](ArrayRef<Value> v) {
        return castElements(node, v[0], node.isUnsigned(1),
                            node.builder.getI64Type(), false);
      });
  if (failed(number))
    return failure();
  FailureOr<Shape> depth = elementSizes(node, *number, "depth");
  if (failed(depth))
    return failure();
  if (depth->size() != 1 || node.inputRank(2) != 1)
    return node.error("expects a single depth and two values");
  if (failed(node.requireSizes(*depth, "the result")) ||
      failed(node.requireEqual(node.shapeOf(node.input(2)).front(),
                               node.constantSize(2),
                               "the number of values and 2")))
    return failure();
  int64_t rank = node.inputRank(0);
  FailureOr<int64_t> axis =
      node.normalizeAxis(node.integer("axis", -1), rank + 1);
  if (failed(axis))
    return failure();
  Type i64 = node.builder.getI64Type();
  Value indices =
      castElements(node, node.input(0), node.isUnsigned(0), i64, false);
  std::optional<SmallVector<int64_t>> hot = constantIntegers(indices);
  std::optional<int64_t> count = constantOf((*depth)[0]);
  if (hot && count && hasElements(node.input(2)) &&
      static_cast<int64_t>(hot->size()) * *count <= kMaxViewedElements) {
    ArrayRef<int64_t> from = node.inputType(0).getShape();
    SmallVector<int64_t> to(from), strides = computeStrides(from);
    to.insert(to.begin() + *axis, *count);
    auto isOn = [&](ArrayRef<int64_t> index) -> int64_t {
      SmallVector<int64_t> rest(index);
      rest.erase(rest.begin() + *axis);
      int64_t at = (*hot)[linearize(rest, strides)];
      return (at < 0 ? at + *count : at) == index[*axis];
    };
    node.setOutput(0, rearrangeElements(node, node.input(2), to, isOn));
    return success();
  }
  Shape shape = node.shapeOf(indices);
  Value limit = node.filled(
      node.create<arith::IndexCastOp>(i64, node.materializeIndex((*depth)[0])),
      shape);
  Value isNegative = node.create<arith::CmpIOp>(
      arith::CmpIPredicate::slt, indices, node.filled(0.0, indices));
  indices = node.create<arith::SelectOp>(
      isNegative, node.create<arith::AddIOp>(indices, limit), indices);
  indices = insertUnitDims(node, indices, *axis);
  shape.insert(shape.begin() + *axis, (*depth)[0]);
  FailureOr<Value> wide = broadcastTo(node, indices, shape);
  Value off = sliceAlong(node, node.input(2), 0, node.constantSize(0),
                         node.constantSize(1));
  Value on = sliceAlong(node, node.input(2), 0, node.constantSize(1),
                        node.constantSize(1));
  FailureOr<Value> offs = broadcastTo(node, off, shape);
  FailureOr<Value> ons = broadcastTo(node, on, shape);
  if (failed(wide) || failed(offs) || failed(ons))
    return failure();
  Value isHot = node.create<arith::CmpIOp>(arith::CmpIPredicate::eq, *wide,
                                           iota(node, shape, i64, *axis));
  node.setOutput(0, node.create<arith::SelectOp>(isHot, *ons, *offs));
  return success();
}

} // namespace

void addGeneratorTranslators(TranslatorTable &table) {
  table.add("Constant", constant);
  table.add("ConstantOfShape", constantOfShape);
  table.add("Range", range);
  table.add("EyeLike", eyeLike);
  table.add("Trilu", trilu);
  table.add("OneHot", oneHot);
}

} // namespace tessera::onnx_importer
