// The running softmax of attention, row by row.
#include "lib/Target/CPU/Attention/AttentionTask.h"
#include "lib/Target/CPU/Contraction/PanelAccess.h"
#include "lib/Target/CPU/Math/VectorMath.h"
#include "lib/Target/CPU/Rows/RowLoops.h"
#include "lib/Target/Elements/IndexBuilder.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include <limits>

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

static constexpr float kInfinity = std::numeric_limits<float>::infinity();
static constexpr float kLog2E = 1.44269504f;
/// Vectors of a row in flight.
static constexpr int64_t kUnroll = 4;

Value AttentionTask::larger(Value a, Value b) {
  // In this order one vmaxps.
  Value above = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OGT,
                                      a, b);
  return arith::SelectOp::create(builder, loc, above, a, b);
}

Value AttentionTask::reduceLanes(Value vector,
                                 function_ref<Value(Value, Value)> combine) {
  for (int64_t distance = lanes / 2; distance >= 1; distance /= 2) {
    SmallVector<int64_t> order;
    for (int64_t lane = 0; lane < lanes; ++lane)
      order.push_back(lane ^ distance);
    vector = combine(vector, vector::ShuffleOp::create(builder, loc, vector,
                                                       vector, order));
  }
  return vector::ExtractOp::create(builder, loc, vector, int64_t(0));
}

/// 2^distance, or e^distance where scores are natural.
Value AttentionTask::exponential(Value distance) {
  VectorMath math(builder, loc);
  return isNatural() ? math.expNotPositive(distance)
                     : math.exp2NotPositive(distance);
}

/// Keys of the block before the first one behind what a row sees.
Value AttentionTask::seenEnd(const Row &place) {
  if (!attention.right)
    return blockKeys;
  IndexBuilder index(builder, loc);
  Value end = index.sub(index.add(index.add(place.query, context.offset),
                                  *attention.right + 1),
                        blockKey);
  return index.min(index.max(end, index.constant(0)), blockKeys);
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

/// Elements of a bias or mask for keys from `key` on; dimensions of size 1 are
/// broadcast.
FailureOr<Value> AttentionTask::elementAt(Value tensor, const Row &place,
                                          Value key, Value mask) {
  auto type = cast<RankedTensorType>(tensor.getType());
  IndexBuilder index(builder, loc);
  SmallVector<Value> indices = {batch, place.head, place.query, key};
  for (auto [dimension, size] : llvm::enumerate(type.getShape()))
    if (size == 1)
      indices[dimension] = index.constant(0);
  if (type.getDimSize(3) != 1)
    return context.elements.emit(builder, loc, tensor, indices, lanes, mask);
  FailureOr<Value> single =
      context.elements.emit(builder, loc, tensor, indices, 1);
  if (failed(single))
    return failure();
  return Value(vector::BroadcastOp::create(
      builder, loc, VectorType::get(lanes, type.getElementType()), *single));
}

/// The scores of the keys from number `column` of the block on.
FailureOr<Value> AttentionTask::score(Value value, const Row &place,
                                      Value column, Value mask) {
  attention::SdpaOp root = attention.root;
  if (std::optional<APFloat> cap = root.getSoftcap()) {
    float factor = cap->convertToFloat() * (isNatural() ? 1.0f : kLog2E);
    value = arith::MulFOp::create(builder, loc,
                                  VectorMath(builder, loc).tanh(value),
                                  floatConstant(factor, lanes));
  }
  Value key = IndexBuilder(builder, loc).add(blockKey, column);
  if (Value bias = root.getBias()) {
    FailureOr<Value> addend = elementAt(bias, place, key, mask);
    if (failed(addend))
      return failure();
    value = arith::AddFOp::create(builder, loc, value,
                                  widen(builder, loc, *addend));
  }
  Value hidden = floatConstant(-kInfinity, lanes);
  if (root.getMask()) {
    FailureOr<Value> seen = elementAt(root.getMask(), place, key, mask);
    if (failed(seen))
      return failure();
    value = arith::SelectOp::create(builder, loc, *seen, value, hidden);
  }
  if (attention.left) {
    IndexBuilder index(builder, loc);
    Value first = index.sub(index.add(place.query, context.offset),
                            index.add(key, *attention.left));
    Value before = vector::CreateMaskOp::create(
        builder, loc, VectorType::get(lanes, builder.getI1Type()), first);
    value = arith::SelectOp::create(builder, loc, before, hidden, value);
  }
  return value;
}

FailureOr<Value> AttentionTask::rowMaximum(Value row, const Row &place,
                                           Value end) {
  auto step = [&](OpBuilder &inner, StripStep at,
                  ValueRange state) -> FailureOr<Strip::State> {
    OpBuilder::InsertionGuard guard(builder);
    builder.restoreInsertionPoint(inner.saveInsertionPoint());
    Strip::State next;
    for (int64_t i = 0; i < at.vectors; ++i) {
      Value column = IndexBuilder(builder, loc).add(at.index, i * lanes);
      Value value = loadScratch(scores, {row, column});
      if (attention.changesScores()) {
        FailureOr<Value> changed = score(value, place, column, at.mask);
        if (failed(changed))
          return failure();
        value = *changed;
      }
      if (at.mask)
        value = arith::SelectOp::create(builder, loc, at.mask, value,
                                        floatConstant(-kInfinity, lanes));
      if (attention.changesScores() || at.mask)
        vector::StoreOp::create(builder, loc, value, scores,
                                ValueRange{row, column});
      next.push_back(larger(value, state[i]));
    }
    return next;
  };
  auto merge = [&](OpBuilder &inner, ValueRange a,
                   ValueRange b) -> Strip::State {
    OpBuilder::InsertionGuard guard(builder);
    builder.restoreInsertionPoint(inner.saveInsertionPoint());
    return {larger(a[0], b[0])};
  };
  FailureOr<Strip::State> state =
      Strip(lanes, kUnroll)
          .emit(builder, loc, {IndexBuilder(builder, loc).constant(0), end},
                floatConstant(-kInfinity, lanes), step, merge);
  if (failed(state))
    return failure();
  return reduceLanes(state->front(),
                     [&](Value a, Value b) { return larger(a, b); });
}

//===----------------------------------------------------------------------===//
// Exponentials
//===----------------------------------------------------------------------===//

/// Replaces the scores by exponentials of their distance from `maximum`; their
/// sum.
FailureOr<Value> AttentionTask::rowExponentials(Value row, Value maximum,
                                                Value end) {
  Value distance = vector::BroadcastOp::create(
      builder, loc, VectorType::get(lanes, builder.getF32Type()), maximum);
  auto step = [&](OpBuilder &inner, StripStep at,
                  ValueRange state) -> FailureOr<Strip::State> {
    OpBuilder::InsertionGuard guard(builder);
    builder.restoreInsertionPoint(inner.saveInsertionPoint());
    Strip::State next;
    for (int64_t i = 0; i < at.vectors; ++i) {
      Value column = IndexBuilder(builder, loc).add(at.index, i * lanes);
      // Lanes behind the end hold -infinity by now, and give 0.
      Value value = exponential(arith::SubFOp::create(
          builder, loc, loadScratch(scores, {row, column}), distance));
      vector::StoreOp::create(builder, loc, value, scores,
                              ValueRange{row, column});
      next.push_back(arith::AddFOp::create(builder, loc, value, state[i]));
    }
    return next;
  };
  auto merge = [&](OpBuilder &inner, ValueRange a,
                   ValueRange b) -> Strip::State {
    return {arith::AddFOp::create(inner, loc, a[0], b[0])};
  };
  FailureOr<Strip::State> state =
      Strip(lanes, kUnroll)
          .emit(builder, loc, {IndexBuilder(builder, loc).constant(0), end},
                floatConstant(0, lanes), step, merge);
  if (failed(state))
    return failure();
  return reduceLanes(state->front(), [&](Value a, Value b) -> Value {
    return arith::AddFOp::create(builder, loc, a, b);
  });
}

LogicalResult AttentionTask::softmaxRow(Value row) {
  IndexBuilder index(builder, loc);
  Row at = place(row);
  Value end = seenEnd(at);
  FailureOr<Value> highest = rowMaximum(row, at, end);
  if (failed(highest))
    return failure();
  Value before = loadScalar(maxima, row);
  Value maximum = larger(*highest, before);
  memref::StoreOp::create(builder, loc, maximum, maxima, row);
  // A row of -infinity has no distances; from 0 they are -infinity.
  Value least = floatConstant(-kInfinity, 1);
  Value isLeast = arith::CmpFOp::create(
      builder, loc, arith::CmpFPredicate::OEQ, maximum, least);
  Value origin = arith::SelectOp::create(builder, loc, isLeast,
                                         floatConstant(0, 1), maximum);
  Value shrink =
      exponential(arith::SubFOp::create(builder, loc, before, origin));
  memref::StoreOp::create(builder, loc, shrink, shrinks, row);
  FailureOr<Value> added = rowExponentials(row, origin, end);
  if (failed(added))
    return failure();
  Value sum = arith::MulFOp::create(builder, loc, loadScalar(sums, row),
                                    shrink);
  memref::StoreOp::create(builder, loc,
                          arith::AddFOp::create(builder, loc, sum, *added),
                          sums, row);
  if (!attention.right)
    return success();
  // Keys that other rows of the tile see.
  Value filled = index.mul(index.ceilDiv(end, lanes), lanes);
  return forEach(filled, blockKeys, lanes, [&](Value column) {
    vector::StoreOp::create(builder, loc, floatConstant(0, lanes), scores,
                            ValueRange{row, column});
    return success();
  });
}
