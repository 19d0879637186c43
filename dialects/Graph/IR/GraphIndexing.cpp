// Verifiers and result sizes of the operations that move or order elements by
// their indices.
#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace tessera::graph;

/// C1 to C3 of gather_points and scatter_points; `space` is the tensor whose
/// indices are p.
static LogicalResult verifyPoints(Operation *op, ArrayRef<int64_t> dimensions,
                                  RankedTensorType data,
                                  RankedTensorType indices,
                                  RankedTensorType space) {
  if (static_cast<int64_t>(dimensions.size()) != data.getRank())
    return op->emitOpError("C1: expects ")
           << data.getRank() << " dimensions, but got " << dimensions.size();
  for (int64_t dimension : dimensions)
    if (dimension < -1 || dimension >= space.getRank())
      return op->emitOpError("C1: expects -1 or a dimension below ")
             << space.getRank() << ", but got " << dimension;
  int64_t components = llvm::count(dimensions, -1);
  if (indices.getRank() == 0 ||
      indices.getShape().back() != components)
    return op->emitOpError("C2: expects indices of last size ")
           << components << ", but got " << indices;
  if (indices.getRank() - 1 > space.getRank())
    return op->emitOpError("C3: expects indices of rank at most ")
           << space.getRank() + 1 << ", but got " << indices.getRank();
  return success();
}

LogicalResult GatherPointsOp::verify() {
  auto data = cast<RankedTensorType>(getData().getType());
  auto indices = cast<RankedTensorType>(getIndices().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  if (failed(verifyPoints(*this, getDimensions(), data, indices, result)))
    return failure();
  if (data.getElementType() != result.getElementType())
    return emitOpError("C4: expects one element type, but got ")
           << data.getElementType() << " and " << result.getElementType();
  if (static_cast<size_t>(result.getNumDynamicDims()) != getSizes().size())
    return emitOpError("C5: expects ")
           << result.getNumDynamicDims() << " sizes, but got "
           << getSizes().size();
  return success();
}

LogicalResult
GatherPointsOp::reifyResultShapes(OpBuilder &builder,
                                  ReifiedRankedShapedTypeDims &shapes) {
  auto type = cast<RankedTensorType>(getResult().getType());
  shapes = {getMixedValues(type.getShape(), getSizes(), builder)};
  return success();
}

LogicalResult ScatterPointsOp::verify() {
  auto data = cast<RankedTensorType>(getData().getType());
  auto indices = cast<RankedTensorType>(getIndices().getType());
  auto updates = cast<RankedTensorType>(getUpdates().getType());
  if (failed(verifyPoints(*this, getDimensions(), data, indices, updates)))
    return failure();
  if (data.getElementType() != updates.getElementType())
    return emitOpError("C4: expects one element type, but got ")
           << data.getElementType() << " and " << updates.getElementType();
  if (getResult().getType() != data)
    return emitOpError("C5: expects a result of ")
           << data << ", but got " << getResult().getType();
  return success();
}

LogicalResult
ScatterPointsOp::reifyResultShapes(OpBuilder &builder,
                                   ReifiedRankedShapedTypeDims &shapes) {
  shapes = {tensor::getMixedSizes(builder, getLoc(), getData())};
  return success();
}

static LogicalResult verifyDimension(Operation *op, int64_t dimension,
                                     RankedTensorType source) {
  if (dimension < 0 || dimension >= source.getRank())
    return op->emitOpError("C1: expects a dimension below ")
           << source.getRank() << ", but got " << dimension;
  return success();
}

LogicalResult TopIndicesOp::verify() {
  auto source = cast<RankedTensorType>(getSource().getType());
  auto result = cast<RankedTensorType>(getResult().getType());
  if (failed(verifyDimension(*this, getDimension(), source)))
    return failure();
  bool agree = source.getRank() == result.getRank();
  for (int64_t i = 0; agree && i < source.getRank(); ++i)
    agree = i == static_cast<int64_t>(getDimension()) ||
            source.isDynamicDim(i) || result.isDynamicDim(i) ||
            source.getDimSize(i) == result.getDimSize(i);
  if (!agree)
    return emitOpError("C2: expects the sizes of ")
           << source << " but along dimension " << getDimension()
           << ", but got " << result;
  if (static_cast<size_t>(result.getNumDynamicDims()) != getSizes().size())
    return emitOpError("C3: expects ")
           << result.getNumDynamicDims() << " sizes, but got "
           << getSizes().size();
  return success();
}

LogicalResult
TopIndicesOp::reifyResultShapes(OpBuilder &builder,
                                ReifiedRankedShapedTypeDims &shapes) {
  auto type = cast<RankedTensorType>(getResult().getType());
  shapes = {getMixedValues(type.getShape(), getSizes(), builder)};
  return success();
}

LogicalResult CumulativeOp::verify() {
  if (failed(verifyDimension(*this, getDimension(),
                             cast<RankedTensorType>(getSource().getType()))))
    return failure();
  if (getCombination() != Combination::Add &&
      getCombination() != Combination::Multiply)
    return emitOpError("C2: expects add or multiply, but got ")
           << stringifyCombination(getCombination());
  return success();
}

LogicalResult
CumulativeOp::reifyResultShapes(OpBuilder &builder,
                                ReifiedRankedShapedTypeDims &shapes) {
  shapes = {tensor::getMixedSizes(builder, getLoc(), getSource())};
  return success();
}
