// How rows are cut into register tiles.
#include "lib/Target/CPU/Contraction/TileRows.h"
#include "lib/Target/Elements/IndexBuilder.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

#include <set>

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

SmallVector<int64_t> cpu::cutRows(int64_t rows, int64_t tileRows) {
  SmallVector<int64_t> counts(rows / tileRows, tileRows);
  int64_t rest = rows % tileRows;
  if (rest == 0)
    return counts;
  if (!counts.empty())
    rest += counts.pop_back_val();
  if (rest > tileRows) {
    counts.push_back(llvm::divideCeil(rest, 2));
    rest /= 2;
  }
  counts.push_back(rest);
  return counts;
}

SmallVector<int64_t> cpu::tileRowCounts(int64_t rows, int64_t mostRows,
                                        int64_t tileRows) {
  if (ShapedType::isDynamic(rows))
    return llvm::to_vector(llvm::seq_inclusive<int64_t>(1, tileRows));
  if (rows == 0)
    return {};
  int64_t blocks = llvm::divideCeil(rows, mostRows);
  int64_t blockRows =
      llvm::alignTo(llvm::divideCeil(rows, blocks), tileRows);
  std::set<int64_t> counts;
  // Blocks are alike but for the last; there may be very many.
  for (int64_t block : {std::min(blockRows, rows), rows % blockRows})
    if (block > 0)
      for (int64_t count : cutRows(block, tileRows))
        counts.insert(count);
  return SmallVector<int64_t>(counts.begin(), counts.end());
}

LogicalResult
cpu::forEachRowCount(OpBuilder &builder, Location loc, Value rows,
                     ArrayRef<int64_t> cases,
                     function_ref<LogicalResult(int64_t)> body) {
  if (cases.size() == 1)
    return body(cases.front());
  auto family = scf::IndexSwitchOp::create(builder, loc, TypeRange(), rows,
                                           cases, cases.size());
  OpBuilder::InsertionGuard guard(builder);
  builder.createBlock(&family.getDefaultRegion());
  scf::YieldOp::create(builder, loc);
  for (auto [region, count] : llvm::zip(family.getCaseRegions(), cases)) {
    builder.createBlock(&region);
    if (failed(body(count)))
      return failure();
    scf::YieldOp::create(builder, loc);
  }
  return success();
}

LogicalResult
cpu::forEachRowTile(OpBuilder &builder, Location loc, const RowRange &range,
                    ArrayRef<int64_t> cases,
                    function_ref<LogicalResult(int64_t rows, Value row)> body) {
  auto [first, count, tileRows] = range;
  IndexBuilder index(builder, loc);
  auto select = [&](Value condition, Value a, Value b) {
    return builder.createOrFold<arith::SelectOp>(loc, condition, a, b);
  };
  auto compare = [&](arith::CmpIPredicate predicate, Value a, Value b) {
    return builder.createOrFold<arith::CmpIOp>(loc, predicate, a, b);
  };
  // Full tiles, then one or two tiles that share what is left.
  Value zero = index.constant(0);
  count = index.max(count, zero);
  Value tiles = index.ceilDiv(count, tileRows);
  Value isEven = compare(arith::CmpIPredicate::eq, index.rem(count, tileRows),
                         zero);
  Value fullTiles =
      select(isEven, tiles, index.max(index.add(tiles, -2), zero));
  Value fullRows = index.mul(fullTiles, tileRows);
  Value rest = index.sub(count, fullRows);
  Value restTiles = index.sub(tiles, fullTiles);
  Value half = index.div(index.add(rest, 1), 2);
  Value firstRest = select(compare(arith::CmpIPredicate::eq, restTiles,
                                   index.constant(2)),
                           half, rest);
  OpBuilder::InsertionGuard guard(builder);
  Value number = zero;
  std::optional<int64_t> known = constantOf(tiles);
  if (known == 0)
    return success();
  if (known != 1) {
    auto loop =
        scf::ForOp::create(builder, loc, zero, tiles, index.constant(1));
    builder.setInsertionPointToStart(loop.getBody());
    number = loop.getInductionVar();
  }
  Value isFull = compare(arith::CmpIPredicate::slt, number, fullTiles);
  Value isFirst = compare(arith::CmpIPredicate::eq, number, fullTiles);
  Value rows = select(isFull, index.constant(tileRows),
                      select(isFirst, firstRest, index.sub(rest, firstRest)));
  Value before = select(isFull, index.mul(number, tileRows),
                        index.add(fullRows, select(isFirst, zero, firstRest)));
  Value row = index.add(first, before);
  return forEachRowCount(builder, loc, rows, cases,
                         [&](int64_t count) { return body(count, row); });
}

LogicalResult cpu::forEachRowTileOfFewCounts(
    OpBuilder &builder, Location loc, const RowRange &range,
    int64_t restDivisor,
    function_ref<LogicalResult(int64_t rows, Value row)> body) {
  auto [first, count, tileRows] = range;
  IndexBuilder index(builder, loc);
  count = index.max(count, index.constant(0));
  Value rest = index.rem(count, tileRows);
  Value row = index.add(first, index.sub(count, rest));
  {
    auto loop = scf::ForOp::create(builder, loc, first, row,
                                   index.constant(tileRows));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    if (failed(body(tileRows, loop.getInductionVar())))
      return failure();
  }
  if (restDivisor >= tileRows)
    return success();
  // Of an even number of rows no single one remains.
  int64_t least = restDivisor & -restDivisor;
  int64_t most = (tileRows - 1) / restDivisor * restDivisor;
  for (int64_t rows = llvm::bit_floor<uint64_t>(most); rows >= least;
       rows /= 2) {
    Value has = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sge,
                                      rest, index.constant(rows));
    auto tile = scf::IfOp::create(builder, loc, has, /*withElseRegion=*/false);
    {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(tile.thenBlock());
      if (failed(body(rows, row)))
        return failure();
    }
    row = index.add(row, index.mul(index.div(rest, rows), rows));
    rest = index.rem(rest, rows);
  }
  return success();
}
