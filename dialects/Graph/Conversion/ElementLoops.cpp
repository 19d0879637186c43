// Destinations and element loops; see the header.
#include "dialects/Graph/Conversion/ElementLoops.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace tessera;

FailureOr<Value> graph::createDestination(OpBuilder &builder,
                                          ReifyRankedShapedTypeOpInterface op,
                                          Type elementType) {
  ReifiedRankedShapedTypeDims shapes;
  if (failed(op.reifyResultShapes(builder, shapes)))
    return failure();
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  if (elementType)
    type = type.clone(elementType);
  SmallVector<Value> sizes;
  for (auto [i, size] : llvm::enumerate(shapes.front()))
    if (type.isDynamicDim(i))
      sizes.push_back(
          getValueOrCreateConstantIndexOp(builder, op.getLoc(), size));
  return tensor::EmptyOp::create(builder, op.getLoc(), type, sizes).getResult();
}

Value graph::createSize(OpBuilder &builder, Location loc, Value tensor,
                        int64_t dimension) {
  return getValueOrCreateConstantIndexOp(
      builder, loc, tensor::getMixedSize(builder, loc, tensor, dimension));
}

SmallVector<Value> graph::createIndices(OpBuilder &builder, Location loc,
                                        int64_t count) {
  SmallVector<Value> indices;
  for (int64_t i = 0; i < count; ++i)
    indices.push_back(linalg::IndexOp::create(builder, loc, i));
  return indices;
}

Value graph::createElementLoop(OpBuilder &builder, Location loc,
                               Value destination, ElementBody body) {
  int64_t rank = cast<RankedTensorType>(destination.getType()).getRank();
  SmallVector<utils::IteratorType> iterators(rank,
                                             utils::IteratorType::parallel);
  return linalg::GenericOp::create(
             builder, loc, destination.getType(), ValueRange(), destination,
             builder.getMultiDimIdentityMap(rank), iterators,
             [&](OpBuilder &nested, Location loc, ValueRange) {
               SmallVector<Value> indices = createIndices(nested, loc, rank);
               linalg::YieldOp::create(nested, loc, body(nested, loc, indices));
             })
      .getResult(0);
}
