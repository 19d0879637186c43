// The memrefs of an entry's tensors; see the header.
#include "lib/Transforms/Buffer/TensorStorage.h"

#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace tessera;

FailureOr<SmallVector<Value>>
TensorStorage::dynamicSizes(OpBuilder &builder, Location loc, Value tensor) const {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<Value> dynamic;
  for (int64_t i = 0; i < type.getRank(); ++i) {
    if (!type.isDynamicDim(i))
      continue;
    if (failed(entrySizes.overSymbols(loc, sizes.dimOf(tensor, i))))
      return failure();
    dynamic.push_back(getValueOrCreateConstantIndexOp(
        builder, loc, sizes.materialize(builder, loc, sizes.dimOf(tensor, i))));
  }
  return dynamic;
}

FailureOr<Value> TensorStorage::stridedView(OpBuilder &builder, Location loc,
                                            Value context, Operation *view) const {
  FailureOr<Value> source = create(builder, loc, context, view->getOperand(0));
  if (failed(source))
    return failure();
  if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(view)) {
    SmallVector<ReassociationIndices> groups =
        collapse.getReassociationIndices();
    if (memref::CollapseShapeOp::isGuaranteedCollapsible(
            cast<MemRefType>(source->getType()), groups))
      return memref::CollapseShapeOp::create(builder, loc, *source, groups)
          .getResult();
  }
  auto expand = dyn_cast<tensor::ExpandShapeOp>(view);
  if (!expand)
    return view->emitError("a cache with the caller's strides is reshaped "
                           "outside of a kernel");
  FailureOr<SmallVector<Value>> dynamic =
      dynamicSizes(builder, loc, expand.getResult());
  if (failed(dynamic))
    return failure();
  return memref::ExpandShapeOp::create(
             builder, loc, expand.getResultType().getShape(), *source,
             expand.getReassociationIndices(),
             getMixedValues(expand.getResultType().getShape(), *dynamic,
                            builder))
      .getResult();
}

FailureOr<Value> TensorStorage::partOf(OpBuilder &builder, Location loc,
                                       Value context, Value part) const {
  kernel::AppendOp append = ports.appendOf(part);
  FailureOr<Value> whole = create(builder, loc, context, append.getResult());
  FailureOr<SmallVector<Value>> dynamic = dynamicSizes(builder, loc, part);
  if (failed(whole) || failed(dynamic))
    return failure();
  auto type = cast<RankedTensorType>(part.getType());
  SmallVector<OpFoldResult> offsets(type.getRank(), builder.getIndexAttr(0)),
      ones(type.getRank(), builder.getIndexAttr(1));
  if (part == append.getAdded())
    offsets[append.getDimension()] = sizes.materialize(
        builder, loc, sizes.dimOf(append.getPast(), append.getDimension()));
  return memref::SubViewOp::create(
             builder, loc, *whole, offsets,
             getMixedValues(type.getShape(), *dynamic, builder), ones)
      .getResult();
}

FailureOr<Value> TensorStorage::create(OpBuilder &builder, Location loc,
                                       Value context, Value tensor) const {
  const Place *place = placeOf(tensor);
  if (!place)
    return emitError(loc, "expects a kernel's operand to be an input, a "
                          "weight, a kernel's result or a reshape of one");
  if (ports.appendOf(tensor))
    return partOf(builder, loc, context, tensor);
  auto type = cast<RankedTensorType>(tensor.getType());
  MemRefType memref = MemRefType::get(type.getShape(), type.getElementType());
  if (const Extension *extension = ports.extensionAt(*place)) {
    Operation *op = tensor.getDefiningOp();
    if (op && viewSource(op))
      return stridedView(builder, loc, context, op);
    memref = kernel::appendedType(type, extension->dimension);
  }
  FailureOr<SmallVector<Value>> dynamic = dynamicSizes(builder, loc, tensor);
  if (failed(dynamic))
    return failure();
  return kernel::StorageOp::create(builder, loc, memref, context, place->kind,
                                   place->position, *dynamic)
      .getResult();
}
