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
  SmallVector<Value> tensors(operands);
  for (Value &tensor : tensors) {
    FailureOr<Value> broadcast = broadcastTo(node, tensor, *common);
    if (failed(broadcast))
      return failure();
    tensor = *broadcast;
  }
  Value result = function(tensors);
  if (!result)
    return failure();
  return result;
}

FailureOr<Value> applyInShapeOfFirst(NodeContext &node,
                                     ArrayRef<Value> operands,
                                     ElementFunction function) {
  Shape shape = node.shapeOf(operands.front());
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

/// The type of `value` with elements of type `to`.
static Type withElement(Value value, Type to) {
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
    return toUnsigned ? node.create<arith::FPToUIOp>(result, value)
                      : node.create<arith::FPToSIOp>(result, value);
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
