// The element emitter: operations that only change indices.
#include "lib/Target/Elements/ElementWalk.h"
#include "lib/Target/Elements/ElementForms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tessera;

FailureOr<Value> ElementEmitter::Walk::asIndex(OpFoldResult size) {
  if (auto attribute = dyn_cast<Attribute>(size))
    return math.constant(cast<IntegerAttr>(attribute).getInt());
  Value value = cast<Value>(size);
  FailureOr<Value> emitted = scalar(value);
  if (failed(emitted))
    ElementForms::error(value) << "expects a size over the kernel's symbols";
  return emitted;
}

FailureOr<Value> ElementEmitter::Walk::splatted(tensor::SplatOp op,
                                                const ElementAccess &access) {
  return splat(op.getInput(), access.lanes);
}

FailureOr<Value> ElementEmitter::Walk::broadcasted(graph::BroadcastToOp op,
                                                   const ElementAccess &given) {
  auto type = cast<RankedTensorType>(op.getSource().getType());
  if (type.hasStaticShape() && type.getNumElements() == 1) {
    ElementAccess single = given;
    single.linear = false;
    single.repeated = {};
    single.indices.assign(type.getRank(), math.uniform(0));
    return get(op.getSource(), single);
  }
  FailureOr<ElementAccess> access = delinearize(op.getResult(), given);
  if (failed(access))
    return failure();
  int64_t added = cast<RankedTensorType>(op.getResult().getType()).getRank() -
                  type.getRank();
  ElementAccess source = *access;
  source.indices.assign(access->indices.begin() + added, access->indices.end());
  // A varying dimension of unknown size is read in two ways.
  std::optional<int64_t> undecided;
  SmallVector<Value> isRepeated(type.getRank());
  for (int64_t i = 0; i < type.getRank(); ++i) {
    LaneIndex &index = source.indices[i];
    bool isLast = i + 1 == type.getRank();
    if (type.getDimSize(i) == 1) {
      index = math.uniform(0);
      if (isLast)
        source.repeated = {};
      continue;
    }
    if (!type.isDynamicDim(i) ||
        emitter.sizes.areEqual(emitter.sizes.dimOf(op.getSource(), i),
                               emitter.sizes.dimOf(op.getResult(), i + added)))
      continue;
    FailureOr<Value> length = size(op.getSource(), i);
    if (failed(length))
      return failure();
    Value one = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                      *length, math.constant(1));
    if (index.isUniform() || undecided) {
      if (!index.step || *index.step == 0)
        index.base = index.step
                         ? Value(arith::SelectOp::create(
                               builder, loc, one, math.constant(0), index.base))
                         : Value(arith::SelectOp::create(
                               builder, loc, one,
                               math.vectorOf(math.uniform(0), source.lanes),
                               index.base));
      else
        index = {
            Value(arith::SelectOp::create(
                builder, loc, one, math.vectorOf(math.uniform(0), source.lanes),
                math.vectorOf(index, source.lanes))),
            std::nullopt};
      continue;
    }
    if (isLast && index.isContiguous() && !undecided) {
      source.repeated =
          source.repeated
              ? arith::OrIOp::create(builder, loc, source.repeated, one)
              : one;
      continue;
    }
    undecided = i;
    isRepeated[i] = one;
  }
  if (!undecided)
    return get(op.getSource(), source);
  return select(
      typeOf(op.getResult(), source.lanes), isRepeated[*undecided], source,
      [&](Value) {
        ElementAccess repeated = source;
        repeated.indices[*undecided] = math.uniform(0);
        return get(op.getSource(), repeated);
      },
      [&](Value) { return get(op.getSource(), source); });
}

FailureOr<Value> ElementEmitter::Walk::sliced(tensor::ExtractSliceOp op,
                                              const ElementAccess &given) {
  FailureOr<ElementAccess> access = delinearize(op.getResult(), given);
  if (failed(access))
    return failure();
  ElementAccess source = *access;
  source.indices.clear();
  llvm::SmallBitVector dropped = op.getDroppedDims();
  int64_t kept = 0;
  for (int64_t i = 0, e = op.getSourceType().getRank(); i < e; ++i) {
    FailureOr<Value> offset = asIndex(op.getMixedOffsets()[i]);
    FailureOr<Value> step = asIndex(op.getMixedStrides()[i]);
    if (failed(offset) || failed(step))
      return failure();
    if (dropped.test(i)) {
      source.indices.push_back({*offset, 0});
      continue;
    }
    LaneIndex index = access->indices[kept++];
    source.indices.push_back(
        math.add(math.mul(index, *step, source.lanes), *offset, source.lanes));
  }
  return get(op.getSource(), source);
}

FailureOr<LaneIndex> ElementEmitter::Walk::indexRead(Value indices,
                                                     ElementAccess position,
                                                     Value length) {
  int64_t lanes = position.isUniform() ? 1 : position.lanes;
  position.lanes = lanes;
  if (lanes == 1)
    position.mask = {};
  FailureOr<Value> raw = get(indices, position);
  if (failed(raw))
    return failure();
  Type type = lanes == 1 ? Type(builder.getIndexType())
                         : VectorType::get({lanes}, builder.getIndexType());
  Value index = arith::IndexCastOp::create(builder, loc, type, *raw);
  Value bound = math.vectorOf({length, 0}, lanes);
  Value zero = math.vectorOf(math.uniform(0), lanes);
  Value one = math.vectorOf(math.uniform(1), lanes);
  Value negative = arith::CmpIOp::create(
      builder, loc, arith::CmpIPredicate::slt, index, zero);
  Value wrapped = arith::AddIOp::create(builder, loc, index, bound);
  index = arith::SelectOp::create(builder, loc, negative, wrapped, index);
  Value last = arith::SubIOp::create(builder, loc, bound, one);
  index = arith::MinSIOp::create(builder, loc, index, last);
  index = arith::MaxSIOp::create(builder, loc, index, zero);
  return LaneIndex{index,
                   lanes == 1 ? std::optional<int64_t>(0) : std::nullopt};
}

FailureOr<Value> ElementEmitter::Walk::gathered(graph::GatherOp op,
                                                const ElementAccess &given) {
  FailureOr<ElementAccess> access = delinearize(op.getResult(), given);
  FailureOr<Value> length = size(op.getData(), op.getAxis());
  if (failed(access) || failed(length))
    return failure();
  int64_t axis = op.getAxis();
  int64_t indexRank =
      cast<RankedTensorType>(op.getIndices().getType()).getRank();
  ElementAccess position = *access;
  position.indices.assign(access->indices.begin() + axis,
                          access->indices.begin() + axis + indexRank);
  FailureOr<LaneIndex> index = indexRead(op.getIndices(), position, *length);
  if (failed(index))
    return failure();
  ElementAccess source = *access;
  source.indices.assign(access->indices.begin(),
                        access->indices.begin() + axis);
  source.indices.push_back(*index);
  source.indices.append(access->indices.begin() + axis + indexRank,
                        access->indices.end());
  return get(op.getData(), source);
}

/// Of a dimension that may be empty, zero is read where it is.
FailureOr<Value>
ElementEmitter::Walk::gatheredPoints(graph::GatherPointsOp op,
                                     const ElementAccess &given) {
  FailureOr<ElementAccess> access = delinearize(op.getResult(), given);
  if (failed(access))
    return failure();
  auto vectors = cast<RankedTensorType>(op.getIndices().getType());
  ElementAccess position = *access, source = *access;
  position.indices.truncate(vectors.getRank() - 1);
  position.indices.push_back({});
  source.indices.clear();
  SmallVector<Value> conditions;
  int64_t component = 0;
  for (auto [i, dimension] : llvm::enumerate(op.getDimensions())) {
    if (dimension >= 0) {
      source.indices.push_back(access->indices[dimension]);
      continue;
    }
    FailureOr<Value> length = size(op.getData(), i);
    if (failed(length))
      return failure();
    position.indices.back() = math.uniform(component++);
    FailureOr<LaneIndex> index = indexRead(op.getIndices(), position, *length);
    if (failed(index))
      return failure();
    source.indices.push_back(*index);
    AffineExpr known = emitter.sizes.dimOf(op.getData(), i);
    if (emitter.sizes.boundsOf(known).least.value_or(0) < 1)
      conditions.push_back(arith::CmpIOp::create(
          builder, loc, arith::CmpIPredicate::ne, *length, math.constant(0)));
  }
  if (conditions.empty())
    return get(op.getData(), source);
  Type type = typeOf(op.getResult(), access->lanes);
  return select(
      type, conditions, source,
      [&](Value mask) {
        ElementAccess inside = source;
        inside.mask = mask;
        return get(op.getData(), inside);
      },
      [&](Value) -> Result {
        return Value(arith::ConstantOp::create(builder, loc,
                                               builder.getZeroAttr(type)));
      });
}

FailureOr<Value> ElementEmitter::Walk::reversed(graph::ReverseOp op,
                                                const ElementAccess &given) {
  FailureOr<ElementAccess> access = delinearize(op.getResult(), given);
  if (failed(access))
    return failure();
  ElementAccess source = *access;
  for (int64_t dimension : op.getDimensions()) {
    FailureOr<Value> length = size(op.getSource(), dimension);
    if (failed(length))
      return failure();
    source.indices[dimension] =
        math.subtractFrom(math.sub(*length, math.constant(1)),
                          source.indices[dimension], source.lanes);
  }
  return get(op.getSource(), source);
}

FailureOr<Value> ElementEmitter::Walk::iota(graph::IotaOp op,
                                            const ElementAccess &given) {
  FailureOr<ElementAccess> access = delinearize(op.getResult(), given);
  if (failed(access))
    return failure();
  Value index =
      math.vectorOf(access->indices[op.getDimension()], access->lanes);
  Type type = typeOf(op.getResult(), access->lanes);
  if (getElementTypeOrSelf(type).isInteger())
    return Value(arith::IndexCastOp::create(builder, loc, type, index));
  // Integers below 2^31 convert in vector registers.
  auto resultType = cast<RankedTensorType>(op.getResult().getType());
  int64_t length = resultType.getDimSize(op.getDimension());
  Type integer = builder.getIntegerType(
      ShapedType::isDynamic(length) || length > INT32_MAX ? 64 : 32);
  if (access->lanes > 1)
    integer = VectorType::get({access->lanes}, integer);
  Value number = arith::IndexCastOp::create(builder, loc, integer, index);
  return Value(arith::SIToFPOp::create(builder, loc, type, number));
}

FailureOr<Value> ElementEmitter::Walk::unpacked(linalg::UnPackOp op,
                                                const ElementAccess &given) {
  FailureOr<ElementAccess> access = delinearize(op.getResult(), given);
  if (failed(access))
    return failure();
  // Outer dimensions of the packed tensor, then the tiles.
  SmallVector<LaneIndex> outer(access->indices.begin(), access->indices.end());
  SmallVector<LaneIndex> inner;
  for (auto [dimension, tile] :
       llvm::zip(op.getInnerDimsPos(), op.getMixedTiles())) {
    FailureOr<Value> width = asIndex(tile);
    if (failed(width))
      return failure();
    auto [quotient, remainder] =
        math.split(outer[dimension], *width, access->lanes);
    outer[dimension] = quotient;
    inner.push_back(remainder);
  }
  ElementAccess source = *access;
  source.indices.clear();
  ArrayRef<int64_t> order = op.getOuterDimsPerm();
  for (size_t i = 0; i < outer.size(); ++i)
    source.indices.push_back(outer[order.empty() ? i : order[i]]);
  source.indices.append(inner);
  return get(op.getSource(), source);
}

FailureOr<Value> ElementEmitter::Walk::listed(tensor::FromElementsOp op,
                                              const ElementAccess &given) {
  FailureOr<ElementAccess> access = linearize(op.getResult(), given);
  if (failed(access))
    return failure();
  LaneIndex index = access->indices.front();
  if (op.getElements().size() == 1)
    return splat(op.getElements().front(), access->lanes);
  Value position = math.vectorOf(index, access->lanes);
  FailureOr<Value> result = splat(op.getElements().back(), access->lanes);
  for (size_t i = op.getElements().size() - 1; i-- > 0 && succeeded(result);) {
    FailureOr<Value> element = splat(op.getElements()[i], access->lanes);
    if (failed(element))
      return failure();
    Value here =
        arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq, position,
                              math.vectorOf(math.uniform(i), access->lanes));
    result =
        Value(arith::SelectOp::create(builder, loc, here, *element, *result));
  }
  return result;
}
