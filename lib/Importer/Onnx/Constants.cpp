// Constant tensors: small ones are attributes, large ones weights in a file.
#include "lib/Importer/Onnx/ModelImporter.h"
#include "lib/Importer/Onnx/NarrowTypes.h"
#include "lib/Importer/Onnx/WireScanner.h"

#include "llvm/Support/MemoryBuffer.h"

using namespace mlir;

namespace tessera::onnx_importer {

DenseElementsAttr elementsFromBytes(RankedTensorType type, StringRef bytes) {
  if (type.getNumElements() == 0)
    return DenseElementsAttr::get(type, ArrayRef<Attribute>());
  unsigned bits = type.getElementTypeBitWidth();
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

/// Replaces packed elements of less than a byte, which are read if they are in a
/// file, by one byte each: those of small constants.
static llvm::Error unpack(TensorBytes &bytes, int64_t count,
                          unsigned bits) {
  if (!bytes.file.empty()) {
    auto packed = llvm::MemoryBuffer::getFileSlice(bytes.file, bytes.bytes,
                                                   bytes.offset);
    if (!packed)
      return llvm::errorCodeToError(packed.getError());
    bytes.contents = (*packed)->getBuffer().str();
    bytes.file.clear();
  }
  bytes.contents = unpackElements(bytes.contents, count, bits);
  bytes.bytes = bytes.contents.size();
  return llvm::Error::success();
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
    findings.isDamaged = true;
    return node.error(llvm::toString(bytes.takeError()));
  }
  auto type = RankedTensorType::get(
      SmallVector<int64_t>(tensor.dims().begin(), tensor.dims().end()),
      elementType);
  RankedTensorType sourceType = type;
  SmallVector<Attribute> recipe;
  if (unsigned bits = elementBits(tensor.data_type()); bits < 8) {
    if (type.getNumElements() > static_cast<int64_t>(kLargePayloadBytes)) {
      recipe.push_back(
          graph::UnpackBitsAttr::get(context, bits, type.getShape()));
      sourceType = type.clone({static_cast<int64_t>(bytes->bytes)});
    } else if (llvm::Error error =
                   unpack(*bytes, type.getNumElements(), bits)) {
      return node.error("constant '" + name +
                        "': " + llvm::toString(std::move(error)));
    }
  }
  if (recipe.empty() && bytes->file.empty() && bytes->bytes <= kLargePayloadBytes)
    return Value(arith::ConstantOp::create(
        builder, node.loc, elementsFromBytes(type, bytes->contents)));

  Attribute source;
  if (bytes->file.empty())
    source = elementsFromBytes(sourceType, bytes->contents);
  else
    source =
        graph::FileAttr::get(context, bytes->file, bytes->offset, bytes->bytes);
  OpBuilder detached(context);
  auto weights = graph::WeightsOp::create(
      detached, NameLoc::get(builder.getStringAttr(name)), name, type, source,
      sourceType, builder.getArrayAttr(recipe));
  symbols.insert(weights, entry->getIterator());
  return Value(graph::WeightOp::create(builder, node.loc, type,
                                       FlatSymbolRefAttr::get(weights)));
}

} // namespace tessera::onnx_importer
