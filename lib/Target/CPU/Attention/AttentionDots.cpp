// Attention of few rows: keys and values are read once, in place.
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

/// Lane l is the sum of all lanes of vector l, by as many rounds as a transpose
/// has: in the round of distance d, vectors i and i + d become one.
static Value sumOfEach(OpBuilder &builder, Location loc,
                       SmallVector<Value> vectors) {
  int64_t lanes = vectors.size();
  for (int64_t distance = lanes / 2; distance >= 1; distance /= 2) {
    auto [low, high] = exchangeOfDistance(lanes, distance);
    for (int64_t i = 0; i < distance; ++i) {
      Value a = vectors[i], b = vectors[i + distance];
      vectors[i] = arith::AddFOp::create(
          builder, loc, vector::ShuffleOp::create(builder, loc, a, b, low),
          vector::ShuffleOp::create(builder, loc, a, b, high));
    }
  }
  return vectors.front();
}

LogicalResult AttentionTask::dotScores() {
  IndexBuilder index(builder, loc);
  Value whole = index.mul(index.div(blockKeys, lanes), lanes);
  if (failed(forEach(index.constant(0), whole, lanes,
                     [&](Value key) { return dots(key, /*isWhole=*/true); })))
    return failure();
  // At most once.
  return forEach(whole, blockKeys, lanes,
                 [&](Value key) { return dots(key, /*isWhole=*/false); });
}

/// Scores of all rows with the `lanes` keys from `column` of the block on.
LogicalResult AttentionTask::dots(Value column, bool isWhole) {
  IndexBuilder index(builder, loc);
  Value last = index.add(keyEnd, -1);
  SmallVector<Value> keys;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    Value key = index.add(index.add(blockKey, column), lane);
    keys.push_back(isWhole ? key : index.min(key, last));
  }
  return forEach(index.constant(0), rows, 1, [&](Value row) -> LogicalResult {
    IndexBuilder index(builder, loc);
    auto step = [&](Value element, Value mask,
                    Vectors sums) -> FailureOr<Vectors> {
      Value query = loadScratch(queryRows, {row, element});
      for (int64_t lane = 0; lane < lanes; ++lane) {
        FailureOr<Value> key = context.key.load(
            builder, loc, {batch, keyHead, keys[lane], element}, lanes, mask);
        if (failed(key))
          return failure();
        // Computed keys hold anything outside the mask.
        if (mask)
          *key = arith::SelectOp::create(builder, loc, mask, *key,
                                         floatConstant(0, lanes));
        sums[lane] = multiply->step(builder, loc, query, *key, sums[lane]);
      }
      return sums;
    };
    Vectors sums(lanes, floatConstant(0, lanes));
    int64_t whole = attention.headDim / lanes * lanes;
    if (whole) {
      auto loop =
          scf::ForOp::create(builder, loc, index.constant(0),
                             index.constant(whole), index.constant(lanes), sums);
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(loop.getBody());
      FailureOr<Vectors> next = step(loop.getInductionVar(), Value(),
                                     Vectors(loop.getRegionIterArgs()));
      if (failed(next))
        return failure();
      scf::YieldOp::create(builder, loc, *next);
      sums.assign(loop.getResults().begin(), loop.getResults().end());
    }
    if (whole != attention.headDim) {
      FailureOr<Vectors> next =
          step(index.constant(whole), lanesBelow(attention.headDim - whole),
               sums);
      if (failed(next))
        return failure();
      sums = *next;
    }
    vector::StoreOp::create(builder, loc, sumOfEach(builder, loc, sums), scores,
                            ValueRange{row, column});
    return success();
  });
}

/// Results of all rows at once, as many columns as the registers allow.
LogicalResult AttentionTask::shortValues() {
  SmallVector<int64_t> cases;
  if (ShapedType::isDynamic(attention.queries)) {
    for (int64_t count = attention.group;
         count <= context.schedule.getShortRows(); count += attention.group)
      cases.push_back(count);
  } else {
    if (attention.rows() == 0)
      return success();
    cases.push_back(attention.rows());
  }
  auto tiles = [&](int64_t count) -> LogicalResult {
    // Registers as the schedule's tile uses them.
    int64_t sums = context.schedule.getRows() * context.schedule.getVectors();
    int64_t most = std::max<int64_t>(1, sums / count);
    int64_t left = llvm::divideCeil(attention.valueDim, lanes);
    int64_t parts = llvm::divideCeil(left, most);
    for (int64_t first = 0; parts > 0; --parts) {
      int64_t vectors = llvm::divideCeil(left, parts);
      IndexBuilder index(builder, loc);
      if (failed(valueTile(count, index.constant(0), vectors,
                           index.constant(first * lanes),
                           /*fromPanel=*/false)))
        return failure();
      first += vectors;
      left -= vectors;
    }
    return success();
  };
  return forEachRowCount(builder, loc, rows, cases, tiles);
}
