// The element emitter: operations that take each region of their result from
// another tensor.
#include "lib/Target/Elements/ElementWalk.h"
#include "lib/Target/Elements/ElementForms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tessera;

/// The conjunction of `conditions`, which may be scalars or vectors.
static Value allOf(OpBuilder &builder, Location loc,
                   ArrayRef<Value> conditions) {
  Value all;
  for (Value condition : conditions)
    all = all ? arith::AndIOp::create(builder, loc, all, condition).getResult()
              : condition;
  return all;
}

FailureOr<Value>
ElementEmitter::Walk::select(Type type, ArrayRef<Value> conditions,
                             const ElementAccess &access,
                             function_ref<Result(Value mask)> inside,
                             function_ref<Result(Value mask)> outside) {
  SmallVector<Value> uniform, perLane;
  for (Value condition : conditions)
    (isa<VectorType>(condition.getType()) ? perLane : uniform)
        .push_back(condition);
  auto lanesInside = [&]() -> Result {
    Value in = allOf(builder, loc, perLane);
    if (!in)
      return inside(access.mask);
    Value mask = in;
    if (access.mask)
      mask = arith::AndIOp::create(builder, loc, in, access.mask);
    Result taken = inside(mask);
    if (failed(taken))
      return failure();
    Result other = outside(access.mask);
    if (failed(other))
      return failure();
    return Value(arith::SelectOp::create(builder, loc, in, *taken, *other));
  };
  Value condition = allOf(builder, loc, uniform);
  std::optional<int64_t> known = constantOf(condition);
  if (!condition || (known && *known != 0))
    return lanesInside();
  if (known)
    return outside(access.mask);
  auto branch = scf::IfOp::create(builder, loc, type, condition,
                                  /*withElseRegion=*/true);
  auto fill = [&](Block *block, llvm::function_ref<Result()> emit) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(block);
    Visible outerVisible = visible;
    IndexBuilder::Emitted outerMath = math.visible;
    Result value = emit();
    visible = std::move(outerVisible);
    math.visible = std::move(outerMath);
    if (succeeded(value))
      scf::YieldOp::create(builder, loc, *value);
    return value;
  };
  if (failed(fill(branch.thenBlock(), lanesInside)) ||
      failed(fill(branch.elseBlock(), [&] { return outside(access.mask); })))
    return failure();
  return branch.getResult(0);
}

FailureOr<Value> ElementEmitter::Walk::padded(tensor::PadOp op,
                                              const ElementAccess &given) {
  FailureOr<ElementAccess> access = delinearize(op.getResult(), given);
  if (failed(access))
    return failure();
  FailureOr<Value> padding = ElementForms::paddingOf(op);
  if (failed(padding))
    return failure();
  SmallVector<OpFoldResult> low = op.getMixedLowPad(),
                            high = op.getMixedHighPad();
  ElementAccess source = *access;
  SmallVector<Value> conditions;
  for (int64_t dimension = 0, e = low.size(); dimension < e; ++dimension) {
    if (isConstantIntValue(low[dimension], 0) &&
        isConstantIntValue(high[dimension], 0))
      continue;
    FailureOr<Value> pad = asIndex(low[dimension]);
    FailureOr<Value> bound = size(op.getSource(), dimension);
    if (failed(pad) || failed(bound))
      return failure();
    LaneIndex &index = source.indices[dimension];
    index = index.step ? LaneIndex{math.sub(index.base, *pad), index.step}
                       : math.add(index, math.sub(math.constant(0), *pad),
                                  source.lanes);
    conditions.push_back(math.isBelow(index, *bound, source.lanes));
  }
  return select(
      typeOf(op.getResult(), source.lanes), conditions, source,
      [&](Value mask) {
        source.mask = mask;
        return get(op.getSource(), source);
      },
      [&](Value) { return splat(*padding, source.lanes); });
}

FailureOr<Value> ElementEmitter::Walk::inserted(tensor::InsertSliceOp op,
                                                const ElementAccess &given) {
  FailureOr<ElementAccess> access = delinearize(op.getResult(), given);
  if (failed(access) || failed(ElementForms::checkSteps(op)))
    return failure();
  ElementAccess source = *access;
  source.indices.clear();
  SmallVector<Value> conditions;
  llvm::SmallBitVector dropped = op.getDroppedDims();
  for (auto [dimension, index] : llvm::enumerate(access->indices)) {
    FailureOr<Value> offset = asIndex(op.getMixedOffsets()[dimension]);
    FailureOr<Value> bound = asIndex(op.getMixedSizes()[dimension]);
    if (failed(offset) || failed(bound))
      return failure();
    LaneIndex inner =
        math.add(index, math.sub(math.constant(0), *offset), access->lanes);
    conditions.push_back(math.isBelow(inner, *bound, access->lanes));
    if (!dropped.test(dimension))
      source.indices.push_back(inner);
  }
  return select(
      typeOf(op.getResult(), source.lanes), conditions, *access,
      [&](Value mask) {
        source.mask = mask;
        return get(op.getSource(), source);
      },
      [&](Value mask) {
        ElementAccess rest = *access;
        rest.mask = mask;
        return get(op.getDest(), rest);
      });
}

FailureOr<Value> ElementEmitter::Walk::joined(tensor::ConcatOp op,
                                              const ElementAccess &given) {
  FailureOr<ElementAccess> access = delinearize(op.getResult(), given);
  if (failed(access))
    return failure();
  int64_t dimension = op.getDim();
  LaneIndex index = access->indices[dimension];
  Type type = typeOf(op.getResult(), access->lanes);
  // The pieces from `number` on, `index` counted from the first of them.
  std::function<Result(size_t, LaneIndex, Value)> from =
      [&](size_t number, LaneIndex rest, Value mask) -> Result {
    Value piece = op.getInputs()[number];
    ElementAccess source = *access;
    source.indices[dimension] = rest;
    source.mask = mask;
    if (number + 1 == op.getInputs().size())
      return get(piece, source);
    FailureOr<Value> length = size(piece, dimension);
    if (failed(length))
      return failure();
    Value here = math.isBelow(rest, *length, source.lanes);
    return select(
        type, here, source,
        [&](Value inside) {
          ElementAccess part = source;
          part.mask = inside;
          return get(piece, part);
        },
        [&](Value outside) -> Result {
          if (isa<VectorType>(here.getType())) {
            Value ones = arith::ConstantOp::create(
                builder, loc, builder.getOneAttr(here.getType()));
            Value after = arith::XOrIOp::create(builder, loc, here, ones);
            outside = outside
                          ? arith::AndIOp::create(builder, loc, after, outside)
                                .getResult()
                          : after;
          }
          LaneIndex next =
              math.add(rest, math.sub(math.constant(0), *length), source.lanes);
          return from(number + 1, next, outside);
        });
  };
  return from(0, index, access->mask);
}
