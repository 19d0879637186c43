// Loops of row kernels; see the header.
#include "lib/Target/CPU/Rows/RowLoops.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tessera;

namespace tessera::cpu {

LogicalResult emitTasks(OpBuilder &builder, Location loc, Value count,
                        Value context,
                        function_ref<LogicalResult(OpBuilder &, Value)> body) {
  IndexBuilder index(builder, loc);
  if (constantOf(count) == 1)
    return body(builder, index.constant(0));
  LogicalResult result = success();
  kernel::ParallelForOp::create(builder, loc, count, context,
                                [&](OpBuilder &inner, Location, Value task,
                                    Value) { result = body(inner, task); });
  return result;
}

/// Keeps LLVM from unrolling `loop`.
static void keepRolled(scf::ForOp loop) {
  MLIRContext *context = loop.getContext();
  auto unroll = LLVM::LoopUnrollAttr::get(
      context, /*disable=*/BoolAttr::get(context, true), {}, {}, {}, {}, {},
      {});
  loop->setAttr("llvm.loop_annotation",
                LLVM::LoopAnnotationAttr::get(context, {}, {}, {}, unroll, {},
                                              {}, {}, {}, {}, {}, {}, {}, {},
                                              {}, {}));
}

LogicalResult emitLoop(OpBuilder &builder, Location loc, LoopRange range,
                       function_ref<LogicalResult(OpBuilder &, Value)> body) {
  auto [lower, upper, step, isRolled] = range;
  IndexBuilder index(builder, loc);
  std::optional<int64_t> first = constantOf(lower), end = constantOf(upper);
  if (first && end && *end <= *first)
    return success();
  if (first && end && *end - *first <= step)
    return body(builder, lower);
  // The body sees the loop around it, whose bounds and step tell of the index.
  auto loop =
      scf::ForOp::create(builder, loc, lower, upper, index.constant(step));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  if (isRolled)
    keepRolled(loop);
  return body(builder, loop.getInductionVar());
}

FailureOr<SmallVector<Value>> emitLoop(
    OpBuilder &builder, Location loc, LoopRange range, ValueRange state,
    function_ref<FailureOr<SmallVector<Value>>(OpBuilder &, Value, ValueRange)>
        body) {
  auto [lower, upper, step, isRolled] = range;
  IndexBuilder index(builder, loc);
  std::optional<int64_t> first = constantOf(lower), end = constantOf(upper);
  if (first && end && *end <= *first)
    return Strip::State(state);
  if (first && end && *end - *first <= step)
    return body(builder, lower, state);
  auto loop = scf::ForOp::create(builder, loc, lower, upper,
                                 index.constant(step), state);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Strip::State values(loop.getRegionIterArgs());
  FailureOr<Strip::State> next = body(builder, loop.getInductionVar(), values);
  bool failedBody = failed(next);
  // A loop without a state has its end.
  if (!state.empty())
    scf::YieldOp::create(builder, loc, failedBody ? values : *next);
  if (failedBody)
    return failure();
  if (isRolled)
    keepRolled(loop);
  return Strip::State(loop.getResults());
}

/// Unrolled in full, the passes over a row keep its elements in registers for
/// each other: good for a few vectors, otherwise they spill.
bool Strip::fitsRegisters(Value length) const {
  constexpr int64_t kVectors = 8;
  std::optional<int64_t> known = constantOf(length);
  return known && *known <= kVectors * lanes;
}

FailureOr<Strip::State> Strip::emit(OpBuilder &builder, Location loc,
                                    IndexRange range, ValueRange initial,
                                    Step step, Merge merge) {
  Value lower = range.from, upper = range.to;
  IndexBuilder math(builder, loc);
  Value length = math.sub(upper, lower);
  auto roundedDown = [&](int64_t multiple) {
    Value size = math.constant(multiple);
    return math.add(lower, math.mul(math.div(length, size), size));
  };
  State state(initial);
  Value done = lower;
  if (unroll > 1 && !(constantOf(length) && *constantOf(length) < 2 * lanes)) {
    Value wide = roundedDown(lanes * unroll);
    State sets;
    for (int64_t i = 0; i < unroll; ++i)
      llvm::append_range(sets, initial);
    FailureOr<State> all = emitLoop(
        builder, loc,
        {lower, wide, lanes * unroll, /*isRolled=*/!fitsRegisters(length)},
        sets, [&](OpBuilder &inner, Value index, ValueRange values) {
          return step(inner, {index, unroll, {}}, values);
        });
    if (failed(all))
      return failure();
    // Joined as a balanced tree.
    for (int64_t distance = 1; distance < unroll && !initial.empty();
         distance *= 2)
      for (int64_t i = 0; i + distance < unroll; i += 2 * distance) {
        size_t size = initial.size();
        ValueRange a = ValueRange(*all).slice(i * size, size);
        ValueRange b = ValueRange(*all).slice((i + distance) * size, size);
        State joined = merge(builder, a, b);
        llvm::copy(joined, all->begin() + i * size);
      }
    state.assign(all->begin(), all->begin() + initial.size());
    done = wide;
  }
  Value whole = roundedDown(lanes);
  FailureOr<State> singles =
      emitLoop(builder, loc, {done, whole, lanes}, state,
               [&](OpBuilder &inner, Value index, ValueRange values) {
                 return step(inner, {index, 1, {}}, values);
               });
  if (failed(singles) || lanes == 1)
    return singles;
  // At most one iteration, with as many lanes as are left.
  return emitLoop(builder, loc, {whole, upper, lanes}, *singles,
                  [&](OpBuilder &inner, Value index, ValueRange values) {
                    IndexBuilder math(inner, loc);
                    Value left = math.sub(upper, index);
                    Value mask = vector::CreateMaskOp::create(
                        inner, loc, VectorType::get({lanes}, inner.getI1Type()),
                        left);
                    return step(inner, {index, 1, mask}, values);
                  });
}

LogicalResult
Strip::emit(OpBuilder &builder, Location loc, IndexRange range,
            function_ref<LogicalResult(OpBuilder &, StripStep)> step) {
  FailureOr<State> state = emit(
      builder, loc, range, {},
      [&](OpBuilder &inner, StripStep at, ValueRange) -> FailureOr<State> {
        if (failed(step(inner, at)))
          return failure();
        return State();
      },
      [](OpBuilder &, ValueRange, ValueRange) { return State(); });
  return success(succeeded(state));
}

} // namespace tessera::cpu
