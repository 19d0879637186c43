// The first step of windows that overlap, down the columns; see the header.
#include "lib/Target/CPU/Windows/SeparableWindows.h"

#include "lib/Target/Elements/LaneIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

//===----------------------------------------------------------------------===//
// Windows of one dimension
//===----------------------------------------------------------------------===//

/// As the kernel's, but that it may lose a NaN.
Value SeparableWindows::combine(OpBuilder &builder, Value a, Value b,
                                bool keepsNaN) {
  if (keepsNaN || !watchesNaN())
    return work.combine(builder, a, b);
  Value isLarger = arith::CmpFOp::create(builder, loc(),
                                         arith::CmpFPredicate::OGT, a, b);
  return arith::SelectOp::create(builder, loc(), isLarger, a, b);
}

/// `count` neighbours: what all of them have is reduced once, what is before and
/// behind it step by step.
FailureOr<SmallVector<Value>>
SeparableWindows::slide(OpBuilder &builder, Sliding windows, int64_t count,
                        bool keepsNaN, Accumulate accumulate) {
  int64_t stride = windows.stride, size = windows.size;
  FailureOr<Value> shared = accumulate({}, (count - 1) * stride, size);
  if (failed(shared))
    return failure();
  SmallVector<Value> results(count, *shared);
  auto extend = [&](Value part, int64_t from, int64_t window) -> FailureOr<Value> {
    FailureOr<Value> longer = accumulate(part, from, from + stride);
    if (succeeded(longer))
      results[window] =
          combine(builder, *longer, results[window], keepsNaN);
    return longer;
  };
  FailureOr<Value> before = Value(), behind = Value();
  for (int64_t i = count - 2; i >= 0 && succeeded(before); --i)
    before = extend(*before, i * stride, i);
  for (int64_t i = 1; i < count && succeeded(behind); ++i)
    behind = extend(*behind, (i - 1) * stride + size, i);
  if (failed(before) || failed(behind))
    return failure();
  return results;
}

/// The flags, all ones where one of the values is a NaN.
SmallVector<Value> SeparableWindows::watch(OpBuilder &builder, ValueRange flags,
                                           ArrayRef<Value> values) {
  if (flags.empty())
    return {};
  Value flag = flags.front();
  for (size_t i = 0; i < values.size(); i += 2) {
    Value other = values[std::min(i + 1, values.size() - 1)];
    Value isNaN =
        arith::CmpFOp::create(builder, loc(), arith::CmpFPredicate::UNO,
                              values[i], other);
    Value bits =
        arith::ExtSIOp::create(builder, loc(), flag.getType(), isNaN);
    flag = arith::OrIOp::create(builder, loc(), flag, bits);
  }
  return {flag};
}

//===----------------------------------------------------------------------===//
// First step: down the columns
//===----------------------------------------------------------------------===//

/// The windows of one column, one accumulator for each row of the block. `seen`
/// receives the values that have every NaN of the column.
FailureOr<SmallVector<Value>>
SeparableWindows::reduceColumn(OpBuilder &builder, const Block &block,
                               const Column &at, SmallVectorImpl<Value> &seen) {
  IndexBuilder math(builder, loc());
  const Window &window = at.window;
  int64_t depth = at.kernelIndices.size();
  graph::PoolOp pool = work.pool;
  // Dimensions above the rows, as of a volume: window by window.
  if (depth < rowDimension()) {
    SmallVector<Value> initial(blockRows, work.start(builder));
    FailureOr<SmallVector<Value>> results = emitLoop(
        builder, loc(), {window.first[depth], window.end[depth], 1}, initial,
        [&](OpBuilder &inner, Value index,
            ValueRange state) -> FailureOr<SmallVector<Value>> {
          Column next = at;
          next.kernelIndices.push_back(index);
          next.isInside = false;
          SmallVector<Value> inside;
          FailureOr<SmallVector<Value>> slice =
              reduceColumn(inner, block, next, inside);
          if (failed(slice))
            return failure();
          SmallVector<Value> sums;
          for (auto [a, b] : llvm::zip(state, *slice))
            sums.push_back(work.combine(inner, a, b));
          return sums;
        });
    if (succeeded(results))
      seen.assign(results->begin(), results->end());
    return results;
  }
  SmallVector<Value> place = {block.position.front()};
  for (auto [i, index] : llvm::enumerate(at.kernelIndices)) {
    Value offset = math.mul(index, pool.getDilations()[i]);
    place.push_back(
        math.sub(math.add(window.origin[i], offset), pool.getPadLow()[i]));
  }
  if (rowDimension() < 0) {
    llvm::append_values(place, at.column, at.channel);
    FailureOr<Value> x = work.load(builder, place, at.mask);
    if (failed(x))
      return failure();
    seen.assign({*x});
    return SmallVector<Value>{*x};
  }
  Value origin = window.origin[rowDimension()];
  Value low = math.constant(pool.getPadLow()[rowDimension()]);
  auto load = [&](OpBuilder &inner, Value element) {
    IndexBuilder index(inner, loc());
    SmallVector<Value> indices(place);
    Value row = index.add(origin, index.mul(element, rows.dilation));
    llvm::append_values(indices, index.sub(row, low), at.column, at.channel);
    return work.load(inner, indices, at.mask);
  };
  if (at.isInside)
    return slide(builder, rows, blockRows, /*keepsNaN=*/false,
                 [&](Value state, int64_t from,
                     int64_t to) -> FailureOr<Value> {
                   for (int64_t i = from; i < to; ++i) {
                     FailureOr<Value> x = load(builder, math.constant(i));
                     if (failed(x))
                       return failure();
                     seen.push_back(*x);
                     state = state ? combine(builder, *x, state, false) : *x;
                   }
                   return state;
                 });
  // The elements between the paddings.
  auto before = [&](Value bound) {
    Value distance = math.sub(math.max(bound, origin), origin);
    return math.ceilDiv(distance, rows.dilation);
  };
  Value first = before(low);
  Value end = before(math.add(work.inputSizes[1 + rowDimension()], low));
  FailureOr<SmallVector<Value>> results = slide(
      builder, rows, blockRows, /*keepsNaN=*/true,
      [&](Value state, int64_t from, int64_t to) -> FailureOr<Value> {
        Value lower = math.max(math.constant(from), first);
        Value upper = math.min(math.constant(to), end);
        SmallVector<Value> initial = {state ? state : work.start(builder)};
        FailureOr<SmallVector<Value>> values = emitLoop(
            builder, loc(), {lower, upper, 1}, initial,
            [&](OpBuilder &inner, Value element,
                ValueRange sums) -> FailureOr<SmallVector<Value>> {
              FailureOr<Value> x = load(inner, element);
              if (failed(x))
                return failure();
              return SmallVector<Value>{work.combine(inner, sums.front(), *x)};
            });
        if (failed(values))
          return failure();
        return values->front();
      });
  if (succeeded(results))
    seen.assign(results->begin(), results->end());
  return results;
}

FailureOr<SmallVector<Value>>
SeparableWindows::emitColumns(OpBuilder &builder, const Block &block,
                              bool isInside, ValueRange flags) {
  IndexBuilder index(builder, loc());
  Window window = work.windowAt(builder, block.position);
  Value low = index.constant(work.pool.getPadLow()[columnDimension()]);
  // Column `j` and, of planar blocks, those beside it.
  auto step = [&](OpBuilder &at, Value j, Value channel, Value mask,
                  ValueRange values) -> FailureOr<SmallVector<Value>> {
    IndexBuilder index(at, loc());
    Value column = index.sub(index.add(block.firstColumn, j), low);
    SmallVector<Value> seen;
    FailureOr<SmallVector<Value>> results =
        reduceColumn(at, block,
                     {window,
                      {},
                      column,
                      index.add(block.firstChannel, channel),
                      mask,
                      isInside},
                     seen);
    if (failed(results))
      return failure();
    for (auto [row, value] : llvm::enumerate(*results))
      vector::StoreOp::create(
          at, loc(), value, scratch,
          scratchIndices(at, index.constant(row), j, channel));
    return watch(at, values, seen);
  };
  auto merge = [](OpBuilder &, ValueRange a, ValueRange) {
    return SmallVector<Value>(a);
  };
  Strip strip(work.rows.lanes, 1);
  Value zero = index.constant(0);
  if (work.isPlanar)
    return strip.emit(
        builder, loc(), {block.insideFrom, block.insideTo}, flags,
        [&](OpBuilder &at, StripStep place, ValueRange values) {
          return step(at, place.index, zero, place.mask, values);
        },
        merge);
  return emitLoop(builder, loc(),
                  {block.insideFrom, block.insideTo, 1, /*isRolled=*/true},
                  flags, [&](OpBuilder &inner, Value j, ValueRange state) {
                    return strip.emit(
                        inner, loc(), {zero, block.channelCount}, state,
                        [&](OpBuilder &at, StripStep place, ValueRange values) {
                          return step(at, j, place.index, place.mask, values);
                        },
                        merge);
                  });
}

SmallVector<Value> SeparableWindows::scratchIndices(OpBuilder &builder,
                                                    Value row, Value j,
                                                    Value channel) {
  IndexBuilder index(builder, loc());
  if (work.isPlanar)
    return {row, index.constant(0), j};
  return {row, j, channel};
}

LogicalResult SeparableWindows::emitPadding(OpBuilder &builder,
                                            const Block &block, Value from,
                                            Value to) {
  IndexBuilder index(builder, loc());
  Value zero = index.constant(0);
  auto fill = [&](OpBuilder &at, Value j, Value channel) {
    IndexBuilder index(at, loc());
    Value empty = work.start(at);
    for (int64_t row = 0; row < blockRows; ++row)
      vector::StoreOp::create(
          at, loc(), empty, scratch,
          scratchIndices(at, index.constant(row), j, channel));
    return success();
  };
  if (work.isPlanar)
    return emitLoop(
        builder, loc(), {from, to, work.rows.lanes},
        [&](OpBuilder &inner, Value j) { return fill(inner, j, zero); });
  return emitLoop(builder, loc(), {from, to, 1},
                  [&](OpBuilder &inner, Value j) {
                    return Strip(work.rows.lanes, 1)
                        .emit(inner, loc(), {zero, block.channelCount},
                              [&](OpBuilder &at, StripStep place) {
                                return fill(at, j, place.index);
                              });
                  });
}
