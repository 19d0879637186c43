// Conversions between element types, and operators that pass a value on.
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/ModelReader.h"
#include "lib/Importer/Onnx/NarrowTypes.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

/// `value` of ONNX type `from` as elements of type `to`.
Value convert(NodeContext &node, Value value, int32_t from, int32_t to) {
  Type type = elementTypeToMlir(node.builder.getContext(), to);
  bool fromUnsigned = isUnsignedType(from), toUnsigned = isUnsignedType(to);
  if (from == to)
    return value;
  value = wrapNarrowInteger(node, value, from);
  if (isNarrowFloat(from))
    value = decodeNarrowFloat(node, value, from);
  if (isNarrowFloat(to)) {
    Value wide = castElements(node, value, fromUnsigned,
                              node.builder.getF32Type(), false);
    return encodeNarrowFloat(node, wide, to, node.integer("saturate", 1) != 0,
                             node.string("round_mode", "up"));
  }
  if (!narrowIntegerBits(to))
    return castElements(node, value, fromUnsigned, type, toUnsigned);
  // Integers keep their low bits; a float is rounded to one towards zero.
  Type i32 = node.builder.getI32Type();
  if (isa<FloatType>(getElementTypeOrSelf(value)))
    value = castElements(node, value, false, i32, false);
  value = castElements(node, value, fromUnsigned, type, toUnsigned);
  return wrapNarrowInteger(node, value, to);
}

/// A size of a tensor in 32 bits is taken for itself (SizeAnalysis::isAssumedToFit): a
/// run in which it does not fit is an error.
void requireToFit(NodeContext &node, Value value, Type to) {
  auto from = dyn_cast<IntegerType>(value.getType());
  if (!from || !isa<IntegerType>(to) ||
      std::min(from.getWidth(), to.getIntOrFloatBitWidth()) != 32)
    return;
  AffineExpr size = node.sizes.sizeOf(value);
  if (!node.sizes.isAssumedToFit(size, 32))
    return;
  auto require = [&](arith::CmpIPredicate predicate, int64_t limit) {
    node.requireAtRunTime(
        node.create<arith::CmpIOp>(
            predicate, node.materializeIndex(size),
            node.scalarInteger(limit, node.builder.getIndexType())),
        "a size does not fit 32 bits");
  };
  require(arith::CmpIPredicate::sle, INT32_MAX);
  if (!node.sizes.boundsOf(size).least)
    require(arith::CmpIPredicate::sge, INT32_MIN);
}

LogicalResult castTo(NodeContext &node, int32_t elementType) {
  if (!elementTypeToMlir(node.builder.getContext(), elementType))
    return node.error("conversion to " + elementTypeName(elementType) +
                      " is not supported");
  StringRef mode = node.string("round_mode", "up");
  if (mode != "up" && mode != "down" && mode != "nearest")
    return node.error("round_mode '" + mode + "' does not exist");
  FailureOr<Value> result =
      applyElementwise(node, {node.input(0)}, [&](ArrayRef<Value> v) {
        requireToFit(node, v[0],
                     elementTypeToMlir(node.builder.getContext(), elementType));
        return convert(node, v[0], node.inputElementType(0), elementType);
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result, elementType);
  return success();
}

LogicalResult cast(NodeContext &node) {
  return castTo(node, node.integer("to", 0));
}

LogicalResult castLike(NodeContext &node) {
  return castTo(node, node.inputElementType(1));
}

/// The same bits as elements of another type of the same width.
LogicalResult bitCast(NodeContext &node) {
  int32_t from = node.inputElementType(0), to = node.integer("to", 0);
  Type type = elementTypeToMlir(node.builder.getContext(), to);
  if (!type)
    return node.error("conversion to " + elementTypeName(to) +
                      " is not supported");
  if (elementBits(from) != elementBits(to))
    return node.error("expects a type of " + Twine(elementBits(from)) +
                      " bits but got " + elementTypeName(to));
  FailureOr<Value> result =
      applyElementwise(node, {node.input(0)}, [&](ArrayRef<Value> v) -> Value {
        Type element = getElementTypeOrSelf(v[0]);
        if (narrowIntegerBits(to))
          return wrapNarrowInteger(node, v[0], to);
        // Booleans are one byte, 0 or 1.
        if (element.isInteger(1) || type.isInteger(1))
          return castElements(node, v[0], true, type, true);
        if (element == type)
          return v[0];
        return node.create<arith::BitcastOp>(withElement(v[0], type), v[0]);
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result, to);
  return success();
}

LogicalResult identity(NodeContext &node) {
  node.setOutput(0, node.input(0));
  return success();
}

/// At inference nothing is dropped and the mask is all true.
LogicalResult dropout(NodeContext &node) {
  if (Value training = node.input(2)) {
    DenseElementsAttr constant;
    if (!matchPattern(training, m_Constant(&constant)) ||
        constant.getNumElements() != 1 || constant.getSplatValue<bool>())
      return node.error("training mode is not supported; export the model for "
                        "inference");
  }
  node.setOutput(0, node.input(0));
  if (!node.hasOutput(1))
    return success();
  // Before opset 10 the mask has the data's type.
  Type type = node.version() < 10 ? getElementTypeOrSelf(node.input(0))
                                  : node.builder.getI1Type();
  node.setOutput(
      1, node.filled(node.scalar(1.0, type), node.shapeOf(node.input(0))));
  return success();
}

} // namespace

void addCastTranslators(TranslatorTable &table) {
  table.add("Cast", cast);
  table.add("CastLike", castLike);
  table.add("BitCast", bitCast);
  table.add("Identity", identity);
  table.add("Dropout", dropout);
}

} // namespace tessera::onnx_importer
