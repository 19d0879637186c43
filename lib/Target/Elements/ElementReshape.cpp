// The element emitter: row-major positions and reshapes.
#include "lib/Target/Elements/ElementWalk.h"

using namespace mlir;
using namespace tessera;

SmallVector<LaneIndex> ElementEmitter::Walk::delinearize(LaneIndex position,
                                                         ArrayRef<Value> sizes,
                                                         int64_t lanes) {
  SmallVector<LaneIndex> indices(sizes.size(), math.uniform(0));
  int64_t outermost = 0, rank = sizes.size();
  while (outermost + 1 < rank && constantOf(sizes[outermost]) == 1)
    ++outermost;
  for (int64_t dimension = rank - 1; dimension > outermost; --dimension) {
    if (constantOf(sizes[dimension]) == 1)
      continue;
    std::tie(position, indices[dimension]) =
        math.split(position, sizes[dimension], lanes);
  }
  if (rank > 0)
    indices[outermost] = position;
  return indices;
}

LaneIndex ElementEmitter::Walk::linearize(ArrayRef<LaneIndex> indices,
                                          ArrayRef<Value> sizes,
                                          int64_t lanes) {
  LaneIndex position = math.uniform(0);
  for (auto [index, size] : llvm::zip(indices, sizes)) {
    if (constantOf(size) == 1)
      continue;
    position = math.add(math.mul(position, size, lanes), index, lanes);
  }
  return position;
}

FailureOr<ElementAccess>
ElementEmitter::Walk::delinearize(Value tensor, const ElementAccess &access) {
  if (!access.linear)
    return access;
  FailureOr<SmallVector<Value>> dims = sizes(tensor);
  if (failed(dims))
    return failure();
  ElementAccess result = access;
  result.linear = false;
  result.indices = delinearize(access.indices.front(), *dims, access.lanes);
  return result;
}

FailureOr<ElementAccess>
ElementEmitter::Walk::linearize(Value tensor, const ElementAccess &access) {
  if (access.linear)
    return access;
  FailureOr<SmallVector<Value>> dims = sizes(tensor);
  if (failed(dims))
    return failure();
  ElementAccess result = access;
  result.linear = true;
  result.indices.assign(1, linearize(access.indices, *dims, access.lanes));
  return result;
}

FailureOr<Value> ElementEmitter::Walk::reshaped(graph::ReshapeOp op,
                                                const ElementAccess &access) {
  return otherShape(op.getSource(), op.getResult(), access);
}

FailureOr<Value>
ElementEmitter::Walk::otherShape(Value source, Value result,
                                 const ElementAccess &access) {
  FailureOr<ElementAccess> position = linearize(result, access);
  if (failed(position))
    return failure();
  return get(source, *position);
}

FailureOr<Value> ElementEmitter::Walk::collapsed(tensor::CollapseShapeOp op,
                                                 const ElementAccess &given) {
  if (servesLinear(op.getSrc()))
    return otherShape(op.getSrc(), op.getResult(), given);
  FailureOr<ElementAccess> access = delinearize(op.getResult(), given);
  FailureOr<SmallVector<Value>> dims = sizes(op.getSrc());
  if (failed(access) || failed(dims))
    return failure();
  ElementAccess source = *access;
  source.indices.clear();
  for (auto [group, index] :
       llvm::zip(op.getReassociationIndices(), access->indices))
    source.indices.append(
        delinearize(index, ArrayRef(*dims).slice(group.front(), group.size()),
                    access->lanes));
  // A scalar of shape [1, ..., 1] has no groups.
  source.indices.resize(dims->size(), math.uniform(0));
  return get(op.getSrc(), source);
}

FailureOr<Value> ElementEmitter::Walk::expanded(tensor::ExpandShapeOp op,
                                                const ElementAccess &given) {
  if (servesLinear(op.getSrc()))
    return otherShape(op.getSrc(), op.getResult(), given);
  FailureOr<ElementAccess> access = delinearize(op.getResult(), given);
  FailureOr<SmallVector<Value>> dims = sizes(op.getResult());
  if (failed(access) || failed(dims))
    return failure();
  ElementAccess source = *access;
  source.indices.clear();
  for (const ReassociationIndices &group : op.getReassociationIndices())
    source.indices.push_back(linearize(
        ArrayRef(access->indices).slice(group.front(), group.size()),
        ArrayRef(*dims).slice(group.front(), group.size()), access->lanes));
  return get(op.getSrc(), source);
}
