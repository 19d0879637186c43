// The tile unit's kernel; see the header.
#include "lib/Target/CPU/Contraction/TileBlocks.h"
#include "lib/Target/Elements/IndexBuilder.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

static constexpr int64_t kSumBytes = 2 * kSumRows * kBlockColumns * 4;
int64_t TileBlocks::panelBytes(const Contraction &c,
                               const MultiplyAccumulate &multiply,
                               kernel::ContractionAttr schedule) {
  TileDepth depth(c, multiply);
  int64_t tailBytes = depth.size == depth.wholeSteps
                          ? 0
                          : kTileRows * kBlockColumns * kGroupBytes;
  return kScratchBytes - kSumBytes - tailBytes -
         LeftTiles::scratchBytes(c, multiply, schedule);
}

std::string TileBlocks::refusal(const Contraction &c,
                                const MultiplyAccumulate &multiply,
                                kernel::ContractionAttr schedule) {
  if (TileDepth(c, multiply).size == 0)
    return "expects contracted dimensions with elements";
  int64_t bytes = panelBytes(c, multiply, schedule);
  if (bytes < 0)
    return "expects rows that fit the scratch of a task, where they must be "
           "copied";
  if (!PanelAccess::fits(c, multiply, schedule, bytes))
    return "expects panels that are packed, or fit the scratch of a task beside "
           "the left operand";
  return {};
}

void TileBlocks::allocate(OpBuilder &builder, Location loc) {
  auto scratch = [&](ArrayRef<int64_t> shape, Type element) -> Value {
    return memref::AllocaOp::create(
        builder, loc, MemRefType::get(shape, element), ValueRange(),
        builder.getI64IntegerAttr(kTileRowBytes));
  };
  left.allocate(builder, loc);
  sumRows = scratch({2 * kSumRows, kBlockColumns}, c.sumType());
  const TileDepth &depth = left.depth();
  if (depth.size == depth.wholeSteps)
    return;
  Type element = panels.elementType();
  int64_t elements = kTileRowBytes * 8 / element.getIntOrFloatBitWidth();
  lastStep = scratch({kTileRows, 2 * elements}, element);
  auto type = VectorType::get(elements, element);
  Value zeros =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  IndexBuilder index(builder, loc);
  int64_t groups = (depth.size - depth.wholeSteps) / multiply.groupLength();
  for (int64_t row = groups; row < kTileRows; ++row)
    for (int64_t at : {int64_t(0), elements})
      vector::StoreOp::create(
          builder, loc, zeros, lastStep,
          ValueRange{index.constant(row), index.constant(at)});
}

//===----------------------------------------------------------------------===//
// Blocks of a task
//===----------------------------------------------------------------------===//

TileBlocks::Finished TileBlocks::blockNumber(OpBuilder &builder, Location loc,
                                             Value number) {
  IndexBuilder index(builder, loc);
  Value rowBlock, panel;
  if (rowsPass()) {
    rowBlock = index.rem(number, rowBlocks);
    panel = index.div(number, rowBlocks);
  } else {
    rowBlock = index.div(number, panelCount);
    panel = index.rem(number, panelCount);
  }
  BlockRows rows{outerLoops, index.constant(kBlockRows)};
  Value row = index.add(task.firstRow, index.mul(rowBlock, kBlockRows));
  rows.loops[c.row] = row;
  rows.loops[c.column] =
      index.mul(index.add(task.firstPanel, panel), kBlockColumns);
  int64_t all = c.loops[c.row].size;
  if (ShapedType::isDynamic(all) || all % kBlockRows)
    rows.count = index.min(index.sub(task.lastRow, row), kBlockRows);
  return {rows, index.mul(index.rem(number, 2), kSumRows)};
}

LogicalResult TileBlocks::emit(OpBuilder &builder, Location loc,
                               ArrayRef<Value> loops, const TaskBlock &block) {
  outerLoops.assign(loops.begin(), loops.end());
  task = block;
  allocate(builder, loc);
  IndexBuilder outside(builder, loc);
  if (left.copiesLines()) {
    SmallVector<Value> first(loops);
    first[c.row] = task.firstRow;
    if (failed(left.copyLines(builder, loc, first,
                              outside.sub(task.lastRow, task.firstRow))))
      return failure();
  }
  rowBlocks =
      outside.ceilDiv(outside.sub(task.lastRow, task.firstRow), kBlockRows);
  panelCount = outside.sub(task.lastPanel, task.firstPanel);
  Value blocks = outside.mul(rowBlocks, panelCount), zero = outside.constant(0),
        one = outside.constant(1);
  // The last trip only stores what the one before has computed.
  auto loop = scf::ForOp::create(builder, loc, zero,
                                 outside.add(blocks, outside.min(blocks, one)),
                                 one);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  IndexBuilder index(builder, loc);
  Value number = loop.getInductionVar();
  auto isEqual = [&](Value a, Value b) {
    return builder.createOrFold<arith::CmpIOp>(
        loc, arith::CmpIPredicate::eq, a, b);
  };
  Finished before =
      blockNumber(builder, loc, index.max(index.sub(number, one), zero));
  before.rows.count = arith::SelectOp::create(
      builder, loc, isEqual(number, zero), zero, before.rows.count);
  auto compute = scf::IfOp::create(builder, loc, builder.getIndexType(),
                                   isEqual(number, blocks),
                                   /*withElseRegion=*/true);
  builder.setInsertionPointToStart(compute.thenBlock());
  scf::YieldOp::create(builder, loc, zero);
  builder.setInsertionPointToStart(compute.elseBlock());
  Block current{blockNumber(builder, loc, number), {}, {}, {}, {}, before};
  Value stored;
  Value isFirstPanel = isEqual(index.rem(number, panelCount), zero);
  if (failed(emitBlock(builder, loc, std::move(current), isFirstPanel, stored)))
    return failure();
  scf::YieldOp::create(builder, loc, stored);
  builder.setInsertionPointAfter(compute);
  auto rest = scf::ForOp::create(builder, loc, compute.getResult(0),
                                 before.rows.count, one);
  builder.setInsertionPointToStart(rest.getBody());
  return storeRow(builder, loc, before, rest.getInductionVar());
}

/// Emits `body` for both values of `condition`, which give an index each: `result`.
static LogicalResult
emitChoice(OpBuilder &builder, Location loc, Value condition,
           function_ref<LogicalResult(bool, Value &)> body, Value &result) {
  if (std::optional<int64_t> known = getConstantIntValue(condition))
    return body(*known, result);
  auto choice = scf::IfOp::create(builder, loc, builder.getIndexType(),
                                  condition, /*withElseRegion=*/true);
  OpBuilder::InsertionGuard guard(builder);
  for (bool holds : {true, false}) {
    builder.setInsertionPointToStart(holds ? choice.thenBlock()
                                           : choice.elseBlock());
    Value value;
    if (failed(body(holds, value)))
      return failure();
    scf::YieldOp::create(builder, loc, value);
  }
  result = choice.getResult(0);
  return success();
}

LogicalResult TileBlocks::emitBlock(OpBuilder &builder, Location loc,
                                    Block block, Value isFirstPanel,
                                    Value &stored) {
  const BlockRows &rows = block.place.rows;
  block.left = left.locate(builder, loc, rows);
  if (!rowsPass()) {
    Value isCopied = arith::XOrIOp::create(
        builder, loc, block.left.isInPlace,
        arith::ConstantOp::create(builder, loc, builder.getBoolAttr(true)));
    Value copies =
        arith::AndIOp::create(builder, loc, isFirstPanel, isCopied);
    auto copy = scf::IfOp::create(builder, loc, copies,
                                  /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(copy.thenBlock());
    if (failed(left.copy(builder, loc, rows)))
      return failure();
  }
  locateRight(builder, loc, block);
  if (!left.copiesParts())
    return multiplyByRows(builder, loc, block, stored);
  return emitChoice(
      builder, loc, block.left.isInPlace,
      [&](bool isInPlace, Value &stored) {
        Block chosen = block;
        chosen.isInParts = !isInPlace;
        if (!isInPlace)
          chosen.left = left.locateScratch(builder, loc);
        return multiplyByRows(builder, loc, chosen, stored);
      },
      stored);
}

/// By two tiles of rows, or one.
LogicalResult TileBlocks::multiplyByRows(OpBuilder &builder, Location loc,
                                         const Block &block, Value &stored) {
  int64_t all = c.loops[c.row].size, rest = all % kBlockRows;
  bool isDynamic = ShapedType::isDynamic(all);
  bool hasTwo = isDynamic || all > kTileRows;
  bool hasOne = isDynamic || (rest > 0 && rest <= kTileRows);
  auto multiply = [&](bool areMany, Value &stored) {
    FailureOr<Value> count =
        multiplyTiles(builder, loc, block, areMany ? 2 : 1);
    if (succeeded(count))
      stored = *count;
    return success(succeeded(count));
  };
  if (!hasOne || !hasTwo)
    return multiply(hasTwo, stored);
  Value areMany = arith::CmpIOp::create(
      builder, loc, arith::CmpIPredicate::sgt, block.place.rows.count,
      IndexBuilder(builder, loc).constant(kTileRows));
  return emitChoice(builder, loc, areMany, multiply, stored);
}

void TileBlocks::locateRight(OpBuilder &builder, Location loc, Block &block) {
  IndexBuilder index(builder, loc);
  SmallVector<Value> loops(block.place.rows.loops);
  for (unsigned loop : c.reduction)
    loops[loop] = index.constant(0);
  PanelAccess::Rows rows = panels.rows(builder, loc, loops);
  block.right = {addressOf(builder, loc, rows.memref, rows.first),
                  index.constant(panels.rowColumns() * kGroupBytes)};
  locateNextPanel(builder, loc, block);
  if (!lastStep)
    return;
  copyTail(builder, loc, rows);
  Value zero = index.constant(0);
  block.tail = {addressOf(builder, loc, lastStep, {zero, zero}),
                index.constant(kBlockColumns * kGroupBytes)};
}

void TileBlocks::copyTail(OpBuilder &builder, Location loc,
                          const PanelAccess::Rows &from) {
  IndexBuilder index(builder, loc);
  const TileDepth &depth = left.depth();
  int64_t group = multiply.groupLength(), first = depth.wholeSteps / group,
          count = depth.size / group - first;
  int64_t elements = kTileRowBytes * 8 /
                     panels.elementType().getIntOrFloatBitWidth();
  auto type = VectorType::get(elements, panels.elementType());
  auto loop = scf::ForOp::create(builder, loc, index.constant(0),
                                 index.constant(count), index.constant(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value row = loop.getInductionVar();
  SmallVector<Value> at(from.first);
  Value &panelRow = at[at.size() - 2];
  panelRow = index.add(panelRow, index.add(row, first));
  for (int64_t half : {int64_t(0), elements}) {
    at.back() = index.add(from.first.back(), half);
    Value groups = vector::LoadOp::create(builder, loc, type, from.memref, at);
    vector::StoreOp::create(builder, loc, groups, lastStep,
                            ValueRange{row, index.constant(half)});
  }
}

//===----------------------------------------------------------------------===//
// Results
//===----------------------------------------------------------------------===//

LogicalResult TileBlocks::storeSome(OpBuilder &builder, Location loc,
                                    const Finished &before, Value &stored) {
  // All rows within the steps of a block, but no step much longer than its products.
  constexpr int64_t kMostRows = 4;
  int64_t steps = llvm::divideCeil(left.depth().size, multiply.stepLength());
  int64_t rows = std::min<int64_t>(llvm::divideCeil(kBlockRows, steps), kMostRows);
  IndexBuilder index(builder, loc);
  for (int64_t i = 0; i < rows; ++i) {
    Value row = index.add(stored, i);
    Value exists =
        arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::slt, row,
                              before.rows.count);
    auto store = scf::IfOp::create(builder, loc, exists,
                                   /*withElseRegion=*/false);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(store.thenBlock());
    if (failed(storeRow(builder, loc, before, row)))
      return failure();
  }
  stored = index.add(stored, rows);
  return success();
}

LogicalResult TileBlocks::storeRow(OpBuilder &builder, Location loc,
                                   const Finished &block, Value row) {
  IndexBuilder index(builder, loc);
  int64_t lanes = multiply.lanes(), columns = c.loops[c.column].size;
  bool isWhole = !ShapedType::isDynamic(columns) && columns % kBlockColumns == 0;
  SmallVector<Value> loops(block.rows.loops);
  Value first = loops[c.column];
  Value sumRow = index.add(index.add(block.firstSum, kTileRows), row);
  loops[c.row] = index.add(loops[c.row], row);
  for (int64_t at = 0; at < kBlockColumns; at += lanes) {
    loops[c.column] = index.add(first, at);
    Value mask;
    if (!isWhole)
      mask = vector::CreateMaskOp::create(
          builder, loc, VectorType::get(lanes, builder.getI1Type()),
          index.sub(sizes[c.column], loops[c.column]));
    SmallVector<Value> indices;
    for (AffineExpr expr : c.resultMap.getResults())
      indices.push_back(index.evaluate(expr, loops));
    Value sums = vector::LoadOp::create(
        builder, loc, multiply.sums(builder.getContext()), sumRows,
        ValueRange{sumRow, index.constant(at)});
    if (c.init) {
      FailureOr<Value> init =
          elements.emit(builder, loc, c.init, indices, lanes, mask);
      if (failed(init))
        return failure();
      sums = multiply.finish(builder, loc, *init, sums);
    }
    if (failed(stores.store(builder, loc, indices, sums, mask)))
      return failure();
  }
  return success();
}
