// The walk of the element emitter: which operation is emitted how, and what it ends at:
// arguments, constants and bound sources.
#include "lib/Target/Elements/ElementWalk.h"
#include "lib/Target/Elements/ElementForms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tessera;

FailureOr<Value> ElementEmitter::Walk::get(Value tensor,
                                           const ElementAccess &access) {
  for (auto &[known, value] : visible.elements[tensor])
    if (known == access)
      return value;
  FailureOr<Value> value;
  if (access.lanes > 1 && access.isUniform()) {
    ElementAccess single = access;
    single.lanes = 1;
    single.mask = {};
    value = get(tensor, single);
    if (succeeded(value))
      value = broadcast(*value, access.lanes);
  } else {
    value = compute(tensor, access);
  }
  if (failed(value))
    return failure();
  visible.elements[tensor].push_back({access, *value});
  return value;
}

/// What `access` reads if its last index is 0 in all lanes, and if it is not. Only
/// what elementwise operations and broadcasts read in the end is emitted twice.
FailureOr<Value>
ElementEmitter::Walk::repeatedOrNot(Value tensor, const ElementAccess &access) {
  ElementAccess varying = access, single = access;
  varying.repeated = single.repeated = {};
  single.indices.back() = math.uniform(0);
  return select(typeOf(tensor, access.lanes), access.repeated, access,
                [&](Value) { return get(tensor, single); },
                [&](Value) { return get(tensor, varying); });
}

FailureOr<Value> ElementEmitter::Walk::compute(Value tensor,
                                               const ElementAccess &access) {
  Operation *reader = tensor.getDefiningOp();
  bool passesOn = reader && !emitter.sources.contains(tensor) &&
                  (OpTrait::hasElementwiseMappableTraits(reader) ||
                   isa<graph::BroadcastToOp>(reader));
  if (access.repeated && !passesOn)
    return repeatedOrNot(tensor, access);
  auto source = emitter.sources.find(tensor);
  if (source != emitter.sources.end())
    return fromSource(tensor, source->second, access);
  if (auto argument = dyn_cast<BlockArgument>(tensor))
    return load(argument, access);
  return ElementForms::visit<Result>(*this, cast<OpResult>(tensor), access);
}

FailureOr<Value>
ElementEmitter::Walk::fromSource(Value tensor, const Bound &bound,
                                 const ElementAccess &linearOrNot) {
  // Lanes read one element along a size of 1, where only the first exists.
  if (bound.elements)
    return linearOrNot.lanes == 1 && isa<VectorType>(bound.elements.getType())
               ? Value(vector::ExtractOp::create(builder, loc, bound.elements, 0))
               : bound.elements;
  if (bound.isLinear && !linearOrNot.linear) {
    ElementForms::error(tensor) << "the bound value cannot be read here";
    return failure();
  }
  FailureOr<ElementAccess> access =
      bound.isLinear ? linearOrNot : delinearize(tensor, linearOrNot);
  if (failed(access))
    return failure();
  auto call = [&](int64_t lane, int64_t lanes) -> Value {
    SmallVector<Value> indices;
    for (LaneIndex index : access->indices)
      indices.push_back(math.laneOf(index, lane));
    return bound.source(builder, loc, indices, lanes);
  };
  bool alongLast =
      access->lanes > 1 && access->indices.back().isContiguous() &&
      llvm::all_of(ArrayRef(access->indices).drop_back(),
                   [](LaneIndex i) { return i.isUniform(); });
  if (access->lanes == 1 || alongLast) {
    if (Value value = call(0, access->lanes))
      return value;
    ElementForms::error(tensor) << "the bound value cannot be read here";
    return failure();
  }
  SmallVector<Value> elements;
  for (int64_t lane = 0; lane < access->lanes; ++lane) {
    elements.push_back(call(lane, 1));
    if (!elements.back()) {
      ElementForms::error(tensor) << "the bound value cannot be read element by element";
      return failure();
    }
  }
  return Value(vector::FromElementsOp::create(
      builder, loc, cast<VectorType>(typeOf(tensor, access->lanes)), elements));
}

bool ElementEmitter::Walk::servesLinear(Value tensor) {
  return ElementForms::isLinear(
      tensor, linear, [&](Value end) -> std::optional<bool> {
        if (auto bound = emitter.sources.find(end);
            bound != emitter.sources.end())
          return bound->second.isLinear ||
                 cast<RankedTensorType>(end.getType()).getRank() == 1;
        if (auto argument = dyn_cast<BlockArgument>(end))
          return emitter.memory->isDense(argument);
        return std::nullopt;
      });
}

FailureOr<Value> ElementEmitter::Walk::load(BlockArgument argument,
                                            const ElementAccess &given) {
  int64_t rank = cast<RankedTensorType>(argument.getType()).getRank();
  ElementAccess access = given;
  if (rank == 1) {
    access.linear = false;
  } else if (rank == 0 || !emitter.memory->isDense(argument)) {
    FailureOr<ElementAccess> indexed = delinearize(argument, given);
    if (failed(indexed))
      return failure();
    access = *indexed;
  }
  FailureOr<Value> value = emitter.memory->load(math, argument, access);
  if (failed(value))
    return failure();
  return fromMemory(*value, getElementTypeOrSelf(argument.getType()));
}

/// Booleans are bytes in memory.
Value ElementEmitter::Walk::fromMemory(Value value, Type elementType) {
  if (!elementType.isInteger(1) ||
      getElementTypeOrSelf(value.getType()).isInteger(1))
    return value;
  Value zero = arith::ConstantOp::create(builder, loc,
                                         builder.getZeroAttr(value.getType()));
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, value,
                               zero);
}

FailureOr<Value> ElementEmitter::Walk::constant(arith::ConstantOp op,
                                                const ElementAccess &access) {
  FailureOr<DenseElementsAttr> known = ElementForms::elementsOf(op);
  if (failed(known))
    return failure();
  DenseElementsAttr elements = *known;
  auto type = cast<RankedTensorType>(op.getType());
  if (elements.isSplat()) {
    auto single = cast<TypedAttr>(elements.getSplatValue<Attribute>());
    if (access.lanes == 1)
      return Value(arith::ConstantOp::create(builder, loc, single));
    auto vectorType = VectorType::get({access.lanes}, type.getElementType());
    return Value(arith::ConstantOp::create(
        builder, loc, DenseElementsAttr::get(vectorType, Attribute(single))));
  }
  FailureOr<ElementAccess> position = linearize(op, access);
  if (failed(position))
    return failure();
  LaneIndex index = position->indices.front();
  std::optional<int64_t> first = constantOf(index.base);
  if (first && index.step) {
    SmallVector<Attribute> values;
    auto all = elements.getValues<Attribute>();
    for (int64_t lane = 0; lane < access.lanes; ++lane)
      values.push_back(all[std::clamp<int64_t>(*first + lane * *index.step, 0,
                                               elements.getNumElements() - 1)]);
    if (access.lanes == 1)
      return Value(
          arith::ConstantOp::create(builder, loc, cast<TypedAttr>(values[0])));
    return Value(arith::ConstantOp::create(
        builder, loc,
        DenseElementsAttr::get(
            VectorType::get({access.lanes}, type.getElementType()), values)));
  }
  position->linear = false;
  FailureOr<Value> value =
      emitter.memory->load(math, op.getLoc(), elements, *position);
  if (failed(value))
    return failure();
  return fromMemory(*value, type.getElementType());
}
