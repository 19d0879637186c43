// The passes of a kernel with reductions; see the header.
#include "lib/Target/CPU/Rows/RowPasses.h"
#include "dialects/Graph/IR/Graph.h"
#include "lib/Target/CPU/Generic/GenericKernel.h"
#include "lib/Target/Elements/LaneIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinTypes.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

static SmallVector<int64_t> alignedRight(Value tensor, int64_t rank) {
  int64_t own = cast<RankedTensorType>(tensor.getType()).getRank();
  return llvm::to_vector(llvm::seq<int64_t>(rank - own, rank));
}

//===----------------------------------------------------------------------===//
// Values of rows
//===----------------------------------------------------------------------===//

FailureOr<Value> RowPasses::emitOfRows(OpBuilder &builder,
                                       const RowGroup &group, Value value,
                                       ArrayRef<int64_t> dimensions) {
  IndexBuilder index(builder, rows.loc);
  auto type = cast<RankedTensorType>(value.getType());
  SmallVector<Value> indices;
  int64_t lanes = 1;
  for (auto [i, dimension] : llvm::enumerate(dimensions)) {
    bool isOne = type.getDimSize(i) == 1;
    if (!isOne && dimension == stages.rank() - 1)
      lanes = group.lanes;
    indices.push_back(isOne ? index.constant(0) : group.indices[dimension]);
  }
  return rows.elements.emit(builder, rows.loc, value, indices, lanes,
                            group.mask);
}

void RowPasses::know(RowGroup &group, Value tensor,
                     ArrayRef<int64_t> dimensions, Value value) {
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<Value> expected;
  for (auto [i, dimension] : llvm::enumerate(dimensions))
    expected.push_back(type.getDimSize(i) == 1 ? Value()
                                               : group.indices[dimension]);
  auto vector = dyn_cast<VectorType>(value.getType());
  int64_t own = vector ? vector.getDimSize(0) : 1;
  group.known.push_back(
      {tensor,
       [=](OpBuilder &, Location, ArrayRef<Value> indices, int64_t lanes) {
         return lanes == own && areSameIndices(indices, expected) ? value
                                                                  : Value();
       }});
  if (linear)
    for (Value repeated : repetitionsOf(tensor))
      group.known.push_back(
          {repeated,
           [=](OpBuilder &builder, Location loc, ArrayRef<Value>,
               int64_t lanes) -> Value {
             if (lanes == 1)
               return value;
             return vector::BroadcastOp::create(
                 builder, loc, VectorType::get({lanes}, value.getType()),
                 value);
           },
           /*isLinear=*/true});
  bindKnown(group);
}

SmallVector<Value> RowPasses::repetitionsOf(Value value) {
  SmallVector<Value> repeated;
  for (Operation *user : value.getUsers())
    if (isa<graph::BroadcastToOp>(user) && llvm::is_contained(stages.repetitions, user->getResult(0)))
      repeated.push_back(user->getResult(0));
  return repeated;
}

void RowPasses::bindKnown(const RowGroup &group) {
  for (const RowGroup::Known &known : group.known) {
    if (known.isLinear)
      rows.elements.bindLinear(known.tensor, known.source);
    else
      rows.elements.bind(known.tensor, known.source);
  }
}

LogicalResult RowPasses::begin(OpBuilder &builder, RowGroup &group,
                               int64_t number) {
  for (int64_t later = number, e = stages.passes.size(); later < e; ++later)
    for (const StoredRow &stored : stages.passes[later].stored)
      rows.elements.unbind(stored.value);
  for (const RowValue &row : stages.rowValues) {
    rows.elements.unbind(row.value);
    for (Value repeated : repetitionsOf(row.value))
      rows.elements.unbind(repeated);
  }
  bindKnown(group);
  for (const RowValue &row : stages.rowValues) {
    if (row.level != number)
      continue;
    SmallVector<int64_t> dimensions = alignedRight(row.value, stages.rank());
    FailureOr<Value> value =
        emitOfRows(builder, group, row.value, dimensions);
    if (failed(value))
      return failure();
    know(group, row.value, dimensions, *value);
  }
  return success();
}

LogicalResult RowPasses::finish(OpBuilder &builder, RowGroup &group,
                                int64_t number, ValueRange state) {
  bindKnown(group);
  for (const RowReduction &reduction : stages.passes[number].reductions) {
    const Combiner &combiner = reduction.combiner;
    Combiner::State own(state.take_front(combiner.width()));
    state = state.drop_front(combiner.width());
    Value initial;
    if (combiner.initial()) {
      FailureOr<Value> emitted =
          emitOfRows(builder, group, combiner.initial(), stages.kept);
      if (failed(emitted))
        return failure();
      initial = *emitted;
    }
    know(group, reduction.result, stages.kept,
         combiner.finish(builder, rows.loc, own, initial));
  }
  return success();
}

LogicalResult RowPasses::storeRowOutputs(OpBuilder &builder, RowGroup &group) {
  IndexBuilder math(builder, rows.loc);
  // The last pass has overwritten what lay in the row of another output. Only a row
  // of one element, which may be an output as it is, would read it here.
  for (const RowPass &pass : stages.passes)
    for (const StoredRow &stored : pass.stored)
      if (stored.output >= 0 && rows.yielded(stored.output) != stored.value)
        rows.elements.unbind(stored.value);
  bindKnown(group);
  for (int64_t number : stages.rowOutputs) {
    Value value = rows.yielded(number);
    auto type = cast<RankedTensorType>(value.getType());
    SmallVector<int64_t> dimensions;
    SmallVector<Value> indices;
    for (int64_t i = 0; i < type.getRank(); ++i) {
      dimensions.push_back(stages.spaceDimension(type.getRank(), i));
      Value index = group.indices[dimensions.back()];
      indices.push_back(index ? index : math.constant(0));
    }
    FailureOr<Value> emitted = emitOfRows(builder, group, value, dimensions);
    if (failed(emitted))
      return failure();
    rows.store(builder, *emitted, rows.output(number), indices, group.mask);
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Stored values
//===----------------------------------------------------------------------===//

void RowPasses::allocateScratch(OpBuilder &builder, int64_t columns) {
  scratchColumns = columns;
  auto space = cast<RankedTensorType>(stages.space.getType());
  SmallVector<int64_t> shape;
  for (int64_t dimension : stages.reduced) {
    if (space.isDynamicDim(dimension))
      return;
    shape.push_back(space.getDimSize(dimension));
  }
  if (linear)
    shape.assign(1, ShapedType::getNumElements(shape));
  if (columns > 1)
    shape.push_back(columns);
  int64_t left = kStackBytes;
  for (const RowPass &pass : stages.passes)
    for (const StoredRow &stored : pass.stored) {
      Type element = getElementTypeOrSelf(stored.value.getType());
      if (stored.output >= 0 || element.isInteger(1))
        continue;
      auto type = MemRefType::get(shape, element);
      int64_t bytes =
          type.getNumElements() * llvm::divideCeil(
                                      element.getIntOrFloatBitWidth(), 8);
      if (bytes > left)
        continue;
      left -= bytes;
      scratch[stored.value] = memref::AllocaOp::create(
          builder, rows.loc, type, builder.getI64IntegerAttr(64));
    }
}

std::optional<RowPasses::Place>
RowPasses::placeOf(OpBuilder &builder, const StoredRow &stored,
                   ArrayRef<Value> indices) {
  IndexBuilder index(builder, rows.loc);
  if (stored.output >= 0)
    return Place{outputMemref(stored.output), llvm::to_vector(indices)};
  Value memref = scratch.lookup(stored.value);
  if (!memref)
    return std::nullopt;
  Place place{memref, {}};
  if (linear) {
    place.indices.push_back(index.sub(indices[0], rowStart));
    return place;
  }
  for (int64_t dimension : stages.reduced)
    place.indices.push_back(indices[dimension]);
  if (scratchColumns > 1)
    place.indices.push_back(builder.createOrFold<arith::RemUIOp>(
        rows.loc, indices.back(), index.constant(scratchColumns)));
  return place;
}

void RowPasses::bindStored(int64_t number, ArrayRef<Value> indices,
                           int64_t lanes, Value mask) {
  SmallVector<Value> expected(indices);
  for (int64_t earlier = 0; earlier < number; ++earlier)
    for (const StoredRow &stored : stages.passes[earlier].stored) {
      if (stored.output < 0 && !scratch.contains(stored.value))
        continue;
      auto source = [=](OpBuilder &builder, Location loc,
                        ArrayRef<Value> given, int64_t own) -> Value {
            if (own != lanes || !areSameIndices(given, expected))
              return {};
            Place place = *placeOf(builder, stored, expected);
            Type element =
                cast<MemRefType>(place.memref.getType()).getElementType();
            if (lanes == 1)
              return memref::LoadOp::create(builder, loc, place.memref,
                                            place.indices);
            auto type = VectorType::get({lanes}, element);
            if (!mask)
              return vector::LoadOp::create(builder, loc, type, place.memref,
                                            place.indices);
            Value zero = arith::ConstantOp::create(builder, loc,
                                                   builder.getZeroAttr(type));
            return vector::MaskedLoadOp::create(
                builder, loc, type, place.memref, place.indices, mask, zero);
          };
      if (linear)
        rows.elements.bindLinear(stored.value, source);
      else
        rows.elements.bind(stored.value, source);
    }
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

bool RowPasses::isEmpty(int64_t number) const {
  const RowPass &pass = stages.passes[number];
  return pass.reductions.empty() && pass.outputs.empty() && pass.stored.empty();
}

RowPasses::State RowPasses::start(OpBuilder &builder, int64_t number,
                                  int64_t lanes) {
  State state;
  for (const RowReduction &reduction : stages.passes[number].reductions)
    llvm::append_range(state,
                       reduction.combiner.start(builder, rows.loc, lanes,
                                                stages.hasLanesAlongRows()));
  return state;
}

RowPasses::State RowPasses::merge(OpBuilder &builder, int64_t number,
                                  ValueRange a, ValueRange b) {
  State state;
  for (const RowReduction &reduction : stages.passes[number].reductions) {
    int64_t width = reduction.combiner.width();
    llvm::append_range(
        state, reduction.combiner.merge(builder, rows.loc, a.take_front(width),
                                        b.take_front(width)));
    a = a.drop_front(width);
    b = b.drop_front(width);
  }
  return state;
}

/// The indices of the lanes along the reduced dimension.
Value RowPasses::indicesOf(OpBuilder &builder, const Combiner &combiner,
                           Value first, int64_t lanes) {
  Location loc = rows.loc;
  Value index = arith::IndexCastOp::create(builder, loc, combiner.indexType(),
                                           first);
  if (lanes == 1)
    return index;
  auto type = VectorType::get({lanes}, combiner.indexType());
  Value base = vector::BroadcastOp::create(builder, loc, type, index);
  if (!stages.hasLanesAlongRows())
    return base;
  SmallVector<Attribute> numbers;
  for (int64_t lane = 0; lane < lanes; ++lane)
    numbers.push_back(builder.getIntegerAttr(combiner.indexType(), lane));
  Value offsets = arith::ConstantOp::create(
      builder, loc, DenseElementsAttr::get(type, numbers));
  return arith::AddIOp::create(builder, loc, base, offsets);
}

FailureOr<RowPasses::State>
RowPasses::step(OpBuilder &builder, const RowGroup &group, int64_t number,
                const LanePlace &place, ValueRange state) {
  IndexBuilder math(builder, rows.loc);
  ArrayRef<Value> indices = place.indices;
  int64_t lanes = place.lanes;
  Value mask = place.mask;
  const RowPass &pass = stages.passes[number];
  Value inRow = indices.back();
  SmallVector<Value> position;
  if (linear) {
    position.push_back(math.add(rowStart, inRow));
    indices = position;
  }
  bindKnown(group);
  bindStored(number, indices, lanes, mask);
  SmallVector<Value> tensors;
  for (const RowReduction &reduction : pass.reductions)
    tensors.push_back(reduction.input);
  for (const StoredRow &stored : pass.stored)
    tensors.push_back(stored.value);
  for (int64_t output : pass.outputs)
    tensors.push_back(rows.yielded(output));
  FailureOr<SmallVector<Value>> values =
      linear ? rows.elements.emitLinear(builder, rows.loc, tensors,
                                        position.front(), lanes, mask)
             : rows.elements.emit(builder, rows.loc, tensors, indices, lanes,
                                  mask);
  if (failed(values))
    return failure();

  ArrayRef<Value> rest = *values;
  State next;
  for (const RowReduction &reduction : pass.reductions) {
    const Combiner &combiner = reduction.combiner;
    Value index = combiner.needsIndex()
                      ? indicesOf(builder, combiner,
                                  linear ? inRow
                                         : indices[stages.reduced.front()],
                                  lanes)
                      : Value();
    llvm::append_range(next, combiner.combine(builder, rows.loc,
                                              state.take_front(combiner.width()),
                                              rest.front(), index, mask));
    state = state.drop_front(combiner.width());
    rest = rest.drop_front();
  }
  for (const StoredRow &stored : pass.stored) {
    if (std::optional<Place> place = placeOf(builder, stored, indices))
      rows.store(builder, rest.front(), place->memref, place->indices, mask);
    rest = rest.drop_front();
  }
  for (int64_t output : pass.outputs) {
    rows.storeResult(builder, rest.front(), outputMemref(output), indices,
                     mask);
    rest = rest.drop_front();
  }
  return next;
}

RowPasses::State RowPasses::acrossLanes(OpBuilder &builder, int64_t number,
                                        ValueRange state) {
  State joined;
  for (const RowReduction &reduction : stages.passes[number].reductions) {
    int64_t width = reduction.combiner.width();
    llvm::append_range(joined, reduction.combiner.acrossLanes(
                                   builder, rows.loc, state.take_front(width)));
    state = state.drop_front(width);
  }
  return joined;
}

//===----------------------------------------------------------------------===//
// Rows by position
//===----------------------------------------------------------------------===//

void RowPasses::readLinearly() {
  auto isDense = [&](int64_t output) {
    return cast<MemRefType>(rows.output(output).getType())
        .getLayout()
        .isIdentity();
  };
  SmallVector<Value> roots;
  bool dense = true;
  for (const RowPass &pass : stages.passes) {
    for (const RowReduction &reduction : pass.reductions)
      roots.push_back(reduction.input);
    for (int64_t output : pass.outputs) {
      roots.push_back(rows.yielded(output));
      dense = dense && isDense(output);
    }
    for (const StoredRow &stored : pass.stored)
      dense = dense && (stored.output < 0 || isDense(stored.output));
  }
  if (!dense || !stages.hasContiguousRows() ||
      (stages.reduced.size() == 1 && stages.reducesLast()))
    return;
  // As if the values of the rows were known.
  SmallVector<Value> bound;
  for (const RowValue &row : stages.rowValues)
    llvm::append_range(bound, repetitionsOf(row.value));
  for (Value repeated : bound)
    rows.elements.bindLinear(repeated, {});
  linear = llvm::all_of(
      roots, [&](Value root) { return rows.elements.isLinear(root); });
  for (Value repeated : bound)
    rows.elements.unbind(repeated);
}

void RowPasses::flattenOutputs(OpBuilder &builder) {
  flatOutputs.assign(rows.kernel.getOutputs(), {});
  for (const RowPass &pass : stages.passes) {
    for (int64_t output : pass.outputs)
      flatOutputs[output] = flatten(builder, rows.loc, rows.output(output));
    for (const StoredRow &stored : pass.stored)
      if (stored.output >= 0)
        flatOutputs[stored.output] =
            flatten(builder, rows.loc, rows.output(stored.output));
  }
}

Value RowPasses::outputMemref(int64_t number) {
  return linear ? flatOutputs[number] : rows.output(number);
}
