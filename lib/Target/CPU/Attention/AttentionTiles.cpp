// Scores and results of attention by register tiles.
#include "lib/Target/CPU/Attention/AttentionTask.h"
#include "lib/Target/CPU/Contraction/PanelAccess.h"
#include "lib/Target/CPU/Contraction/TileRows.h"
#include "lib/Target/CPU/Elements/LaneTranspose.h"
#include "lib/Target/Elements/IndexBuilder.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

/// sums[row, vector] += left(row, k) * right(vector, k) for all k below `depth`.
FailureOr<AttentionTask::Vectors>
AttentionTask::products(const Products &of, Vectors sums) {
  IndexBuilder index(builder, loc);
  auto loop = scf::ForOp::create(builder, loc, index.constant(0), of.depth,
                                 index.constant(multiply->stepLength()), sums);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value k = loop.getInductionVar();
  Vectors next(loop.getRegionIterArgs());
  auto rows = llvm::to_vector(llvm::seq<int64_t>(0, of.rows));
  auto leftOf = [&](int64_t row, int64_t) {
    return multiply->left(builder, loc, of.left(row, k));
  };
  auto rightOf = [&](int64_t vector) -> Value {
    FailureOr<Value> value = of.right(vector, k);
    return succeeded(value) ? *value : Value();
  };
  TileStep step{rows, of.vectors, /*leftVaries=*/false, leftOf, rightOf};
  if (failed(multiply->accumulateTile(builder, loc, step, next)))
    return failure();
  scf::YieldOp::create(builder, loc, next);
  return Vectors(loop.getResults());
}

//===----------------------------------------------------------------------===//
// Scores
//===----------------------------------------------------------------------===//

/// Copies a panel of keys, transposed: panel[element, key]. `isWhole`: the block
/// has all keys of the panel; else keys beyond the last one repeat it.
LogicalResult AttentionTask::copyKeyPanel(Value column, bool isWhole) {
  IndexBuilder index(builder, loc);
  Value last = index.add(keyEnd, -1);
  Value firstKey = index.add(blockKey, column);
  SmallVector<Value> keys;
  for (int64_t i = 0; i < tileColumns(); ++i) {
    Value key = index.add(firstKey, i);
    keys.push_back(isWhole ? key : index.min(key, last));
  }
  return forEachVector(
      attention.headDim, [&](Value element, Value mask) -> LogicalResult {
        IndexBuilder index(builder, loc);
        int64_t elements = mask ? attention.headDim % lanes : lanes;
        for (int64_t at = 0; at < tileColumns(); at += lanes) {
          SmallVector<Value> block;
          for (int64_t lane = 0; lane < lanes; ++lane) {
            FailureOr<Value> value = context.key.load(
                builder, loc, {batch, keyHead, keys[at + lane], element}, lanes,
                mask);
            if (failed(value))
              return failure();
            block.push_back(*value);
          }
          transposeLanes(builder, loc, block);
          for (int64_t i = 0; i < elements; ++i)
            vector::StoreOp::create(
                builder, loc, block[i], panel,
                ValueRange{index.add(element, i), index.constant(at)});
        }
        return success();
      });
}

LogicalResult AttentionTask::scoreTile(int64_t rows, Value row, Value column) {
  IndexBuilder index(builder, loc);
  int64_t vectors = context.schedule.getVectors();
  auto rowAt = [&](int64_t i) {
    return IndexBuilder(builder, loc).add(row, i);
  };
  auto queryOf = [&](int64_t i, Value k) {
    return loadScalar(queryRows, {rowAt(i), k});
  };
  auto keyOf = [&](int64_t vector, Value k) -> FailureOr<Value> {
    IndexBuilder index(builder, loc);
    return loadScratch(panel, {k, index.constant(vector * lanes)});
  };
  FailureOr<Vectors> sums = products(
      {rows, vectors, index.constant(attention.headDim), queryOf, keyOf},
      Vectors(rows * vectors, floatConstant(0, lanes)));
  if (failed(sums))
    return failure();
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t vector = 0; vector < vectors; ++vector)
      vector::StoreOp::create(
          builder, loc, (*sums)[i * vectors + vector], scores,
          ValueRange{rowAt(i), index.add(column, vector * lanes)});
  return success();
}

/// How many of the block's keys some row of a tile sees.
Value AttentionTask::seenByTile(int64_t tileRows, Value row) {
  if (!attention.right)
    return blockKeys;
  IndexBuilder index(builder, loc);
  Value last = index.add(index.add(firstRow, row), tileRows - 1);
  if (attention.group != 1) {
    Value first = index.rem(index.add(firstRow, row), context.queries);
    last = index.min(index.add(first, tileRows - 1),
                     index.add(context.queries, -1));
  }
  Value end = index.add(index.add(last, context.offset), *attention.right + 1);
  return index.min(index.max(index.sub(end, blockKey), index.constant(0)),
                   blockKeys);
}

LogicalResult AttentionTask::tileScores() {
  IndexBuilder index(builder, loc);
  SmallVector<int64_t> cases = tileRowCounts(
      attention.rows(), context.schedule.getQueryBlock(),
      context.schedule.getRows());
  return forEach(index.constant(0), blockKeys, tileColumns(),
                 [&](Value column) -> LogicalResult {
    IndexBuilder index(builder, loc);
    Value isWhole = arith::CmpIOp::create(
        builder, loc, arith::CmpIPredicate::sle,
        index.add(column, tileColumns()), blockKeys);
    auto copy = scf::IfOp::create(builder, loc, isWhole,
                                  /*withElseRegion=*/true);
    {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(copy.thenBlock());
      if (failed(copyKeyPanel(column, /*isWhole=*/true)))
        return failure();
      builder.setInsertionPointToStart(copy.elseBlock());
      if (failed(copyKeyPanel(column, /*isWhole=*/false)))
        return failure();
    }
    return forEachRowTile(
        builder, loc, {index.constant(0), rows, context.schedule.getRows()},
        cases, [&](int64_t tileRows, Value row) -> LogicalResult {
          if (!attention.right)
            return scoreTile(tileRows, row, column);
          Value isSeen = arith::CmpIOp::create(
              builder, loc, arith::CmpIPredicate::slt, column,
              seenByTile(tileRows, row));
          auto seen = scf::IfOp::create(builder, loc, isSeen,
                                        /*withElseRegion=*/false);
          OpBuilder::InsertionGuard guard(builder);
          builder.setInsertionPointToStart(seen.thenBlock());
          return scoreTile(tileRows, row, column);
        });
  });
}

//===----------------------------------------------------------------------===//
// Values
//===----------------------------------------------------------------------===//

LogicalResult AttentionTask::copyValuePanel(Value column, int64_t vectors) {
  IndexBuilder index(builder, loc);
  int64_t rest = attention.valueDim % lanes;
  // Only the last vector of the last panel is partial.
  std::optional<int64_t> known = constantOf(column);
  return forEach(
      index.constant(0), blockKeys, 1, [&](Value k) -> LogicalResult {
        IndexBuilder index(builder, loc);
        for (int64_t vector = 0; vector < vectors; ++vector) {
          Value at = index.add(column, vector * lanes);
          bool isPartial = rest && known &&
                           *known + (vector + 1) * lanes > attention.valueDim;
          FailureOr<Value> value = context.value.load(
              builder, loc, {batch, keyHead, index.add(blockKey, k), at}, lanes,
              isPartial ? lanesBelow(rest) : Value());
          if (failed(value))
            return failure();
          vector::StoreOp::create(builder, loc, *value, panel,
                                  ValueRange{k, index.constant(vector * lanes)});
        }
        return success();
      });
}

LogicalResult AttentionTask::valueTile(int64_t tileRows, Value row,
                                       int64_t vectors, Value column,
                                       bool fromPanel) {
  IndexBuilder index(builder, loc);
  auto rowAt = [&](int64_t i) {
    return IndexBuilder(builder, loc).add(row, i);
  };
  auto columnAt = [&](int64_t vector) {
    return IndexBuilder(builder, loc).add(column, vector * lanes);
  };
  auto type = VectorType::get(lanes, builder.getF32Type());
  Vectors sums;
  for (int64_t i = 0; i < tileRows; ++i) {
    Value shrink = vector::BroadcastOp::create(builder, loc, type,
                                               loadScalar(shrinks, rowAt(i)));
    for (int64_t vector = 0; vector < vectors; ++vector)
      sums.push_back(arith::MulFOp::create(
          builder, loc, loadScratch(results, {rowAt(i), columnAt(vector)}),
          shrink));
  }
  std::optional<int64_t> known = constantOf(column);
  auto load = [&](int64_t vector, Value k) -> FailureOr<Value> {
    IndexBuilder index(builder, loc);
    if (fromPanel)
      return loadScratch(panel, {k, index.constant(vector * lanes)});
    bool isPartial =
        known && *known + (vector + 1) * lanes > attention.valueDim;
    return context.value.load(
        builder, loc,
        {batch, keyHead, index.add(blockKey, k), columnAt(vector)}, lanes,
        isPartial ? lanesBelow(attention.valueDim % lanes) : Value());
  };
  auto scoreOf = [&](int64_t i, Value k) {
    return loadScalar(scores, {rowAt(i), k});
  };
  FailureOr<Vectors> all = products(
      {tileRows, vectors, seenByTile(tileRows, row), scoreOf, load}, sums);
  if (failed(all))
    return failure();
  for (int64_t i = 0; i < tileRows; ++i)
    for (int64_t vector = 0; vector < vectors; ++vector)
      vector::StoreOp::create(builder, loc, (*all)[i * vectors + vector],
                              results, ValueRange{rowAt(i), columnAt(vector)});
  return success();
}

LogicalResult AttentionTask::tileValues() {
  SmallVector<int64_t> cases = tileRowCounts(
      attention.rows(), context.schedule.getQueryBlock(),
      context.schedule.getRows());
  bool fromPanel = !context.value.isInPlace();
  auto panelOf = [&](Value column, int64_t vectors) -> LogicalResult {
    if (fromPanel && failed(copyValuePanel(column, vectors)))
      return failure();
    IndexBuilder index(builder, loc);
    return forEachRowTile(
        builder, loc, {index.constant(0), rows, context.schedule.getRows()},
        cases, [&](int64_t tileRows, Value row) {
          return valueTile(tileRows, row, vectors, column, fromPanel);
        });
  };
  // Full panels, then one of the vectors that are left.
  int64_t vectors = context.schedule.getVectors();
  int64_t whole = attention.valueDim / tileColumns() * tileColumns();
  IndexBuilder index(builder, loc);
  if (failed(forEach(index.constant(0), index.constant(whole), tileColumns(),
                     [&](Value column) { return panelOf(column, vectors); })))
    return failure();
  if (whole == attention.valueDim)
    return success();
  return panelOf(index.constant(whole),
                 llvm::divideCeil(attention.valueDim - whole, lanes));
}
