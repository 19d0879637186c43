// A task of attention: scratch, the loop over blocks of keys, results.
#include "lib/Target/CPU/Attention/AttentionTask.h"
#include "lib/Target/CPU/Contraction/PanelAccess.h"
#include "lib/Target/CPU/Elements/OperandView.h"
#include "lib/Target/Elements/IndexBuilder.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <limits>

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

static constexpr float kLog2E = 1.44269504f;

//===----------------------------------------------------------------------===//
// Operands
//===----------------------------------------------------------------------===//

void AttentionOperand::prepare(OpBuilder &builder, Location loc,
                               OperandViews &views) {
  memref = views.view(builder, loc, tensor);
  if (memref && staticStride(memref, 3) != 1)
    memref = {};
}

bool AttentionOperand::isInPlace() const {
  return memref && getElementTypeOrSelf(tensor.getType()).isF32();
}

FailureOr<Value> AttentionOperand::load(OpBuilder &builder, Location loc,
                                        ArrayRef<Value> indices, int64_t lanes,
                                        Value mask) const {
  if (memref)
    return loadVector(builder, loc, memref, indices, lanes, mask);
  FailureOr<Value> value =
      elements.emit(builder, loc, tensor, indices, lanes, mask);
  if (failed(value))
    return failure();
  return widen(builder, loc, *value);
}

//===----------------------------------------------------------------------===//
// Small parts
//===----------------------------------------------------------------------===//

AttentionTask::AttentionTask(AttentionContext &context, OpBuilder builder,
                             Location loc, bool isShort)
    : context(context), attention(context.attention), builder(builder),
      loc(loc), lanes(context.schedule.getLanes()), isShort(isShort),
      multiply(MultiplyAccumulate::create(kernel::MultiplyAccumulate::F32,
                                          lanes)) {}

LogicalResult AttentionTask::forEach(Value first, Value last, int64_t step,
                                     Loop body) {
  std::optional<int64_t> from = constantOf(first), to = constantOf(last);
  if (from && to && *to - *from <= step)
    return *to > *from ? body(first) : success();
  auto loop = scf::ForOp::create(builder, loc, first, last,
                                 IndexBuilder(builder, loc).constant(step));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  return body(loop.getInductionVar());
}

Value AttentionTask::lanesBelow(int64_t count) {
  SmallVector<bool> inside;
  for (int64_t lane = 0; lane < lanes; ++lane)
    inside.push_back(lane < count);
  return arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(VectorType::get(lanes, builder.getI1Type()),
                             ArrayRef<bool>(inside)));
}

LogicalResult AttentionTask::forEachVector(
    int64_t count, function_ref<LogicalResult(Value, Value)> body) {
  IndexBuilder index(builder, loc);
  int64_t whole = count / lanes * lanes;
  if (failed(forEach(index.constant(0), index.constant(whole), lanes,
                     [&](Value column) { return body(column, Value()); })))
    return failure();
  return whole == count
             ? success()
             : body(index.constant(whole), lanesBelow(count - whole));
}

Value AttentionTask::floatConstant(float value, int64_t lanes) {
  TypedAttr scalar = builder.getF32FloatAttr(value);
  if (lanes > 1)
    scalar = DenseElementsAttr::get(
        VectorType::get(lanes, builder.getF32Type()), Attribute(scalar));
  return arith::ConstantOp::create(builder, loc, scalar);
}

Value AttentionTask::loadScalar(Value memref, ValueRange indices) {
  return memref::LoadOp::create(builder, loc, memref, indices);
}

Value AttentionTask::loadScratch(Value memref, ValueRange indices) {
  return vector::LoadOp::create(builder, loc,
                                VectorType::get(lanes, builder.getF32Type()),
                                memref, indices);
}

AttentionTask::Row AttentionTask::place(Value row) {
  IndexBuilder index(builder, loc);
  Value number = index.add(firstRow, row);
  if (attention.group == 1)
    return {keyHead, number};
  return {index.add(index.mul(keyHead, attention.group),
                    index.div(number, context.queries)),
          index.rem(number, context.queries)};
}

//===----------------------------------------------------------------------===//
// Scratch
//===----------------------------------------------------------------------===//

namespace {

/// Sizes of a task's scratch; attentionScratchBytes is their sum.
struct ScratchSizes {
  int64_t rows, queryElements, keys, resultElements, panelRows, panelColumns;
};

} // namespace

static ScratchSizes scratchSizes(const Attention &attention,
                                 kernel::AttentionAttr schedule, bool isShort) {
  int64_t lanes = schedule.getLanes();
  ScratchSizes sizes;
  sizes.rows = isShort ? schedule.getShortRows() : schedule.getQueryBlock();
  sizes.queryElements = llvm::alignTo(attention.headDim, lanes);
  sizes.keys = isShort ? schedule.getShortKeyBlock() : schedule.getKeyBlock();
  sizes.resultElements = llvm::alignTo(attention.valueDim, lanes);
  sizes.panelRows =
      isShort ? 0 : std::max(attention.headDim, schedule.getKeyBlock());
  sizes.panelColumns = schedule.getVectors() * lanes;
  return sizes;
}

void AttentionTask::allocate() {
  ScratchSizes sizes = scratchSizes(attention, context.schedule, isShort);
  auto scratch = [&](ArrayRef<int64_t> shape) -> Value {
    constexpr int64_t kVectorAlignment = 64;
    return memref::AllocaOp::create(
        builder, loc, MemRefType::get(shape, builder.getF32Type()),
        ValueRange(), builder.getI64IntegerAttr(kVectorAlignment));
  };
  queryRows = scratch({sizes.rows, sizes.queryElements});
  scores = scratch({sizes.rows, sizes.keys});
  results = scratch({sizes.rows, sizes.resultElements});
  if (!isShort)
    panel = scratch({sizes.panelRows, sizes.panelColumns});
  maxima = scratch({sizes.rows});
  sums = scratch({sizes.rows});
  shrinks = scratch({sizes.rows});
}

LogicalResult AttentionTask::copyQueries() {
  float scale = attention.root.getScale().convertToFloat();
  // A soft cap applies tanh to the score over the cap.
  if (attention.root.getSoftcap())
    scale /= attention.root.getSoftcap()->convertToFloat();
  else if (!isNatural())
    scale *= kLog2E;
  Value factor = floatConstant(scale, lanes);
  IndexBuilder index(builder, loc);
  return forEach(index.constant(0), rows, 1, [&](Value row) {
    Row from = place(row);
    return forEachVector(
        attention.headDim, [&](Value column, Value mask) -> LogicalResult {
          FailureOr<Value> value = context.query.load(
              builder, loc, {batch, from.head, from.query, column}, lanes,
              mask);
          if (failed(value))
            return failure();
          Value scaled = arith::MulFOp::create(builder, loc, *value, factor);
          // Lanes beyond the last element meet nothing but zeros.
          if (mask)
            scaled = arith::SelectOp::create(builder, loc, mask, scaled,
                                             floatConstant(0, lanes));
          vector::StoreOp::create(builder, loc, scaled, queryRows,
                                  ValueRange{row, column});
          return success();
        });
  });
}

void AttentionTask::clear() {
  IndexBuilder index(builder, loc);
  Value zero = floatConstant(0, 1), zeros = floatConstant(0, lanes);
  Value least = floatConstant(-std::numeric_limits<float>::infinity(), 1);
  (void)forEach(index.constant(0), rows, 1, [&](Value row) {
    memref::StoreOp::create(builder, loc, least, maxima, row);
    memref::StoreOp::create(builder, loc, zero, sums, row);
    return forEachVector(attention.valueDim, [&](Value column, Value) {
      vector::StoreOp::create(builder, loc, zeros, results,
                              ValueRange{row, column});
      return success();
    });
  });
}

//===----------------------------------------------------------------------===//
// Keys
//===----------------------------------------------------------------------===//

std::pair<Value, Value> AttentionTask::seenKeys() {
  IndexBuilder index(builder, loc);
  Value zero = index.constant(0);
  Value first = zero, end = keyEnd;
  if (!attention.left && !attention.right)
    return {first, end};
  // The least and the largest query of the rows.
  Value least = firstRow;
  Value most = index.add(index.add(firstRow, rows), -1);
  if (attention.group != 1) {
    Value query = index.rem(firstRow, context.queries);
    Value last = index.add(index.add(query, rows), -1);
    Value wraps = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge,
                                        last, context.queries);
    least = arith::SelectOp::create(builder, loc, wraps, zero, query);
    most = arith::SelectOp::create(builder, loc, wraps,
                                   index.add(context.queries, -1), last);
  }
  if (attention.right) {
    Value seen = index.add(index.add(most, context.offset),
                           *attention.right + 1);
    end = index.min(end, index.max(seen, zero));
  }
  if (attention.left)
    first = index.max(
        index.add(index.add(least, context.offset), -*attention.left), zero);
  return {first, end};
}

LogicalResult AttentionTask::keyBlock(Value first, Value end) {
  IndexBuilder index(builder, loc);
  blockKey = first;
  int64_t size = isShort ? context.schedule.getShortKeyBlock()
                         : context.schedule.getKeyBlock();
  blockKeys = index.min(index.sub(end, first), index.constant(size));
  if (failed(isShort ? dotScores() : tileScores()))
    return failure();
  if (failed(forEach(index.constant(0), rows, 1,
                     [&](Value row) { return softmaxRow(row); })))
    return failure();
  return isShort ? shortValues() : tileValues();
}

LogicalResult AttentionTask::emit(Value taskBatch, Value taskHead,
                                  Value taskRow, Value taskRows) {
  batch = taskBatch;
  keyHead = taskHead;
  firstRow = taskRow;
  rows = taskRows;
  IndexBuilder index(builder, loc);
  keyEnd = context.keys;
  if (Value lengths = attention.root.getKeyLengths()) {
    FailureOr<Value> length =
        context.elements.emit(builder, loc, lengths, {batch}, 1);
    if (failed(length))
      return failure();
    Value known = arith::IndexCastOp::create(builder, loc,
                                             builder.getIndexType(), *length);
    keyEnd = index.min(keyEnd, index.max(known, index.constant(0)));
  }
  allocate();
  if (failed(copyQueries()))
    return failure();
  clear();
  auto [first, end] = seenKeys();
  int64_t size = isShort ? context.schedule.getShortKeyBlock()
                         : context.schedule.getKeyBlock();
  Value last = end;
  if (failed(forEach(first, last, size, [&](Value key) {
        return keyBlock(key, last);
      })))
    return failure();
  return storeResults();
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

LogicalResult AttentionTask::storeResults() {
  IndexBuilder index(builder, loc);
  Type element = attention.root.getResultType().getElementType();
  Value zero = floatConstant(0, 1);
  // What a row gives that saw no key: 0 times this.
  Value ofNone = zero;
  if (attention.root.getMaskedRows() == attention::MaskedRows::Nan) {
    Value none = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                       context.keys, index.constant(0));
    ofNone = arith::SelectOp::create(
        builder, loc, none, zero,
        floatConstant(std::numeric_limits<float>::quiet_NaN(), 1));
  }
  return forEach(index.constant(0), rows, 1, [&](Value row) {
    Row to = place(row);
    Value sum = loadScalar(sums, row);
    Value isEmpty = arith::CmpFOp::create(
        builder, loc, arith::CmpFPredicate::OEQ, sum, zero);
    Value inverse = arith::DivFOp::create(builder, loc, floatConstant(1, 1),
                                          sum);
    Value factor = vector::BroadcastOp::create(
        builder, loc, VectorType::get(lanes, builder.getF32Type()),
        arith::SelectOp::create(builder, loc, isEmpty, ofNone, inverse));
    return forEachVector(attention.valueDim, [&](Value column, Value mask) {
      Value value = arith::MulFOp::create(
          builder, loc, loadScratch(results, {row, column}), factor);
      if (!element.isF32())
        value = arith::TruncFOp::create(
            builder, loc, VectorType::get(lanes, element), value);
      return context.stores.store(builder, loc,
                                  {batch, to.head, to.query, column}, value,
                                  mask);
    });
  });
}
