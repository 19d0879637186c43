// Long rows in blocks, so that the error of their sums does not grow with their
// length; see RowPasses::emitBlocks.
#include "lib/Target/CPU/LaneIndex.h"
#include "lib/Target/CPU/RowPasses.h"

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
    Value one = indexConstant(builder, loc, 1);
    Value most = indexConstant(builder, loc, blockElements);
    count = one;
    for (int64_t i = ranges.size() - 1; i >= 0; --i) {
      edges[i] = indexMax(
          builder, loc,
          indexDiv(builder, loc, most, indexMax(builder, loc, count, one)), one);
      count = indexMul(builder, loc, count, size(builder, i));
    }
  }

  Value size(OpBuilder &builder, int64_t dimension) {
    const IndexRange &range = ranges[dimension];
    return indexSub(builder, loc, range.to, range.from);
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
      builder, loc, indexConstant(builder, loc, 0),
      indexCeilDiv(builder, loc, extent, edge), 1, state,
      [&](OpBuilder &inner, Value number, ValueRange values) {
        Value from = indexAdd(inner, loc, range.from,
                              indexMul(inner, loc, number, edge));
        Value to = indexAdd(inner, loc, from, edge);
        next.push_back(
            {from, divides ? to : indexMin(inner, loc, to, range.to)});
        return emit(inner, next, values, body);
      });
}

FailureOr<State> RowPasses::emitBlocks(
    OpBuilder &builder, int64_t number, ArrayRef<IndexRange> ranges,
    int64_t stepElements, ValueRange start,
    function_ref<FailureOr<State>(OpBuilder &, ArrayRef<IndexRange>, ValueRange)>
        body) {
  BlockCut cut(builder, rows.loc, ranges, Combiner::kBlockSteps * stepElements);
  std::optional<int64_t> count = constantOf(cut.count);
  bool isShort = count && *count <= Combiner::kBlockSteps * stepElements;
  bool rounds =
      llvm::any_of(stages.passes[number].reductions,
                   [](const RowReduction &r) { return r.combiner.rounds(); });
  if (isShort || !rounds)
    return body(builder, ranges, start);
  return cut.emit(
      builder, {}, widen(builder, number, start),
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
