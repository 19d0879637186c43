// Few long rows: each pass is split into parts that run in parallel.
//
// Whole rows would leave most threads idle. The outermost reduced dimension is
// split into at most 64 parts, by sizes only; each part leaves its accumulators
// in a slot of its own, and the slots are joined in their order:
//
//   s = sum of x[0 .. 1000000]  ==>  for each part p of 61, in parallel:
//                                      slot[p] = sum of x[16400 p .. 16400 (p + 1)]
//                                    s = slot[0] + slot[1] + ...
#include "lib/Target/CPU/Rows/RowReductions.h"
#include "lib/Target/Elements/LaneIndex.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

namespace {

constexpr int64_t kMostParts = 64;

class LongRows : public RowReductions {
public:
  using RowReductions::RowReductions;

  LogicalResult emit(OpBuilder &builder);

private:
  LogicalResult emitRow(OpBuilder &builder, ArrayRef<Value> kept);
  FailureOr<RowPasses::State> emitParts(OpBuilder &builder,
                                        const RowGroup &group, int64_t number);

  Value parts, chunk;
};

} // namespace

FailureOr<RowPasses::State> LongRows::emitParts(OpBuilder &builder,
                                                const RowGroup &group,
                                                int64_t number) {
  IndexBuilder index(builder, loc());
  using State = RowPasses::State;
  SmallVector<Value> slots;
  State neutral = passes.widen(builder, number,
                               passes.start(builder, number, /*lanes=*/1));
  for (Value value : neutral)
    slots.push_back(memref::AllocaOp::create(
        builder, loc(), MemRefType::get({kMostParts}, value.getType())));
  Value extent = sizes[stages.reduced.front()];
  LogicalResult result = rows.emitTasks(
      builder, parts, [&](OpBuilder &task, Value part) -> LogicalResult {
        IndexBuilder index(task, loc());
        Value from = index.mul(part, chunk);
        Value to = index.min(index.add(from, chunk), extent);
        FailureOr<State> state =
            emitPass(task, group, number, {from, to});
        if (failed(state))
          return failure();
        State joined = passes.widen(task, number, *state);
        for (auto [value, slot] : llvm::zip(joined, slots))
          memref::StoreOp::create(task, loc(), value, slot, part);
        return success();
      });
  if (failed(result))
    return failure();
  if (slots.empty())
    return State();
  return emitLoop(
      builder, loc(), {index.constant(0), parts, 1}, neutral,
      [&](OpBuilder &inner, Value part, ValueRange state) -> FailureOr<State> {
        State next;
        for (Value slot : slots)
          next.push_back(memref::LoadOp::create(inner, loc(), slot, part));
        return passes.merge(inner, number, state, next);
      });
}

LogicalResult LongRows::emitRow(OpBuilder &builder, ArrayRef<Value> kept) {
  RowGroup group;
  group.indices.resize(stages.rank());
  for (auto [dimension, index] : llvm::zip(stages.kept, kept))
    group.indices[dimension] = index;
  for (int64_t number = 0, e = stages.passes.size(); number < e; ++number) {
    if (failed(passes.begin(builder, group, number)))
      return failure();
    if (passes.isEmpty(number))
      continue;
    FailureOr<RowPasses::State> state = emitParts(builder, group, number);
    if (failed(state) ||
        failed(passes.finish(builder, group, number, *state)))
      return failure();
  }
  return passes.storeRowOutputs(builder, group);
}

LogicalResult LongRows::emit(OpBuilder &builder) {
  IndexBuilder index(builder, loc());
  Value one = index.constant(1);
  Value extent = sizes[stages.reduced.front()];
  Value inner = index.product(sizesOf(ArrayRef(stages.reduced).drop_front()));
  Value elements = index.constant(rows.taskElements);
  Value smallest = index.max(index.div(elements, index.max(inner, one)), one);
  // Whole strips, and no more parts than there are slots.
  Value most = index.constant(kMostParts);
  chunk = index.max(smallest, index.ceilDiv(extent, most));
  Value strip = index.constant(rows.lanes * rows.unroll);
  if (stages.reduced.size() == 1)
    chunk = index.mul(index.ceilDiv(chunk, strip), strip);
  parts = index.ceilDiv(extent, chunk);
  Value rowCount = index.product(sizesOf(stages.kept));
  for (int64_t row = 0, e = *constantOf(rowCount); row < e; ++row)
    if (failed(emitRow(builder, index.delinearize(index.constant(row),
                                                  sizesOf(stages.kept)))))
      return failure();
  return success();
}

LogicalResult cpu::emitLongRows(RowKernel &rows, OpBuilder &builder,
                                const RowStages &stages,
                                ArrayRef<Value> sizes) {
  return LongRows(rows, stages, sizes).emit(builder);
}
