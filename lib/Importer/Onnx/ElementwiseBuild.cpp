// Elementwise application and element type conversion.
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/Shaping.h"

using namespace mlir;

namespace tessera::onnx_importer {

/// The scalars of all operands broadcast to `shape`, one list for each element;
/// none if an operand has no element view.
static std::optional<SmallVector<SmallVector<Value>>>
broadcastElements(NodeContext &node, ArrayRef<Value> operands,
                  ArrayRef<int64_t> shape) {
  int64_t count = ShapedType::getNumElements(shape);
  if (count > kMaxViewedElements || !llvm::all_of(operands, hasElements))
    return std::nullopt;
  SmallVector<SmallVector<Value>> lists(count);
  for (Value operand : operands) {
    SmallVector<Value> scalars = *elementsOf(node, operand);
    ArrayRef<int64_t> from =
        cast<RankedTensorType>(operand.getType()).getShape();
    for (int64_t i = 0; i < count; ++i) {
      // The operand's index: walk the dimensions from the last one.
      int64_t rest = i, index = 0, stride = 1;
      for (size_t back = 1; back <= from.size(); ++back) {
        int64_t size = from[from.size() - back];
        int64_t full = shape[shape.size() - back];
        index += (size == 1 ? 0 : rest % full) * stride;
        rest /= full;
        stride *= size;
      }
      lists[i].push_back(scalars[index]);
    }
  }
  return lists;
}

/// Applies `function` to the operands, each brought to `shape`.
static FailureOr<Value> applyInShape(NodeContext &node,
                                     ArrayRef<Value> operands,
                                     const Shape &shape,
                                     ElementFunction function) {
  SmallVector<Value> tensors(operands);
  for (Value &tensor : tensors) {
    FailureOr<Value> broadcast = broadcastTo(node, tensor, shape);
    if (failed(broadcast))
      return failure();
    tensor = *broadcast;
  }
  Value result = function(tensors);
  if (!result)
    return failure();
  return result;
}

FailureOr<Value> applyElementwise(NodeContext &node, ArrayRef<Value> operands,
                                  ElementFunction function) {
  SmallVector<Shape> shapes;
  for (Value operand : operands)
    shapes.push_back(node.shapeOf(operand));
  FailureOr<Shape> common = broadcastShapes(node, shapes);
  if (failed(common))
    return failure();
  RankedTensorType type = node.typeOf(*common, node.builder.getI1Type());
  if (type.hasStaticShape() && type.getNumElements() > 0)
    if (auto lists = broadcastElements(node, operands, type.getShape())) {
      SmallVector<Value> results;
      for (ArrayRef<Value> scalars : *lists) {
        Value result = function(scalars);
        if (!result)
          return failure();
        results.push_back(result);
      }
      return fromElements(node, results, type.getShape(),
                          results.front().getType());
    }
  return applyInShape(node, operands, *common, function);
}

FailureOr<Value> applyInShapeOfFirst(NodeContext &node,
                                     ArrayRef<Value> operands,
                                     ElementFunction function) {
  return applyInShape(node, operands, node.shapeOf(operands.front()), function);
}

LogicalResult translateElementwise(NodeContext &node,
                                   ElementFunction function) {
  SmallVector<Value> operands;
  for (unsigned i = 0; i < node.inputCount(); ++i)
    operands.push_back(node.input(i));
  FailureOr<Value> result = applyElementwise(node, operands, function);
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

Type withElement(Value value, Type to) {
  if (auto tensor = dyn_cast<RankedTensorType>(value.getType()))
    return tensor.clone(to);
  return to;
}

Value castFloat(NodeContext &node, Value value, Type to) {
  Type from = getElementTypeOrSelf(value);
  if (from == to)
    return value;
  unsigned fromBits = from.getIntOrFloatBitWidth(),
           toBits = to.getIntOrFloatBitWidth();
  Type result = withElement(value, to);
  if (fromBits < toBits)
    return node.create<arith::ExtFOp>(result, value);
  if (fromBits > toBits)
    return node.create<arith::TruncFOp>(result, value);
  // f16 and bf16: neither contains the other.
  Value wide = node.create<arith::ExtFOp>(
      withElement(value, node.builder.getF32Type()), value);
  return node.create<arith::TruncFOp>(result, wide);
}

Value widenToF32(NodeContext &node, Value value) {
  Type type = getElementTypeOrSelf(value);
  return type.isF16() || type.isBF16()
             ? castFloat(node, value, node.builder.getF32Type())
             : value;
}

/// `value`, f32 or f64, towards zero in the signed integer type `to`; NaN and what
/// does not fit give its least number, as on x86. A scalar is made of sizes, which
/// fit, or constant.
static Value truncateTo(NodeContext &node, Value value, Type to) {
  double limit = std::ldexp(1.0, to.getIntOrFloatBitWidth() - 1);
  FloatAttr constant;
  bool isKnown = matchPattern(value, m_Constant(&constant));
  if (isKnown && !(std::abs(constant.getValueAsDouble()) < limit))
    return node.scalar(-limit, to);
  if (isa<RankedTensorType>(value.getType())) {
    Value fits = node.create<arith::CmpFOp>(arith::CmpFPredicate::OLT,
                                            node.create<math::AbsFOp>(value),
                                            node.filled(limit, value));
    value = node.create<arith::SelectOp>(fits, value,
                                         node.filled(-limit, value));
  }
  return node.create<arith::FPToSIOp>(withElement(value, to), value);
}

/// A float as an integer of type `to`: the low bits of what it is as i32, or as i64
/// where that is too short. The upper half of u32 and u64 counts from its start.
static Value castToInteger(NodeContext &node, Value value, Type to,
                           bool toUnsigned) {
  value = widenToF32(node, value);
  unsigned bits = to.getIntOrFloatBitWidth();
  if (bits < 32)
    return castElements(node, truncateTo(node, value, node.builder.getI32Type()),
                        false, to, toUnsigned);
  if (!toUnsigned)
    return truncateTo(node, value, to);
  double start = std::ldexp(1.0, bits - 1);
  Value half = node.filled(start, value);
  Value isUpper =
      node.create<arith::CmpFOp>(arith::CmpFPredicate::OGE, value, half);
  Value rest = node.create<arith::SelectOp>(
      isUpper, node.create<arith::SubFOp>(value, half), value);
  Value integer = truncateTo(node, rest, to);
  Value moved =
      node.create<arith::XOrIOp>(integer, node.filled(-start, integer));
  return node.create<arith::SelectOp>(isUpper, moved, integer);
}

Value castElements(NodeContext &node, Value value, bool fromUnsigned, Type to,
                   bool toUnsigned) {
  Type from = getElementTypeOrSelf(value);
  if (from == to)
    return value;
  Type result = withElement(value, to);
  bool fromFloat = isa<FloatType>(from), toFloat = isa<FloatType>(to);
  if (fromFloat && toFloat)
    return castFloat(node, value, to);
  if (to.isInteger(1)) {
    if (fromFloat)
      return node.create<arith::CmpFOp>(arith::CmpFPredicate::UNE, value,
                                        node.filled(0.0, value));
    return node.create<arith::CmpIOp>(arith::CmpIPredicate::ne, value,
                                      node.filled(0.0, value));
  }
  if (fromFloat)
    return castToInteger(node, value, to, toUnsigned);
  if (toFloat)
    return fromUnsigned ? node.create<arith::UIToFPOp>(result, value)
                        : node.create<arith::SIToFPOp>(result, value);
  unsigned fromBits = from.getIntOrFloatBitWidth(),
           toBits = to.getIntOrFloatBitWidth();
  if (fromBits > toBits)
    return node.create<arith::TruncIOp>(result, value);
  return fromUnsigned ? node.create<arith::ExtUIOp>(result, value)
                      : node.create<arith::ExtSIOp>(result, value);
}

} // namespace tessera::onnx_importer
