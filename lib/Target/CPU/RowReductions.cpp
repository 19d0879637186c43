// Reductions along the last dimension: lanes lie along the rows.
//
// Tasks are whole rows. Each pass goes once over the row in strips of `unroll`
// vectors, each with its own accumulators, which are joined as a balanced tree
// at the end of the pass:
//
//   y = x - mean(x)  ==>  for each row i of the task:
//                           a0..a3 = 0
//                           for j in steps of 4 vectors:     pass 0
//                             ak += x[i, j + k * lanes ..]
//                           m = across lanes((a0 + a1) + (a2 + a3)) / n
//                           for j in steps of 4 vectors:     pass 1
//                             y[i, j ..] = x[i, j ..] - m
#include "lib/Target/CPU/LaneIndex.h"
#include "lib/Target/CPU/RowPasses.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

namespace {

struct RowReductions {
  RowKernel &rows;
  const RowStages &stages;
  RowPasses passes;
  SmallVector<Value> sizes;

  RowReductions(RowKernel &rows, const RowStages &stages,
                ArrayRef<Value> sizes)
      : rows(rows), stages(stages), passes(rows, stages), sizes(sizes) {}

  Location loc() { return rows.loc; }
  SmallVector<Value> sizesOf(ArrayRef<int64_t> dimensions) {
    return llvm::map_to_vector(dimensions,
                               [&](int64_t d) { return sizes[d]; });
  }

  LogicalResult emit(OpBuilder &builder);
  LogicalResult emitRow(OpBuilder &builder, Value row);
  /// The pass over the reduced dimensions from `depth` on.
  FailureOr<RowPasses::State> emitPass(OpBuilder &builder,
                                       const RowGroup &group, int64_t number,
                                       size_t depth, ArrayRef<Value> indices);
};

} // namespace

FailureOr<RowPasses::State>
RowReductions::emitPass(OpBuilder &builder, const RowGroup &group,
                        int64_t number, size_t depth,
                        ArrayRef<Value> indices) {
  using State = RowPasses::State;
  State initial = passes.start(builder, number, rows.lanes);
  Value zero = indexConstant(builder, loc(), 0);
  auto merge = [&](OpBuilder &at, ValueRange a, ValueRange b) {
    return passes.merge(at, number, a, b);
  };
  if (depth + 1 < stages.reduced.size()) {
    int64_t dimension = stages.reduced[depth];
    return emitLoop(
        builder, loc(), zero, sizes[dimension], 1, initial,
        [&](OpBuilder &inner, Value index,
            ValueRange state) -> FailureOr<State> {
          SmallVector<Value> next(indices);
          next[dimension] = index;
          FailureOr<State> part =
              emitPass(inner, group, number, depth + 1, next);
          if (failed(part))
            return failure();
          return merge(inner, state, *part);
        });
  }
  return Strip(rows.lanes, rows.unroll)
      .emit(
          builder, loc(), zero, sizes.back(), initial,
          [&](OpBuilder &inner, StripStep at,
              ValueRange state) -> FailureOr<State> {
            State next;
            size_t width = initial.size();
            for (int64_t i = 0; i < at.vectors; ++i) {
              SmallVector<Value> place(indices);
              place.back() =
                  indexAdd(inner, loc(), at.index,
                           indexConstant(inner, loc(), i * rows.lanes));
              FailureOr<State> one =
                  passes.step(inner, group, number, place, rows.lanes, at.mask,
                              state.slice(i * width, width));
              if (failed(one))
                return failure();
              llvm::append_range(next, *one);
            }
            return next;
          },
          merge);
}

LogicalResult RowReductions::emitRow(OpBuilder &builder, Value row) {
  RowGroup group;
  group.indices.resize(stages.rank());
  SmallVector<Value> place =
      cpu::delinearize(builder, loc(), row, sizesOf(stages.kept));
  for (auto [dimension, index] : llvm::zip(stages.kept, place))
    group.indices[dimension] = index;
  for (int64_t number = 0, e = stages.passes.size(); number < e; ++number) {
    if (failed(passes.begin(builder, group, number)))
      return failure();
    if (passes.isEmpty(number))
      continue;
    FailureOr<RowPasses::State> state =
        emitPass(builder, group, number, 0, group.indices);
    if (failed(state) ||
        failed(passes.finish(builder, group, number, *state)))
      return failure();
  }
  return passes.storeRowOutputs(builder, group);
}

LogicalResult RowReductions::emit(OpBuilder &builder) {
  Value one = indexConstant(builder, loc(), 1);
  Value rowCount = indexProduct(builder, loc(), sizesOf(stages.kept));
  Value rowSize = indexProduct(builder, loc(), sizesOf(stages.reduced));
  Value elements = indexConstant(builder, loc(), rows.taskElements);
  Value perTask = indexMax(
      builder, loc(),
      indexDiv(builder, loc(), elements,
               indexMax(builder, loc(), rowSize, one)),
      one);
  Value count = indexCeilDiv(builder, loc(), rowCount, perTask);
  return emitTasks(
      builder, loc(), count, rows.context,
      [&](OpBuilder &task, Value number) -> LogicalResult {
        passes.allocateScratch(task, 1);
        Value first = indexMul(task, loc(), number, perTask);
        Value last = indexMin(task, loc(),
                              indexAdd(task, loc(), first, perTask), rowCount);
        return emitLoop(
            task, loc(), first, last, 1,
            [&](OpBuilder &inner, Value row) { return emitRow(inner, row); });
      });
}

LogicalResult cpu::emitRowReductions(RowKernel &rows, OpBuilder &builder,
                                     const RowStages &stages) {
  FailureOr<SmallVector<Value>> sizes = rows.sizesOf(builder, stages.space);
  if (failed(sizes))
    return failure();
  return RowReductions(rows, stages, *sizes).emit(builder);
}
