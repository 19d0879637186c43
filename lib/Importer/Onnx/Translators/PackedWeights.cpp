// Weights of a few bits: unpacks them, and checks the sizes of those in blocks, which
// the bodies of their operators (Contrib/PackedWeights.cpp) take for granted.
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/ModelImporter.h"
#include "lib/Importer/Onnx/NarrowTypes.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

#include "mlir/IR/Matchers.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using onnx::TensorProto;

namespace tessera::onnx_importer {

namespace {

/// The weights that hold the packed elements of `from`, which has no recipe, as bytes
/// of `type`.
graph::WeightsOp unpackedWeights(graph::WeightsOp from, RankedTensorType type,
                                 unsigned bits) {
  auto sourceType = cast<RankedTensorType>(from.getSourceType());
  auto flat = sourceType.clone({sourceType.getNumElements()});
  Attribute source = from.getSource();
  if (auto elements = dyn_cast<DenseElementsAttr>(source))
    source = elements.reshape(flat);
  OpBuilder builder(from.getContext());
  Attribute unpack =
      graph::UnpackBitsAttr::get(from.getContext(), bits, type.getShape());
  auto made = graph::WeightsOp::create(builder, from.getLoc(), from.getSymName(),
                                       type, source, flat,
                                       builder.getArrayAttr({unpack}));
  SymbolTable(from->getParentOp()).insert(made, std::next(from->getIterator()));
  return made;
}

/// Elements of `bits` bits of the bytes `packed`, along a new last dimension.
FailureOr<Value> unpackByArithmetic(NodeContext &node, Value packed,
                                    const Shape &shape, unsigned bits) {
  SmallVector<Value> parts;
  int64_t rank = cast<RankedTensorType>(packed.getType()).getRank();
  for (unsigned shift = 0; shift < 8; shift += bits)
    parts.push_back(insertUnitDims(
        node,
        node.create<arith::ShRUIOp>(packed, node.filled(shift, packed)), rank));
  Shape apart = node.shapeOf(parts.front());
  apart.back() = node.constantSize(8 / bits);
  Value joined = tensor::ConcatOp::create(
      node.builder, node.loc, node.typeOf(apart, node.builder.getI8Type()), rank,
      parts);
  return reshapeTo(node, joined, shape);
}

/// The element type of integers without a sign of `bits` bits.
int32_t levelType(int64_t bits) {
  return bits == 2 ? TensorProto::UINT2 : TensorProto::UINT4;
}

/// Weights stay packed in their file.
LogicalResult unpackBits(NodeContext &node) {
  unsigned bits = node.integer("bits", 4);
  Value packed = node.input(0);
  RankedTensorType type = node.inputType(0);
  Shape shape = node.shapeOf(packed);
  shape.back() = shape.back() * (8 / bits);
  RankedTensorType unpacked = node.typeOf(shape, type.getElementType());
  DenseElementsAttr constant;
  FailureOr<Value> result = failure();
  if (matchPattern(packed, m_Constant(&constant)) && !constant.isSplat()) {
    ArrayRef<char> raw = constant.getRawData();
    std::string bytes = unpackElements(StringRef(raw.data(), raw.size()),
                                       unpacked.getNumElements(), bits);
    result = Value(arith::ConstantOp::create(node.builder, node.loc,
                                             elementsFromBytes(unpacked, bytes)));
  } else if (auto weight = packed.getDefiningOp<graph::WeightOp>()) {
    auto weights = SymbolTable::lookupNearestSymbolFrom<graph::WeightsOp>(
        weight, weight.getWeightsAttr());
    if (weights.getRecipe().empty())
      result = Value(graph::WeightOp::create(
          node.builder, node.loc, unpacked,
          FlatSymbolRefAttr::get(unpackedWeights(weights, unpacked, bits))));
  }
  if (failed(result))
    result = unpackByArithmetic(node, packed, shape, bits);
  if (failed(result))
    return failure();
  node.setOutput(0, *result, levelType(bits));
  return success();
}

/// Makes sure that input `index`, where it is given, has so many elements.
LogicalResult requireElementCount(NodeContext &node, unsigned index, int64_t count,
                                  const Twine &what) {
  if (!node.input(index))
    return success();
  return node.requireEqual(productOf(node, node.shapeOf(node.input(index))),
                           node.constantSize(count),
                           "the number of elements of " + what);
}

LogicalResult checkMatMulNBits(NodeContext &node) {
  int64_t bits = node.integer("bits", 4), columns = node.integer("N", 0),
          depth = node.integer("K", 0), block = node.integer("block_size", 0);
  if (bits != 2 && bits != 4 && bits != 8)
    return node.error("expects bits of 2, 4 or 8 but got " + Twine(bits));
  if (block < 16 || !llvm::isPowerOf2_64(block))
    return node.error("expects block_size to be a power of two of at least 16 "
                      "but got " +
                      Twine(block));
  if (columns < 1 || depth < 1)
    return node.error("expects K and N to be positive but got " + Twine(depth) +
                      " and " + Twine(columns));
  int64_t blocks = llvm::divideCeil(depth, block);
  bool arePacked = node.inputElementType(3) == TensorProto::UINT8;
  if (node.input(3) && !arePacked &&
      node.inputElementType(3) != node.inputElementType(0))
    return node.error("expects zero_points to be packed in bytes or of the type "
                      "of A, but got " +
                      elementTypeName(node.inputElementType(3)));
  if (node.inputRank(0) < 1)
    return node.error("expects A to have a last dimension");
  int64_t zeroPoints = arePacked ? llvm::divideCeil(blocks * bits, 8) : blocks;
  if (failed(node.requireEqual(node.shapeOf(node.input(0)).back(),
                               node.constantSize(depth),
                               "the last size of A and K")) ||
      failed(requireElementCount(node, 1, columns * blocks * (block * bits / 8),
                                 "B, which is packed, and what N, K, bits and "
                                 "block_size say")) ||
      failed(requireElementCount(node, 2, columns * blocks,
                                 "scales and that of blocks")) ||
      failed(requireElementCount(node, 3, columns * zeroPoints,
                                 "zero_points and that of blocks")) ||
      failed(requireElementCount(node, 5, columns, "the bias and N")))
    return failure();
  if (node.input(4) &&
      failed(node.requireAtMost(node.constantSize(depth),
                                productOf(node, node.shapeOf(node.input(4))),
                                "expects g_idx to have an element for each of K")))
    return failure();
  return node.useBody();
}

LogicalResult checkGatherBlockQuantized(NodeContext &node) {
  int64_t bits = node.integer("bits", 4), block = node.integer("block_size", 128);
  bool areBytes = node.inputElementType(0) == TensorProto::UINT8;
  if (bits != 2 && bits != 4 && bits != 8)
    return node.error("expects levels of 2, 4 or 8 bits but got " + Twine(bits));
  if (block < 16 || !llvm::isPowerOf2_64(block))
    return node.error("expects blocks of a power of two of at least 16 but got " +
                      Twine(block));
  FailureOr<int64_t> axis = node.normalizeAxis(node.integer("quantize_axis", 1),
                                               node.inputRank(0));
  if (failed(axis))
    return failure();
  if (areBytes && bits < 8 && *axis != node.inputRank(0) - 1)
    return node.error("expects quantize_axis to be the last one of levels that are "
                      "packed in bytes");
  return node.useBody();
}

} // namespace

void addPackedWeightTranslators(TranslatorTable &table) {
  table.addOfDomain("tessera", "UnpackBits", unpackBits);
  table.addOfDomain("com.microsoft", "MatMulNBits", checkMatMulNBits);
  table.addOfDomain("com.microsoft", "GatherBlockQuantized",
                    checkGatherBlockQuantized);
}

} // namespace tessera::onnx_importer
