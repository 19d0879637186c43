// Reductions along the last dimension; see the header.
#include "lib/Target/CPU/Rows/RowReductions.h"
#include "lib/Target/Elements/LaneIndex.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

FailureOr<RowPasses::State>
RowReductions::emitPass(OpBuilder &builder, const RowGroup &group,
                        int64_t number, IndexRange first) {
  IndexBuilder index(builder, loc());
  SmallVector<IndexRange> ranges = {first};
  Value zero = index.constant(0);
  if (!passes.isLinear())
    for (int64_t dimension : ArrayRef(stages.reduced).drop_front())
      ranges.push_back({zero, sizes[dimension]});
  // Lanes are joined in each block: a short row's single one is cheap to widen then.
  using State = RowPasses::State;
  return passes.emitBlocks(
      builder, number, ranges, rows.lanes * rows.unroll,
      passes.start(builder, number, /*lanes=*/1),
      [&](OpBuilder &inner, ArrayRef<IndexRange> block,
          ValueRange) -> FailureOr<State> {
        FailureOr<State> state =
            emitRanges(inner, group, number, group.indices, block);
        if (failed(state))
          return failure();
        return passes.acrossLanes(inner, number, *state);
      });
}

FailureOr<RowPasses::State>
RowReductions::emitRanges(OpBuilder &builder, const RowGroup &group,
                          int64_t number, ArrayRef<Value> indices,
                          ArrayRef<IndexRange> ranges) {
  using State = RowPasses::State;
  State initial = passes.start(builder, number, rows.lanes);
  auto [from, to] = ranges.front();
  auto merge = [&](OpBuilder &at, ValueRange a, ValueRange b) {
    return passes.merge(at, number, a, b);
  };
  if (ranges.size() > 1) {
    int64_t dimension = ArrayRef(stages.reduced).take_back(ranges.size()).front();
    return emitLoop(builder, loc(), {from, to, 1}, initial,
                    [&](OpBuilder &inner, Value index,
                        ValueRange state) -> FailureOr<State> {
                      SmallVector<Value> next(indices);
                      next[dimension] = index;
                      FailureOr<State> part = emitRanges(
                          inner, group, number, next, ranges.drop_front());
                      if (failed(part))
                        return failure();
                      return merge(inner, state, *part);
                    });
  }
  return Strip(rows.lanes, rows.unroll)
      .emit(
          builder, loc(), {from, to}, initial,
          [&](OpBuilder &inner, StripStep at,
              ValueRange state) -> FailureOr<State> {
            IndexBuilder index(inner, loc());
            State next;
            size_t width = initial.size();
            for (int64_t i = 0; i < at.vectors; ++i) {
              SmallVector<Value> place(indices);
              place.back() = index.add(at.index, i * rows.lanes);
              if (number == 0)
                prefetch(inner, place.back(), i);
              FailureOr<State> one = passes.step(inner, group, number,
                                                 {place, rows.lanes, at.mask},
                                                 state.slice(i * width, width));
              if (failed(one))
                return failure();
              llvm::append_range(next, *one);
            }
            return next;
          },
          merge);
}

void RowReductions::prefetch(OpBuilder &builder, Value column, int64_t vector) {
  constexpr int64_t kLineBits = 512;
  if (ahead.empty())
    return;
  SmallVector<Value> place(ahead);
  place.back() = column;
  for (int64_t number : prefetched) {
    bool isWrite = number >= rows.kernel.getInputCount();
    Value memref = rows.memrefs[number];
    int64_t bits = rows.lanes * cast<MemRefType>(memref.getType())
                                    .getElementTypeBitWidth();
    // Once for each line.
    if ((vector * bits) % std::max(bits, kLineBits) == 0)
      memref::PrefetchOp::create(builder, loc(), memref, place, isWrite,
                                 /*localityHint=*/3, /*isDataCache=*/true);
  }
}

LogicalResult RowReductions::emitRow(OpBuilder &builder, Value row,
                                     Value last) {
  IndexBuilder math(builder, loc());
  auto indicesOf = [&](Value number) {
    SmallVector<Value> indices(stages.rank());
    SmallVector<Value> place = math.delinearize(number, sizesOf(stages.kept));
    for (auto [dimension, index] : llvm::zip(stages.kept, place))
      indices[dimension] = index;
    return indices;
  };
  RowGroup group;
  group.indices = indicesOf(row);
  if (!prefetched.empty()) {
    auto constant = [&](int64_t value) { return math.constant(value); };
    ahead = indicesOf(math.min(math.add(row, constant(rows.prefetchRows)),
                               math.sub(last, constant(1))));
  }
  Value zero = math.constant(0);
  Value rowSize = sizes[stages.reduced.front()];
  if (passes.isLinear()) {
    rowSize = math.product(sizesOf(stages.reduced));
    passes.setRow(math.mul(row, rowSize));
  }
  for (int64_t number = 0, e = stages.passes.size(); number < e; ++number) {
    if (failed(passes.begin(builder, group, number)))
      return failure();
    if (passes.isEmpty(number))
      continue;
    FailureOr<RowPasses::State> state =
        emitPass(builder, group, number, {zero, rowSize});
    if (failed(state) ||
        failed(passes.finish(builder, group, number, *state)))
      return failure();
  }
  return passes.storeRowOutputs(builder, group);
}

bool RowReductions::readsRows() {
  passes.readLinearly();
  return stages.reducesLast() || passes.isLinear();
}

LogicalResult RowReductions::emit(OpBuilder &builder) {
  IndexBuilder index(builder, loc());
  Value one = index.constant(1);
  Value rowCount = index.product(sizesOf(stages.kept));
  Value rowSize = index.product(sizesOf(stages.reduced));
  Value elements = index.constant(rows.taskElements);
  Value perTask = index.max(index.div(elements, index.max(rowSize, one)), one);
  Value count = index.ceilDiv(rowCount, perTask);
  graph::SizeAnalysis analysis(rows.kernel.getContext());
  if (rows.prefetchRows > 0 && !passes.isLinear() && stages.reduced.size() == 1)
    for (int64_t i = 0, e = rows.memrefs.size(); i < e; ++i) {
      bool isStreamed = rows.streams && i >= rows.kernel.getInputCount();
      if (!isStreamed && analysis.haveSameSizes(rows.kernel.getArgument(i),
                                                stages.space))
        prefetched.push_back(i);
    }
  return rows.emitTasks(
      builder, count, [&](OpBuilder &task, Value number) -> LogicalResult {
        IndexBuilder index(task, loc());
        passes.allocateScratch(task, 1);
        if (passes.isLinear())
          passes.flattenOutputs(task);
        Value first = index.mul(number, perTask);
        Value last = index.min(index.add(first, perTask), rowCount);
        return emitLoop(task, loc(), {first, last, 1},
                        [&](OpBuilder &inner, Value row) {
                          return emitRow(inner, row, rowCount);
                        });
      });
}

/// Whether there are at most a few rows, so that they must be split to give work
/// to several threads.
static bool areFewLongRows(RowKernel &rows, const RowStages &stages,
                           ArrayRef<Value> sizes) {
  constexpr int64_t kFewRows = 4;
  auto productOf = [&](ArrayRef<int64_t> dimensions) {
    std::optional<int64_t> product = 1;
    for (int64_t dimension : dimensions) {
      std::optional<int64_t> size = constantOf(sizes[dimension]);
      product = product && size ? std::optional(*product * *size) : std::nullopt;
    }
    return product;
  };
  std::optional<int64_t> count = productOf(stages.kept);
  std::optional<int64_t> size = productOf(stages.reduced);
  return count && *count <= kFewRows &&
         (!size || *size > 2 * rows.taskElements);
}

LogicalResult cpu::emitRowReductions(RowKernel &rows, OpBuilder &builder,
                                     const RowStages &stages) {
  FailureOr<SmallVector<Value>> sizes = rows.sizesOf(builder, stages.space);
  if (failed(sizes))
    return failure();
  if (stages.reducesLast() && areFewLongRows(rows, stages, *sizes))
    return emitLongRows(rows, builder, stages, *sizes);
  RowReductions work(rows, stages, *sizes);
  return work.readsRows() ? work.emit(builder)
                          : emitColumnReductions(rows, builder, stages);
}
