// The inner kernel of contractions.
#include "lib/Target/CPU/Contraction/RegisterTile.h"
#include "lib/Target/CPU/Elements/OperandView.h"
#include "lib/Target/Elements/IndexBuilder.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

#include <utility>

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

//===----------------------------------------------------------------------===//
// Windows
//===----------------------------------------------------------------------===//

std::pair<Value, Value> cpu::clippedTaps(OpBuilder &builder, Location loc,
                                         const ContractionWindow &window,
                                         Value position, Value inputSize) {
  IndexBuilder index(builder, loc);
  Value zero = index.constant(0);
  Value start =
      index.add(index.mul(position, window.stride), -window.padLow);
  Value before = index.max(index.sub(zero, start), zero);
  Value inside = index.max(index.sub(inputSize, start), zero);
  Value first = index.ceilDiv(before, window.dilation);
  Value last = index.min(index.ceilDiv(inside, window.dilation),
                         index.constant(window.kernel));
  return {index.mul(first, window.tapSize), index.mul(last, window.tapSize)};
}

//===----------------------------------------------------------------------===//
// The tile
//===----------------------------------------------------------------------===//

SmallVector<Value> RegisterTile::resultIndices(OpBuilder &builder, Location loc,
                                               Value row, int64_t vector) {
  IndexBuilder index(builder, loc);
  SmallVector<Value> loops(place.loops), result;
  loops[c.row] = index.add(loops[c.row], row);
  loops[c.column] = index.add(loops[c.column], vector * lanes);
  for (AffineExpr expr : c.resultMap.getResults())
    result.push_back(index.evaluate(expr, loops));
  return result;
}

/// Products that are summed before their sum is added to others: long sums of
/// floats lose less so.
static constexpr int64_t kBlockDepth = 512;

RegisterTile::Accumulators
RegisterTile::zeros(OpBuilder &builder, Location loc, VectorType type) {
  return Accumulators(rows * vectors,
                      arith::ConstantOp::create(builder, loc,
                                                builder.getZeroAttr(type)));
}

RegisterTile::Accumulators RegisterTile::finish(OpBuilder &builder,
                                                Location loc, ValueRange totals,
                                                ValueRange sums) {
  Accumulators joined;
  for (auto [total, sum] : llvm::zip(totals, sums))
    joined.push_back(multiply.finish(builder, loc, total, sum));
  return joined;
}

bool RegisterTile::isOneBlock() const {
  int64_t depth = 1;
  for (unsigned number : c.reduction) {
    if (ShapedType::isDynamic(c.loops[number].size))
      return false;
    depth *= c.loops[number].size;
  }
  return depth <= kBlockDepth;
}

FailureOr<RegisterTile::Accumulators> RegisterTile::start(OpBuilder &builder,
                                                          Location loc) {
  if (!c.init)
    return zeros(builder, loc, multiply.totals(builder.getContext()));
  Accumulators accumulators;
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t vector = 0; vector < vectors; ++vector) {
      FailureOr<Value> value = elements.emit(
          builder, loc, c.init, resultIndices(builder, loc, row, vector), lanes,
          place.masks[vector]);
      if (failed(value))
        return failure();
      accumulators.push_back(*value);
    }
  return accumulators;
}

FailureOr<RegisterTile::Accumulators>
RegisterTile::step(OpBuilder &builder, Location loc, Accumulators accumulators,
                   ArrayRef<int64_t> rowsInside) {
  auto rightOf = [&](int64_t vector) {
    if (prefetchRows)
      panels.prefetch(builder, loc, columns, place.loops, vector, prefetchRows);
    return panels.load(builder, loc, columns, place.loops, vector, stepCount);
  };
  auto leftOf = [&](int64_t row, int64_t vector) {
    return left.load(builder, loc,
                     {place.loops, row, vector,
                      c.lhsIsVector ? place.masks[vector] : Value(),
                      stepCount});
  };
  TileStep operands{rowsInside, vectors, c.lhsIsVector, leftOf, rightOf};
  if (failed(multiply.accumulateTile(builder, loc, operands, accumulators)))
    return failure();
  if (!c.lhsIsVector)
    left.forget();
  return accumulators;
}

static void keepRolled(scf::ForOp loop) {
  MLIRContext *context = loop.getContext();
  auto unroll = LLVM::LoopUnrollAttr::get(
      context, /*disable=*/BoolAttr::get(context, true), {}, {}, {}, {}, {}, {});
  loop->setAttr("llvm.loop_annotation",
                LLVM::LoopAnnotationAttr::get(context, {}, {}, {}, unroll, {},
                                              {}, {}, {}, {}, {}, {}, {}, {}, {},
                                              {}));
}

FailureOr<RegisterTile::Accumulators>
RegisterTile::loop(OpBuilder &builder, Location loc, const Reduction &range,
                   Accumulators accumulators, ArrayRef<int64_t> rowsInside) {
  unsigned number = c.reduction[range.level];
  int64_t by = loopStep(range.level);
  std::optional<int64_t> from = constantOf(range.first),
                         to = constantOf(range.last);
  // Taps of depthwise convolutions are unrolled: their windows overlap.
  constexpr int64_t kMostUnrolled = 8;
  bool unroll = !needsBlock && from && to &&
                *to - *from <= (c.lhsIsVector ? kMostUnrolled : by);
  if (unroll) {
    for (int64_t i = *from; i < *to; i += by) {
      place.loops[number] = IndexBuilder(builder, loc).constant(i);
      FailureOr<Accumulators> next =
          reduce(builder, loc, range.level + 1, accumulators, rowsInside);
      if (failed(next))
        return failure();
      accumulators = *next;
    }
    return accumulators;
  }
  if (std::optional<int64_t> step = blockStep(range))
    return blocks(builder, loc, range, *step, accumulators, rowsInside);
  left.forget();
  auto loop =
      scf::ForOp::create(builder, loc, range.first, range.last,
                         IndexBuilder(builder, loc).constant(by), accumulators);
  if (place.isRest)
    keepRolled(loop);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  place.loops[number] = loop.getInductionVar();
  FailureOr<Accumulators> sums =
      reduce(builder, loc, range.level + 1,
             Accumulators(loop.getRegionIterArgs()), rowsInside);
  if (failed(sums))
    return failure();
  scf::YieldOp::create(builder, loc, *sums);
  left.forget();
  return Accumulators(loop.getResults());
}

/// Whole groups, then what is left of the depth. The taps of a window over the
/// rows are whole groups (`ConvOp::getContraction`).
FailureOr<RegisterTile::Accumulators>
RegisterTile::groups(OpBuilder &builder, Location loc, Reduction range,
                     Accumulators accumulators, ArrayRef<int64_t> rowsInside) {
  unsigned number = c.reduction[range.level];
  int64_t size = c.loops[number].size;
  int64_t rest = c.windowOfTap(number) ? 0 : size % multiply.stepLength();
  IndexBuilder index(builder, loc);
  if (rest)
    range.last = index.constant(size - rest);
  stepCount = multiply.stepLength();
  FailureOr<Accumulators> sums =
      loop(builder, loc, range, accumulators, rowsInside);
  if (failed(sums) || !rest)
    return sums;
  stepCount = rest;
  return loop(builder, loc, {range.level, range.last, index.constant(size)},
              *sums, rowsInside);
}

/// The indices of the loop that a block has; none where no blocks are needed, or
/// an inner loop has them.
std::optional<int64_t> RegisterTile::blockStep(const Reduction &range) const {
  if (!multiply.sumsInBlocks())
    return std::nullopt;
  int64_t inner = 1;
  for (unsigned number : ArrayRef(c.reduction).drop_front(range.level + 1)) {
    if (ShapedType::isDynamic(c.loops[number].size))
      return std::nullopt;
    inner *= std::max<int64_t>(c.loops[number].size, 1);
  }
  if (inner > kBlockDepth)
    return std::nullopt;
  int64_t most = kBlockDepth / inner,
          all = c.loops[c.reduction[range.level]].size;
  if (needsBlock)
    return most;
  bool isShort = !ShapedType::isDynamic(all) && all <= most;
  std::optional<int64_t> from = constantOf(range.first),
                         to = constantOf(range.last);
  if (!from || !to)
    return isShort ? std::nullopt : std::optional(most);
  // Blocks of equal size where there are such.
  int64_t size = *to - *from, count = llvm::divideCeil(size, most);
  if (count <= 1)
    return std::nullopt;
  bool isEqual = size % count == 0 && size / count % loopStep(range.level) == 0;
  return isEqual ? size / count : most;
}

FailureOr<RegisterTile::Accumulators>
RegisterTile::blocks(OpBuilder &builder, Location loc, const Reduction &range,
                     int64_t step, Accumulators accumulators,
                     ArrayRef<int64_t> rowsInside) {
  IndexBuilder index(builder, loc);
  std::optional<int64_t> from = constantOf(range.first),
                         to = constantOf(range.last);
  bool divides = from && to && (*to - *from) % step == 0;
  left.forget();
  auto outer = scf::ForOp::create(builder, loc, range.first, range.last,
                                  index.constant(step), accumulators);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(outer.getBody());
  Value begin = outer.getInductionVar(), end = index.add(begin, step);
  auto inner = scf::ForOp::create(
      builder, loc, begin, divides ? end : index.min(end, range.last),
      index.constant(loopStep(range.level)),
      zeros(builder, loc, multiply.sums(builder.getContext())));
  if (place.isRest) {
    keepRolled(outer);
    keepRolled(inner);
  }
  builder.setInsertionPointToStart(inner.getBody());
  place.loops[c.reduction[range.level]] = inner.getInductionVar();
  bool neededBlock = std::exchange(needsBlock, false);
  FailureOr<Accumulators> sums =
      reduce(builder, loc, range.level + 1,
             Accumulators(inner.getRegionIterArgs()), rowsInside);
  needsBlock = neededBlock;
  if (failed(sums))
    return failure();
  scf::YieldOp::create(builder, loc, *sums);
  builder.setInsertionPointAfter(inner);
  scf::YieldOp::create(builder, loc,
                       finish(builder, loc, outer.getRegionIterArgs(),
                              inner.getResults()));
  left.forget();
  return Accumulators(outer.getResults());
}

FailureOr<RegisterTile::Accumulators>
RegisterTile::reduce(OpBuilder &builder, Location loc, unsigned level,
                     Accumulators accumulators, ArrayRef<int64_t> rowsInside) {
  if (level == c.reduction.size())
    return step(builder, loc, accumulators, rowsInside);
  auto over = [&](const Reduction &range, Accumulators sums,
                  ArrayRef<int64_t> rows) {
    return loopStep(level) == 1 ? loop(builder, loc, range, sums, rows)
                                : groups(builder, loc, range, sums, rows);
  };
  unsigned number = c.reduction[level];
  const ContractionWindow *window = c.windowOfTap(number);
  if (window && window->position == c.row) {
    for (const TapRange &range : place.taps) {
      SmallVector<int64_t> inside;
      for (int64_t row : rowsInside)
        if (llvm::is_contained(range.rows, row))
          inside.push_back(row);
      FailureOr<Accumulators> next =
          over({level, range.first, range.last}, accumulators, inside);
      if (failed(next))
        return failure();
      accumulators = *next;
    }
    return accumulators;
  }
  IndexBuilder index(builder, loc);
  Value first = index.constant(0), last = sizes[number];
  if (window) {
    Value input = ShapedType::isDynamic(window->input.size)
                      ? elements.emitSize(builder, loc,
                                          window->input.origin.tensor,
                                          window->input.origin.dimension)
                      : index.constant(window->input.size);
    std::tie(first, last) = clippedTaps(builder, loc, *window,
                                        place.loops[window->position], input);
  }
  return over({level, first, last}, accumulators, rowsInside);
}

LogicalResult RegisterTile::storeByRows(OpBuilder &builder, Location loc,
                                        ArrayRef<Value> accumulators) {
  auto type = cast<VectorType>(accumulators.front().getType());
  if (!sumScratch) {
    auto task = builder.getInsertionBlock()
                    ->getParentOp()
                    ->getParentOfType<kernel::ParallelForOp>();
    OpBuilder first = OpBuilder::atBlockBegin(&task.getBody().front());
    sumScratch = memref::AllocaOp::create(
        first, loc, MemRefType::get({kRegisterSumVectors, lanes}, type.getElementType()),
        ValueRange(), first.getI64IntegerAttr(kRegisterSumBytes / kRegisterSumVectors));
  }
  IndexBuilder index(builder, loc);
  Value zero = index.constant(0);
  for (auto [number, sum] : llvm::enumerate(accumulators))
    vector::StoreOp::create(builder, loc, sum, sumScratch,
                            ValueRange{index.constant(number), zero});
  auto loop = scf::ForOp::create(builder, loc, zero, index.constant(rows),
                                 index.constant(1));
  keepRolled(loop);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value row = loop.getInductionVar();
  IndexBuilder inside(builder, loc);
  for (int64_t vector = 0; vector < vectors; ++vector) {
    Value number = inside.add(inside.mul(row, vectors), vector);
    Value sum = vector::LoadOp::create(builder, loc, type, sumScratch,
                                       ValueRange{number, zero});
    if (failed(stores.store(builder, loc,
                            resultIndices(builder, loc, row, vector), sum,
                            place.masks[vector])))
      return failure();
  }
  return success();
}

LogicalResult RegisterTile::emit(OpBuilder &builder, Location loc,
                                 int64_t rowCount, int64_t vectorCount,
                                 TilePlace where) {
  rows = rowCount;
  vectors = vectorCount;
  place = std::move(where);
  left.forget();
  SmallVector<Value> none(vectors);
  columns = panels.locate(builder, loc, place.loops,
                          place.maskLoads ? place.masks : none, vectors);
  FailureOr<Accumulators> totals = start(builder, loc);
  if (failed(totals))
    return failure();
  MLIRContext *context = builder.getContext();
  bool areOther = multiply.totals(context) != multiply.sums(context);
  bool areSummedLast = areOther && isOneBlock();
  needsBlock = areOther && !areSummedLast;
  FailureOr<Accumulators> accumulators =
      reduce(builder, loc, 0,
             areSummedLast ? zeros(builder, loc, multiply.sums(context))
                           : *totals,
             llvm::to_vector(llvm::seq<int64_t>(0, rows)));
  if (failed(accumulators))
    return failure();
  if (areSummedLast)
    accumulators = finish(builder, loc, *totals, *accumulators);
  left.forget();
  if (stores.areLong() && rows > 1)
    return storeByRows(builder, loc, *accumulators);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t vector = 0; vector < vectors; ++vector)
      if (failed(stores.store(builder, loc,
                              resultIndices(builder, loc, row, vector),
                              at(*accumulators, row, vector),
                              place.masks[vector])))
        return failure();
  return success();
}
