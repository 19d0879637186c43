// Long rows in blocks, so that the error of their sums does not grow with their
// length; see RowPasses::emitBlocks.
#include "lib/Target/CPU/Rows/RowPasses.h"
#include "lib/Target/Elements/LaneIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

using State = RowPasses::State;

namespace {

/// Ranges that are cut into blocks: whole inner dimensions, and as many indices of
/// the others as fit.
struct BlockCut {
  Location loc;
  ArrayRef<IndexRange> ranges;
  /// Indices of each dimension in a block.
  SmallVector<Value> edges;
  /// Elements of all ranges.
  Value count;

  BlockCut(OpBuilder &builder, Location loc, ArrayRef<IndexRange> ranges,
           int64_t blockElements)
      : loc(loc), ranges(ranges), edges(ranges.size()) {
    IndexBuilder index(builder, loc);
    Value one = index.constant(1);
    Value most = index.constant(blockElements);
    count = one;
    for (int64_t i = ranges.size() - 1; i >= 0; --i) {
      edges[i] = index.max(index.div(most, index.max(count, one)), one);
      count = index.mul(count, size(builder, i));
    }
  }

  Value size(OpBuilder &builder, int64_t dimension) {
    IndexBuilder index(builder, loc);
    const IndexRange &range = ranges[dimension];
    return index.sub(range.to, range.from);
  }

  using Body = function_ref<FailureOr<State>(OpBuilder &, ArrayRef<IndexRange>,
                                             ValueRange)>;
  /// `body` for each block; `outer`: what is already cut.
  FailureOr<State> emit(OpBuilder &builder, ArrayRef<IndexRange> outer,
                        ValueRange state, Body body);
};

} // namespace

FailureOr<State> BlockCut::emit(OpBuilder &builder, ArrayRef<IndexRange> outer,
                                ValueRange state, Body body) {
  IndexBuilder index(builder, loc);
  size_t dimension = outer.size();
  if (dimension == ranges.size())
    return body(builder, outer, state);
  const IndexRange &range = ranges[dimension];
  Value edge = edges[dimension], extent = size(builder, dimension);
  std::optional<int64_t> known = constantOf(extent), step = constantOf(edge);
  SmallVector<IndexRange> next(outer);
  if (known && step && *known <= *step) {
    next.push_back(range);
    return emit(builder, next, state, body);
  }
  bool divides = known && step && *known % *step == 0;
  return emitLoop(
      builder, loc, {index.constant(0), index.ceilDiv(extent, edge), 1}, state,
      [&](OpBuilder &inner, Value number, ValueRange values) {
        IndexBuilder index(inner, loc);
        Value from = index.add(range.from, index.mul(number, edge));
        Value to = index.add(from, edge);
        next.push_back({from, divides ? to : index.min(to, range.to)});
        return emit(inner, next, values, body);
      });
}

using Emit = function_ref<FailureOr<State>(OpBuilder &)>;

/// `emitShort` for at most `most` elements, else `emitLong`: short rows, of which
/// there may be very many, do not pay for blocks. `like` has the results' types.
static FailureOr<State> emitEither(OpBuilder &builder, Value count,
                                   int64_t most, ValueRange like,
                                   Emit emitShort, Emit emitLong) {
  Location loc = count.getLoc();
  IndexBuilder index(builder, loc);
  Value isShort = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ule,
                                        count, index.constant(most));
  auto choice = scf::IfOp::create(builder, loc, like.getTypes(), isShort,
                                  /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  for (auto [block, emit] : {std::pair(choice.thenBlock(), emitShort),
                             std::pair(choice.elseBlock(), emitLong)}) {
    builder.setInsertionPointToStart(block);
    FailureOr<State> state = emit(builder);
    // An operation that failed is left whole.
    scf::YieldOp::create(builder, loc, succeeded(state) ? *state : State(like));
    if (failed(state))
      return failure();
  }
  return State(choice.getResults());
}

FailureOr<State> RowPasses::emitBlocks(
    OpBuilder &builder, int64_t number, ArrayRef<IndexRange> ranges,
    int64_t stepElements, ValueRange start,
    function_ref<FailureOr<State>(OpBuilder &, ArrayRef<IndexRange>, ValueRange)>
        body) {
  int64_t most = Combiner::kBlockSteps * stepElements;
  BlockCut cut(builder, rows.loc, ranges, most);
  std::optional<int64_t> count = constantOf(cut.count);
  bool rounds =
      llvm::any_of(stages.passes[number].reductions,
                   [](const RowReduction &r) { return r.combiner.rounds(); });
  if (!rounds || (count && *count <= most))
    return body(builder, ranges, start);
  State neutral = widen(builder, number, start);
  auto emitLong = [&](OpBuilder &at) {
    return cut.emit(
        at, {}, neutral,
        [&](OpBuilder &inner, ArrayRef<IndexRange> block,
            ValueRange totals) -> FailureOr<State> {
          FailureOr<State> sums = body(inner, block, start);
          if (failed(sums))
            return failure();
          State wide = widen(inner, number, *sums), joined;
          size_t width = setWidth(number);
          for (size_t i = 0; i < wide.size(); i += width)
            llvm::append_range(joined,
                               merge(inner, number, totals.slice(i, width),
                                     ValueRange(wide).slice(i, width)));
          return joined;
        });
  };
  if (count)
    return emitLong(builder);
  auto emitShort = [&](OpBuilder &at) -> FailureOr<State> {
    FailureOr<State> sums = body(at, ranges, start);
    if (failed(sums))
      return failure();
    return widen(at, number, *sums);
  };
  return emitEither(builder, cut.count, most, neutral, emitShort, emitLong);
}

size_t RowPasses::setWidth(int64_t number) const {
  size_t width = 0;
  for (const RowReduction &reduction : stages.passes[number].reductions)
    width += reduction.combiner.width();
  return width;
}

State RowPasses::widen(OpBuilder &builder, int64_t number, ValueRange state) {
  State wide;
  while (!state.empty())
    for (const RowReduction &reduction : stages.passes[number].reductions) {
      int64_t width = reduction.combiner.width();
      llvm::append_range(wide, reduction.combiner.widen(
                                   builder, rows.loc, state.take_front(width)));
      state = state.drop_front(width);
    }
  return wide;
}
