// Constant tensors: small ones are attributes, large ones weights in a file.
#include "lib/Importer/Onnx/ModelImporter.h"
#include "lib/Importer/Onnx/WireScanner.h"

using namespace mlir;

namespace tessera::onnx_importer {

DenseElementsAttr elementsFromBytes(RankedTensorType type, StringRef bytes) {
  if (type.getNumElements() == 0)
    return DenseElementsAttr::get(type, ArrayRef<Attribute>());
  unsigned bits = type.getElementTypeBitWidth();
  if (bits < 8 && bits != 1) {
    SmallVector<APInt> values;
    for (int64_t i = 0; i < type.getNumElements(); ++i)
      values.emplace_back(bits, uint8_t(bytes[i * bits / 8]) >> (i * bits % 8),
                          /*isSigned=*/false, /*implicitTrunc=*/true);
    return DenseElementsAttr::get(type, values);
  }
  size_t width = bits == 1 ? 1 : bits / 8;
  bool isSplat = bytes.drop_front(width) == bytes.drop_back(width);
  if (bits == 1) {
    SmallVector<bool> values;
    for (char byte : isSplat ? bytes.take_front(1) : bytes)
      values.push_back(byte != 0);
    return DenseElementsAttr::get(type, values);
  }
  return DenseElementsAttr::getFromRawBuffer(
      type, ArrayRef(bytes.data(), isSplat ? width : bytes.size()));
}

FailureOr<Value> ModelImporter::constantOf(const onnx::TensorProto &tensor,
                                           NodeContext &node, StringRef name) {
  Type elementType = elementTypeToMlir(context, tensor.data_type());
  if (!elementType)
    return node.error("constant '" + name + "' has element type " +
                      elementTypeName(tensor.data_type()) +
                      ", which is not supported");
  llvm::Expected<TensorBytes> bytes = tensorBytes(tensor, model);
  if (!bytes) {
    findings.damaged = true;
    return node.error(llvm::toString(bytes.takeError()));
  }
  auto type = RankedTensorType::get(
      SmallVector<int64_t>(tensor.dims().begin(), tensor.dims().end()),
      elementType);
  if (bytes->file.empty() && bytes->bytes <= kLargePayloadBytes)
    return Value(arith::ConstantOp::create(
        builder, node.loc, elementsFromBytes(type, bytes->contents)));

  Attribute source;
  if (bytes->file.empty())
    source = elementsFromBytes(type, bytes->contents);
  else
    source =
        graph::FileAttr::get(context, bytes->file, bytes->offset, bytes->bytes);
  OpBuilder detached(context);
  auto weights = graph::WeightsOp::create(
      detached, NameLoc::get(builder.getStringAttr(name)), name, type, source,
      type, builder.getArrayAttr({}));
  symbols.insert(weights, entry->getIterator());
  return Value(graph::WeightOp::create(builder, node.loc, type,
                                       FlatSymbolRefAttr::get(weights)));
}

} // namespace tessera::onnx_importer
