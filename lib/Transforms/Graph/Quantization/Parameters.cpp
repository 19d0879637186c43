// Scales and zero points; see the header.
#include "lib/Transforms/Graph/Quantization/Parameters.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::quantization;

bool quantization::areEqualValues(Value a, Value b) {
  if (a == b)
    return true;
  Attribute x, y;
  return a && b && matchPattern(a, m_Constant(&x)) &&
         matchPattern(b, m_Constant(&y)) && x == y;
}

TypedAttr quantization::equalElement(DenseElementsAttr elements) {
  if (elements.getNumElements() == 0)
    return {};
  auto values = elements.getValues<TypedAttr>();
  TypedAttr first = *values.begin();
  if (elements.isSplat())
    return first;
  return llvm::all_of(values, [&](TypedAttr value) { return value == first; })
             ? first
             : TypedAttr();
}

bool quantization::movesElements(Operation *op) {
  return isa_and_nonnull<linalg::TransposeOp, tensor::ExpandShapeOp,
                         tensor::CollapseShapeOp, tensor::ExtractSliceOp,
                         tensor::CastOp, graph::ReshapeOp, graph::ReverseOp>(op);
}

static IntegerAttr optional(OpBuilder &builder, std::optional<int64_t> value) {
  return value ? builder.getI64IntegerAttr(*value) : IntegerAttr();
}

DequantizeOp quantization::dequantizedLike(OpBuilder &builder, DequantizeOp like,
                                           Value stored,
                                           std::optional<int64_t> axis) {
  auto type = cast<RankedTensorType>(stored.getType());
  return DequantizeOp::create(builder, like.getLoc(),
                              type.clone(builder.getF32Type()), stored,
                              like.getScale(), like.getZero(), like.getGroups(),
                              like.getFormat(), optional(builder, axis),
                              like.getBlockAttr());
}

QuantizeOp quantization::quantizedLike(OpBuilder &builder, QuantizeOp like,
                                       Value source, std::optional<int64_t> axis) {
  auto type = cast<RankedTensorType>(source.getType());
  return QuantizeOp::create(
      builder, like.getLoc(),
      type.clone(storageOf(like.getFormat(), builder.getContext())), source,
      like.getScale(), like.getZero(), like.getFormat(),
      optional(builder, axis), like.getBlockAttr(), like.getSaturate());
}
