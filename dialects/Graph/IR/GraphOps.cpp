// Verifiers, folds and result sizes of the graph dialect's size, shape and
// data movement operations.
#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::graph;

/// `min 3`: a plain integer instead of `3 : i64`.
static ParseResult parseInteger(OpAsmParser &parser, IntegerAttr &attribute) {
  int64_t value;
  if (parser.parseInteger(value))
    return failure();
  attribute = parser.getBuilder().getI64IntegerAttr(value);
  return success();
}

static void printInteger(OpAsmPrinter &printer, Operation *,
                         IntegerAttr attribute) {
  printer << attribute.getInt();
}

#define GET_OP_CLASSES
#include "dialects/Graph/IR/GraphOps.cpp.inc"

//===----------------------------------------------------------------------===//
// Sizes
//===----------------------------------------------------------------------===//

LogicalResult SymbolOp::verify() {
  int64_t min = getMin(), typical = getTypical(), max = getMax();
  if (min < 0 || min > typical || typical > max)
    return emitOpError("C1: expects 0 <= min <= typical <= max, but got ")
           << min << ", " << typical << ", " << max;
  return success();
}

LogicalResult SizeOp::verifySymbolUses(SymbolTableCollection &tables) {
  if (!tables.lookupNearestSymbolFrom<SymbolOp>(*this, getSymbolAttr()))
    return emitOpError("C1: expects a graph.symbol, but got ")
           << getSymbolAttr();
  return success();
}

//===----------------------------------------------------------------------===//
// Shapes and data movement
//===----------------------------------------------------------------------===//

/// Sizes of `result` where its dynamic ones are the operands `sizes`.
static ReifiedRankedShapedTypeDims reifySizes(Builder &builder, Value result,
                                              ValueRange sizes) {
  auto type = cast<RankedTensorType>(result.getType());
  return {getMixedValues(type.getShape(), sizes, builder)};
}

static LogicalResult verifySizeCount(Operation *op, RankedTensorType result,
                                     ValueRange sizes) {
  if (static_cast<size_t>(result.getNumDynamicDims()) != sizes.size())
    return op->emitOpError("C1: expects ")
           << result.getNumDynamicDims() << " sizes, but got " << sizes.size();
  return success();
}

LogicalResult BroadcastToOp::verify() {
  auto source = cast<RankedTensorType>(getSource().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  if (failed(verifySizeCount(*this, result, getSizes())))
    return failure();
  if (source.getElementType() != result.getElementType())
    return emitOpError("expects one element type, but got ")
           << source.getElementType() << " and " << result.getElementType();
  int64_t added = result.getRank() - source.getRank();
  if (added < 0)
    return emitOpError("C2: expects a result of rank at least ")
           << source.getRank() << ", but got " << result.getRank();
  for (int64_t i = 0; i < source.getRank(); ++i) {
    int64_t from = source.getDimSize(i), to = result.getDimSize(i + added);
    if (!ShapedType::isDynamic(from) && from != 1 &&
        !ShapedType::isDynamic(to) && from != to)
      return emitOpError("C3: expects source dimension ")
             << i << " to be 1 or " << to << ", but got " << from;
  }
  return success();
}

OpFoldResult BroadcastToOp::fold(FoldAdaptor adaptor) {
  if (getSource().getType() == getResult().getType() &&
      cast<RankedTensorType>(getResult().getType()).hasStaticShape())
    return getSource();
  if (auto splat = dyn_cast_or_null<SplatElementsAttr>(adaptor.getSource()))
    if (cast<RankedTensorType>(getResult().getType()).hasStaticShape())
      return splat.resizeSplat(cast<ShapedType>(getResult().getType()));
  return {};
}

LogicalResult BroadcastToOp::reifyResultShapes(
    OpBuilder &builder, ReifiedRankedShapedTypeDims &shapes) {
  shapes = reifySizes(builder, getResult(), getSizes());
  return success();
}

LogicalResult ReshapeOp::verify() {
  auto source = cast<RankedTensorType>(getSource().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  if (failed(verifySizeCount(*this, result, getSizes())))
    return failure();
  if (source.getElementType() != result.getElementType())
    return emitOpError("expects one element type, but got ")
           << source.getElementType() << " and " << result.getElementType();
  if (source.hasStaticShape() && result.hasStaticShape() &&
      source.getNumElements() != result.getNumElements())
    return emitOpError("C2: expects ")
           << source.getNumElements() << " elements, but got "
           << result.getNumElements();
  return success();
}

LogicalResult
ReshapeOp::reifyResultShapes(OpBuilder &builder,
                             ReifiedRankedShapedTypeDims &shapes) {
  shapes = reifySizes(builder, getResult(), getSizes());
  return success();
}

LogicalResult IotaOp::verify() {
  auto result = cast<RankedTensorType>(getResult().getType());
  if (failed(verifySizeCount(*this, result, getSizes())))
    return failure();
  int64_t dimension = getDimension();
  if (dimension < 0 || dimension >= result.getRank())
    return emitOpError("C2: expects a dimension below ")
           << result.getRank() << ", but got " << dimension;
  return success();
}

LogicalResult IotaOp::reifyResultShapes(OpBuilder &builder,
                                        ReifiedRankedShapedTypeDims &shapes) {
  shapes = reifySizes(builder, getResult(), getSizes());
  return success();
}

LogicalResult GatherOp::verify() {
  auto data = cast<RankedTensorType>(getData().getType());
  auto indices = cast<RankedTensorType>(getIndices().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  int64_t axis = getAxis();
  if (axis < 0 || axis >= data.getRank())
    return emitOpError("C1: expects an axis below ")
           << data.getRank() << ", but got " << axis;
  int64_t rank = data.getRank() - 1 + indices.getRank();
  if (result.getRank() != rank)
    return emitOpError("C2: expects a result of rank ")
           << rank << ", but got " << result.getRank();
  if (data.getElementType() != result.getElementType())
    return emitOpError("C3: expects one element type, but got ")
           << data.getElementType() << " and " << result.getElementType();
  return success();
}

LogicalResult
GatherOp::reifyResultShapes(OpBuilder &builder,
                            ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> data =
      tensor::getMixedSizes(builder, getLoc(), getData());
  SmallVector<OpFoldResult> sizes(data.begin(), data.begin() + getAxis());
  sizes.append(tensor::getMixedSizes(builder, getLoc(), getIndices()));
  sizes.append(data.begin() + getAxis() + 1, data.end());
  shapes = {sizes};
  return success();
}

LogicalResult ReverseOp::verify() {
  int64_t rank = cast<RankedTensorType>(getSource().getType()).getRank();
  int64_t last = -1;
  for (int64_t dimension : getDimensions()) {
    if (dimension <= last || dimension >= rank)
      return emitOpError("C1: expects increasing dimensions below ")
             << rank << ", but got " << dimension;
    last = dimension;
  }
  return success();
}

LogicalResult
ReverseOp::reifyResultShapes(OpBuilder &builder,
                             ReifiedRankedShapedTypeDims &shapes) {
  shapes = {tensor::getMixedSizes(builder, getLoc(), getSource())};
  return success();
}

LogicalResult ArgReduceOp::verify() {
  auto source = cast<RankedTensorType>(getSource().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  int64_t dimension = getDimension();
  if (dimension < 0 || dimension >= source.getRank())
    return emitOpError("C1: expects a dimension below ")
           << source.getRank() << ", but got " << dimension;
  if (result.getRank() != source.getRank() - 1)
    return emitOpError("C2: expects a result of rank ")
           << source.getRank() - 1 << ", but got " << result.getRank();
  return success();
}

LogicalResult
ArgReduceOp::reifyResultShapes(OpBuilder &builder,
                               ReifiedRankedShapedTypeDims &shapes) {
  SmallVector<OpFoldResult> sizes =
      tensor::getMixedSizes(builder, getLoc(), getSource());
  sizes.erase(sizes.begin() + getDimension());
  shapes = {sizes};
  return success();
}
