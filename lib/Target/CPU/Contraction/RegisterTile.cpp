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

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

//===----------------------------------------------------------------------===//
// The left operand
//===----------------------------------------------------------------------===//

void RowAccess::prepare(OpBuilder &builder, Location loc, OperandViews &views) {
  memref = OperandViews::collapse(builder, loc,
                                  views.view(builder, loc, c.lhs), c.lhsGroups);
  if (memref && c.lhsIsVector &&
      staticStride(memref, c.lhsMap.getNumResults() - 1) != 1)
    memref = {};
}

Value RowAccess::load(OpBuilder &builder, Location loc, ArrayRef<Value> loops,
                      int64_t row, int64_t vector, int64_t lanes, Value mask) {
  // Loops with constant values and the row within the tile only add constants:
  // what remains is the same for all elements of a step.
  SmallVector<Value> base(loops);
  IndexBuilder index(builder, loc);
  SmallVector<int64_t> distance;
  SmallVector<unsigned> fixed;
  for (unsigned loop : c.reduction)
    if (constantOf(loops[loop])) {
      base[loop] = index.constant(0);
      fixed.push_back(loop);
    }
  for (AffineExpr expr : c.lhsMap.getResults()) {
    int64_t sum = *growth(expr, c.row, row);
    if (c.lhsIsVector)
      sum += *growth(expr, c.column, vector * lanes);
    for (unsigned loop : fixed)
      sum += *growth(expr, loop, *constantOf(loops[loop]));
    distance.push_back(sum);
  }
  Value &known = loaded[distance];
  if (known)
    return known;
  SmallVector<Value> at;
  for (auto [expr, sum] : llvm::zip(c.lhsMap.getResults(), distance))
    at.push_back(index.add(index.evaluate(expr, base), sum));
  if (memref && c.lhsIsVector)
    return known = loadVector(builder, loc, memref, at, lanes, mask);
  Value value;
  if (memref) {
    value = memref::LoadOp::create(builder, loc, memref, at);
  } else {
    at = expandIndices(builder, loc, c.lhs, c.lhsGroups, at);
    FailureOr<Value> element = elements.emit(
        builder, loc, c.lhs, at, c.lhsIsVector ? lanes : 1, mask);
    if (failed(element))
      return {};
    value = *element;
  }
  value = widen(builder, loc, value);
  if (!isa<VectorType>(value.getType()))
    value = vector::BroadcastOp::create(
        builder, loc, VectorType::get(lanes, value.getType()), value);
  return known = value;
}

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
                                               int64_t row, int64_t vector) {
  IndexBuilder index(builder, loc);
  SmallVector<Value> loops(place.loops), result;
  loops[c.row] = index.add(loops[c.row], row);
  loops[c.column] = index.add(loops[c.column], vector * lanes);
  for (AffineExpr expr : c.resultMap.getResults())
    result.push_back(index.evaluate(expr, loops));
  return result;
}

RegisterTile::Accumulators RegisterTile::zeros(OpBuilder &builder,
                                               Location loc) {
  auto type = VectorType::get(lanes, builder.getF32Type());
  return Accumulators(rows * vectors,
                      arith::ConstantOp::create(builder, loc,
                                                builder.getZeroAttr(type)));
}

FailureOr<RegisterTile::Accumulators> RegisterTile::start(OpBuilder &builder,
                                                          Location loc) {
  if (!c.init)
    return zeros(builder, loc);
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
  SmallVector<Value> right;
  for (int64_t vector = 0; vector < vectors; ++vector) {
    if (prefetchRows)
      panels.prefetch(builder, loc, columns, place.loops, vector, prefetchRows);
    right.push_back(panels.load(builder, loc, columns, place.loops, vector));
    if (!right.back())
      return failure();
  }
  for (int64_t row : rowsInside)
    for (int64_t vector = 0; vector < vectors; ++vector) {
      Value left =
          rowAccess.load(builder, loc, place.loops, row,
                         c.lhsIsVector ? vector : 0, lanes,
                         c.lhsIsVector ? place.masks[vector] : Value());
      if (!left)
        return failure();
      Value &sum = accumulators[row * vectors + vector];
      sum = vector::FMAOp::create(builder, loc, left, right[vector], sum);
    }
  if (!c.lhsIsVector)
    rowAccess.forget();
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
RegisterTile::loop(OpBuilder &builder, Location loc, unsigned level,
                   Value first, Value last, Accumulators accumulators,
                   ArrayRef<int64_t> rowsInside) {
  unsigned number = c.reduction[level];
  std::optional<int64_t> from = constantOf(first), to = constantOf(last);
  // Taps of depthwise convolutions are unrolled: their windows overlap.
  constexpr int64_t kMostUnrolled = 8;
  bool unroll =
      from && to && *to - *from <= (c.lhsIsVector ? kMostUnrolled : 1);
  if (unroll) {
    for (int64_t i = *from; i < *to; ++i) {
      place.loops[number] = IndexBuilder(builder, loc).constant(i);
      FailureOr<Accumulators> next =
          reduce(builder, loc, level + 1, accumulators, rowsInside);
      if (failed(next))
        return failure();
      accumulators = *next;
    }
    return accumulators;
  }
  if (std::optional<int64_t> step = blockStep(level, first, last))
    return blocks(builder, loc, level, first, last, *step, accumulators,
                  rowsInside);
  rowAccess.forget();
  Value one = IndexBuilder(builder, loc).constant(1);
  auto loop =
      scf::ForOp::create(builder, loc, first, last, one, accumulators);
  if (place.isRest)
    keepRolled(loop);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  place.loops[number] = loop.getInductionVar();
  FailureOr<Accumulators> sums =
      reduce(builder, loc, level + 1,
             Accumulators(loop.getRegionIterArgs()), rowsInside);
  if (failed(sums))
    return failure();
  scf::YieldOp::create(builder, loc, *sums);
  rowAccess.forget();
  return Accumulators(loop.getResults());
}

/// The indices of the loop from `first` to `last` that a block has; none where no
/// blocks are needed, or an inner loop has them.
std::optional<int64_t> RegisterTile::blockStep(unsigned level, Value first,
                                               Value last) const {
  constexpr int64_t kBlockDepth = 512;
  int64_t inner = 1;
  for (unsigned number : ArrayRef(c.reduction).drop_front(level + 1)) {
    if (ShapedType::isDynamic(c.loops[number].size))
      return std::nullopt;
    inner *= std::max<int64_t>(c.loops[number].size, 1);
  }
  if (inner > kBlockDepth)
    return std::nullopt;
  int64_t most = kBlockDepth / inner, all = c.loops[c.reduction[level]].size;
  bool isShort = !ShapedType::isDynamic(all) && all <= most;
  std::optional<int64_t> from = constantOf(first), to = constantOf(last);
  if (!from || !to)
    return isShort ? std::nullopt : std::optional(most);
  // Blocks of equal size where there are such.
  int64_t size = *to - *from, count = llvm::divideCeil(size, most);
  if (count <= 1)
    return std::nullopt;
  return size % count == 0 ? size / count : most;
}

FailureOr<RegisterTile::Accumulators>
RegisterTile::blocks(OpBuilder &builder, Location loc, unsigned level,
                     Value first, Value last, int64_t step,
                     Accumulators accumulators, ArrayRef<int64_t> rowsInside) {
  IndexBuilder index(builder, loc);
  std::optional<int64_t> from = constantOf(first), to = constantOf(last);
  bool divides = from && to && (*to - *from) % step == 0;
  rowAccess.forget();
  auto outer = scf::ForOp::create(builder, loc, first, last,
                                  index.constant(step), accumulators);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(outer.getBody());
  Value begin = outer.getInductionVar(), end = index.add(begin, step);
  auto inner = scf::ForOp::create(builder, loc, begin,
                                  divides ? end : index.min(end, last),
                                  index.constant(1), zeros(builder, loc));
  if (place.isRest) {
    keepRolled(outer);
    keepRolled(inner);
  }
  builder.setInsertionPointToStart(inner.getBody());
  place.loops[c.reduction[level]] = inner.getInductionVar();
  FailureOr<Accumulators> sums =
      reduce(builder, loc, level + 1, Accumulators(inner.getRegionIterArgs()),
             rowsInside);
  if (failed(sums))
    return failure();
  scf::YieldOp::create(builder, loc, *sums);
  builder.setInsertionPointAfter(inner);
  Accumulators totals(outer.getRegionIterArgs());
  for (auto [total, sum] : llvm::zip(totals, inner.getResults()))
    total = arith::AddFOp::create(builder, loc, total, sum);
  scf::YieldOp::create(builder, loc, totals);
  rowAccess.forget();
  return Accumulators(outer.getResults());
}

FailureOr<RegisterTile::Accumulators>
RegisterTile::reduce(OpBuilder &builder, Location loc, unsigned level,
                     Accumulators accumulators, ArrayRef<int64_t> rowsInside) {
  if (level == c.reduction.size())
    return step(builder, loc, accumulators, rowsInside);
  unsigned number = c.reduction[level];
  const ContractionWindow *window = c.windowOfTap(number);
  if (window && window->position == c.row) {
    for (const TapRange &range : place.taps) {
      SmallVector<int64_t> inside;
      for (int64_t row : rowsInside)
        if (llvm::is_contained(range.rows, row))
          inside.push_back(row);
      FailureOr<Accumulators> next = loop(builder, loc, level, range.first,
                                          range.last, accumulators, inside);
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
  return loop(builder, loc, level, first, last, accumulators, rowsInside);
}

LogicalResult RegisterTile::emit(OpBuilder &builder, Location loc,
                                 int64_t rowCount, int64_t vectorCount,
                                 TilePlace where) {
  rows = rowCount;
  vectors = vectorCount;
  place = std::move(where);
  rowAccess.forget();
  SmallVector<Value> none(vectors);
  columns = panels.locate(builder, loc, place.loops,
                          place.maskLoads ? place.masks : none, vectors);
  FailureOr<Accumulators> accumulators = start(builder, loc);
  if (failed(accumulators))
    return failure();
  accumulators = reduce(builder, loc, 0, *accumulators,
                        llvm::to_vector(llvm::seq<int64_t>(0, rows)));
  if (failed(accumulators))
    return failure();
  rowAccess.forget();
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t vector = 0; vector < vectors; ++vector)
      if (failed(stores.store(builder, loc,
                              resultIndices(builder, loc, row, vector),
                              at(*accumulators, row, vector),
                              place.masks[vector])))
        return failure();
  return success();
}
