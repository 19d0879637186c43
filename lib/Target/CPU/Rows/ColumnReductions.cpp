// Reductions that keep the last dimension: lanes lie across the rows.
//
// A task is a block of columns, or all columns of several outer indices. For
// each strip of `unroll` vectors of columns the passes go over the reduced
// dimensions, with one accumulator a vector:
//
//   y[i, c] = mean over j of x[i, j, c]  ==>  for c in steps of 4 vectors:
//                                               a0..a3 = 0
//                                               for j:
//                                                 ak += x[i, j, c + k * lanes ..]
//                                               y[i, c + k * lanes ..] = ak / n
#include "lib/Target/CPU/Rows/RowPasses.h"
#include "lib/Target/Elements/LaneIndex.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

namespace {

struct ColumnReductions {
  RowKernel &rows;
  const RowStages &stages;
  RowPasses passes;
  SmallVector<Value> sizes;
  /// A single column needs no vectors.
  int64_t lanes, unroll;

  ColumnReductions(RowKernel &rows, const RowStages &stages,
                   ArrayRef<Value> sizes)
      : rows(rows), stages(stages), passes(rows, stages), sizes(sizes) {
    bool isSingle = constantOf(sizes.back()) == 1;
    lanes = isSingle ? 1 : rows.lanes;
    unroll = isSingle ? 1 : rows.unroll;
  }

  Location loc() { return rows.loc; }
  ArrayRef<int64_t> outer() { return ArrayRef(stages.kept).drop_back(); }
  SmallVector<Value> sizesOf(ArrayRef<int64_t> dimensions) {
    return llvm::map_to_vector(dimensions,
                               [&](int64_t d) { return sizes[d]; });
  }

  LogicalResult emit(OpBuilder &builder);
  /// The columns [from, to) of one set of outer indices.
  LogicalResult emitColumns(OpBuilder &builder, ArrayRef<Value> outerIndices,
                            Value from, Value to);
  LogicalResult emitStrip(OpBuilder &builder, ArrayRef<Value> outerIndices,
                          StripStep at);
  /// The pass over the reduced dimensions; `state` has the accumulators of each
  /// group in turn.
  FailureOr<RowPasses::State> emitPass(OpBuilder &builder,
                                       ArrayRef<RowGroup> groups,
                                       int64_t number, ValueRange state);
  /// The pass over `ranges` of the reduced dimensions behind `reducedIndices`.
  FailureOr<RowPasses::State> emitRanges(OpBuilder &builder,
                                         ArrayRef<RowGroup> groups,
                                         int64_t number,
                                         ArrayRef<IndexRange> ranges,
                                         ArrayRef<Value> reducedIndices,
                                         ValueRange state);
};

} // namespace

FailureOr<RowPasses::State>
ColumnReductions::emitPass(OpBuilder &builder, ArrayRef<RowGroup> groups,
                           int64_t number, ValueRange state) {
  IndexBuilder index(builder, loc());
  Value zero = index.constant(0);
  SmallVector<IndexRange> ranges;
  for (Value size : sizesOf(stages.reduced))
    ranges.push_back({zero, size});
  return passes.emitBlocks(
      builder, number, ranges, /*stepElements=*/1, state,
      [&](OpBuilder &inner, ArrayRef<IndexRange> block, ValueRange values) {
        return emitRanges(inner, groups, number, block, {}, values);
      });
}

FailureOr<RowPasses::State> ColumnReductions::emitRanges(
    OpBuilder &builder, ArrayRef<RowGroup> groups, int64_t number,
    ArrayRef<IndexRange> ranges, ArrayRef<Value> reducedIndices,
    ValueRange state) {
  using State = RowPasses::State;
  if (!ranges.empty())
    return emitLoop(builder, loc(), {ranges.front().from, ranges.front().to, 1},
                    state,
                    [&](OpBuilder &inner, Value index, ValueRange values) {
                      SmallVector<Value> next(reducedIndices);
                      next.push_back(index);
                      return emitRanges(inner, groups, number,
                                        ranges.drop_front(), next, values);
                    });
  State next;
  size_t width = state.size() / groups.size();
  for (const RowGroup &group : groups) {
    SmallVector<Value> place(group.indices);
    for (auto [dimension, index] : llvm::zip(stages.reduced, reducedIndices))
      place[dimension] = index;
    FailureOr<State> one =
        passes.step(builder, group, number, {place, group.lanes, group.mask},
                    state.take_front(width));
    if (failed(one))
      return failure();
    llvm::append_range(next, *one);
    state = state.drop_front(width);
  }
  return next;
}

LogicalResult ColumnReductions::emitStrip(OpBuilder &builder,
                                          ArrayRef<Value> outerIndices,
                                          StripStep at) {
  IndexBuilder math(builder, loc());
  SmallVector<RowGroup> groups(at.vectors);
  for (auto [i, group] : llvm::enumerate(groups)) {
    group.indices.resize(stages.rank());
    for (auto [dimension, index] : llvm::zip(outer(), outerIndices))
      group.indices[dimension] = index;
    group.indices.back() = math.add(at.index, i * lanes);
    group.lanes = lanes;
    group.mask = at.mask;
  }
  for (int64_t number = 0, e = stages.passes.size(); number < e; ++number) {
    RowPasses::State state;
    for (RowGroup &group : groups) {
      if (failed(passes.begin(builder, group, number)))
        return failure();
      llvm::append_range(state, passes.start(builder, number, lanes));
    }
    if (passes.isEmpty(number))
      continue;
    FailureOr<RowPasses::State> end =
        emitPass(builder, groups, number, state);
    if (failed(end))
      return failure();
    size_t width = end->size() / groups.size();
    for (auto [i, group] : llvm::enumerate(groups))
      if (failed(passes.finish(builder, group, number,
                               ValueRange(*end).slice(i * width, width))))
        return failure();
  }
  for (RowGroup &group : groups)
    if (failed(passes.storeRowOutputs(builder, group)))
      return failure();
  return success();
}

LogicalResult ColumnReductions::emitColumns(OpBuilder &builder,
                                            ArrayRef<Value> outerIndices,
                                            Value from, Value to) {
  return Strip(lanes, unroll)
      .emit(builder, loc(), {from, to}, [&](OpBuilder &inner, StripStep at) {
        return emitStrip(inner, outerIndices, at);
      });
}

LogicalResult ColumnReductions::emit(OpBuilder &builder) {
  IndexBuilder index(builder, loc());
  int64_t strip = lanes * unroll;
  Value one = index.constant(1);
  auto atLeastOne = [&](Value value) { return index.max(value, one); };
  Value columns = sizes.back();
  Value depth = atLeastOne(index.product(sizesOf(stages.reduced)));
  Value stripSize = index.constant(strip);
  Value strips = index.constant(llvm::divideCeil(rows.taskElements, strip));
  Value chunk = index.mul(atLeastOne(index.div(strips, depth)), stripSize);
  Value parts = atLeastOne(index.ceilDiv(columns, chunk));
  Value outerCount = index.product(sizesOf(outer()));
  Value perTask = atLeastOne(index.div(chunk, atLeastOne(columns)));
  Value blocks = index.ceilDiv(outerCount, perTask);
  return rows.emitTasks(
      builder, index.mul(blocks, parts),
      [&](OpBuilder &task, Value number) -> LogicalResult {
        IndexBuilder index(task, loc());
        passes.allocateScratch(task, strip);
        SmallVector<Value> place = index.delinearize(number, {blocks, parts});
        Value first = index.mul(place[0], perTask);
        Value last = index.min(index.add(first, perTask), outerCount);
        Value from = index.mul(place[1], chunk);
        Value to = constantOf(parts) == 1
                       ? columns
                       : index.min(index.add(from, chunk), columns);
        return emitLoop(
            task, loc(), {first, last, 1}, [&](OpBuilder &inner, Value row) {
              IndexBuilder index(inner, loc());
              return emitColumns(
                  inner, index.delinearize(row, sizesOf(outer())), from, to);
            });
      });
}

LogicalResult cpu::emitColumnReductions(RowKernel &rows, OpBuilder &builder,
                                        const RowStages &stages) {
  FailureOr<SmallVector<Value>> sizes = rows.sizesOf(builder, stages.space);
  if (failed(sizes))
    return failure();
  return ColumnReductions(rows, stages, *sizes).emit(builder);
}
