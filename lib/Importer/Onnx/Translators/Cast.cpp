// Conversions between element types, and operators that pass a value on.
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/ModelReader.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

bool isNarrowFloat(Type type) {
  return isa<FloatType>(type) && type.getIntOrFloatBitWidth() < 16;
}

LogicalResult castTo(NodeContext &node, int32_t elementType) {
  Type to = elementTypeToMlir(node.builder.getContext(), elementType);
  if (!to)
    return node.error("conversion to " + elementTypeName(elementType) +
                      " is not supported");
  Value x = node.input(0);
  Type from = getElementTypeOrSelf(x);
  // These saturate, which arith.truncf does not.
  if (isNarrowFloat(to) && from != to)
    return node.error("conversion to " + elementTypeName(elementType) +
                      " is not supported; float16 or wider works");
  FailureOr<Value> result = applyElementwise(node, {x}, [&](ArrayRef<Value> v) {
    return castElements(node, v[0], node.isUnsigned(), to,
                        isUnsignedType(elementType));
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
  table.add("Identity", identity);
  table.add("Dropout", dropout);
}

} // namespace tessera::onnx_importer
