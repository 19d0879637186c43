// The steps of a block of tiles; see TileBlocks.h.
#include "lib/Target/CPU/Contraction/ConvolutionWindows.h"
#include "lib/Target/CPU/Contraction/TileBlocks.h"
#include "lib/Target/Elements/IndexBuilder.h"

#include "mlir/Dialect/AMX/AMXDialect.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

static constexpr int64_t kLineBytes = 64;

int64_t TileBlocks::rightBytes() const {
  return panels.rowColumns() * kGroupBytes / multiply.groupLength();
}

/// Bytes of the next panel that a step prefetches: all steps of all blocks of rows
/// share it.
int64_t TileBlocks::prefetchedBytes() const {
  int64_t rows = c.loops[c.row].size, most = schedule.getTaskRows();
  int64_t blocks = llvm::divideCeil(
      ShapedType::isDynamic(rows) ? most : std::min(rows, most), kBlockRows);
  return llvm::divideCeil(rightBytes() * multiply.stepLength() / kLineBytes,
                          std::max<int64_t>(blocks, 1)) *
         kLineBytes;
}

void TileBlocks::locateNextPanel(OpBuilder &builder, Location loc,
                                 Block &block) {
  if (!schedule.getPrefetchRows() || !streamsRows() || panels.isCopied())
    return;
  IndexBuilder index(builder, loc);
  const TileDepth &depth = left.depth();
  Value rowBlock = index.div(
      index.sub(block.place.rows.loops[c.row], task.firstRow), kBlockRows);
  int64_t steps = depth.wholeSteps / multiply.stepLength();
  block.nextPanel =
      index.add(index.add(block.right.address, depth.size * rightBytes()),
                index.mul(rowBlock, steps * prefetchedBytes()));
}

void TileBlocks::prefetch(OpBuilder &builder, Location loc, const Block &block,
                          Value at) {
  if (!block.nextPanel)
    return;
  IndexBuilder index(builder, loc);
  Value step = index.div(at, rightBytes() * multiply.stepLength());
  Value first =
      index.add(block.nextPanel, index.mul(step, prefetchedBytes()));
  auto pointer = LLVM::LLVMPointerType::get(builder.getContext());
  for (int64_t line = 0; line < prefetchedBytes(); line += kLineBytes) {
    Value address = arith::IndexCastOp::create(
        builder, loc, builder.getI64Type(), index.add(first, line));
    LLVM::Prefetch::create(
        builder, loc, LLVM::IntToPtrOp::create(builder, loc, pointer, address),
        /*rw=*/0, /*hint=*/2, /*cache=*/1);
  }
}

FailureOr<TileBlocks::Sums> TileBlocks::step(OpBuilder &builder, Location loc,
                                             const Block &block, Distance at,
                                             Sums sums) {
  IndexBuilder index(builder, loc);
  size_t rowTiles = sums.tiles.size() / 2;
  auto leftTile = [&](int64_t row) {
    return loadTile(builder, loc,
                    {index.add(block.left.addresses[row], at.left),
                     block.left.rowBytes},
                    c.lhsType(), streamsRows());
  };
  auto rightTile = [&](int64_t column) {
    Value address = index.add(block.right.address, at.right);
    return loadTile(
        builder, loc,
        {index.add(address, column * kTileRowBytes), block.right.rowBytes},
        c.rhsType(), !streamsRows());
  };
  auto add = [&](Value row, Value column, Value &sum) {
    sum = multiply.step(builder, loc, row, column, sum);
  };
  prefetch(builder, loc, block, at.right);
  // Operands are loaded as late as possible.
  SmallVector<Value> rows;
  Value column = rightTile(0);
  for (size_t i = 0; i < rowTiles; ++i) {
    rows.push_back(leftTile(i));
    add(rows[i], column, sums.tiles[2 * i]);
  }
  column = rightTile(1);
  for (size_t i = 0; i < rowTiles; ++i) {
    if (i + 1 == rowTiles &&
        failed(storeSome(builder, loc, block.before, sums.stored)))
      return failure();
    add(rows[i], column, sums.tiles[2 * i + 1]);
  }
  return sums;
}

/// Emits a loop over [first, last) that carries `sums`, or its body once if it runs
/// once.
FailureOr<TileBlocks::Sums>
TileBlocks::forEachStep(OpBuilder &builder, Location loc,
                        std::pair<Value, Value> range, int64_t by, Sums sums,
                        StepBody body) {
  auto [first, last] = range;
  std::optional<int64_t> from = constantOf(first), to = constantOf(last);
  if (from && to && *to <= *from)
    return sums;
  if (from && to && *to - *from <= by)
    return body(first, std::move(sums));
  auto valuesOf = [](const Sums &sums) {
    SmallVector<Value> values(sums.tiles);
    values.push_back(sums.stored);
    return values;
  };
  auto sumsOf = [](ValueRange values) {
    return Sums{SmallVector<Value>(values.drop_back()), values.back()};
  };
  auto loop = scf::ForOp::create(builder, loc, first, last,
                                 IndexBuilder(builder, loc).constant(by),
                                 valuesOf(sums));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  FailureOr<Sums> next =
      body(loop.getInductionVar(), sumsOf(loop.getRegionIterArgs()));
  if (failed(next))
    return failure();
  scf::YieldOp::create(builder, loc, valuesOf(*next));
  return sumsOf(loop.getResults());
}

/// The contracted loops from `level` on, the last of them in steps.
FailureOr<TileBlocks::Sums>
TileBlocks::reduce(OpBuilder &builder, Location loc, const Block &block,
                   unsigned level, Distance at, Sums sums) {
  IndexBuilder index(builder, loc);
  bool isLast = level + 1 == c.reduction.size();
  unsigned number = c.reduction[level];
  std::pair<Value, Value> range = {index.constant(0), sizes[number]};
  // Beyond the borders of rows a copy has zeros.
  const ContractionWindow *window = c.windowOfTap(number);
  if (window && window->position != c.row)
    range = clippedTaps(builder, loc, *window,
                        block.place.rows.loops[window->position],
                        windowInput(builder, loc, *window, elements));
  int64_t distance = left.depth().distances[level] * rightBytes();
  if (isLast && block.isInParts)
    return parts(builder, loc, block, at, std::move(sums));
  auto body = [&](Value i, Sums sums) {
    IndexBuilder inside(builder, loc);
    Distance there = {
        inside.add(at.left, inside.mul(i, block.left.steps[level])),
        inside.add(at.right, inside.mul(i, distance))};
    if (isLast)
      return step(builder, loc, block, there, std::move(sums));
    Block next = block;
    next.place.rows.loops[number] = i;
    return reduce(builder, loc, next, level + 1, there, std::move(sums));
  };
  return forEachStep(builder, loc, range, isLast ? multiply.stepLength() : 1,
                     std::move(sums), body);
}

/// The innermost contracted loop, of rows that are copied in parts.
FailureOr<TileBlocks::Sums> TileBlocks::parts(OpBuilder &builder, Location loc,
                                              const Block &block, Distance at,
                                              Sums sums) {
  IndexBuilder index(builder, loc);
  int64_t elementBytes = c.lhsType().getIntOrFloatBitWidth() / 8;
  Value zero = index.constant(0), all = sizes[c.reduction.back()];
  auto body = [&](Value first, Sums sums) -> FailureOr<Sums> {
    IndexBuilder inside(builder, loc);
    Value end = inside.min(inside.add(first, left.partElements()), all);
    if (failed(left.copyPart(builder, loc, block.place.rows, {first, end})))
      return failure();
    Value right = inside.add(at.right, inside.mul(first, rightBytes()));
    auto oneStep = [&](Value i, Sums sums) {
      IndexBuilder within(builder, loc);
      return step(builder, loc, block,
                  {within.mul(i, elementBytes),
                   within.add(right, within.mul(i, rightBytes()))},
                  std::move(sums));
    };
    return forEachStep(builder, loc, {zero, inside.sub(end, first)},
                       multiply.stepLength(), std::move(sums), oneStep);
  };
  return forEachStep(builder, loc, {zero, all}, left.partElements(),
                     std::move(sums), body);
}

/// All steps of copied rows.
FailureOr<TileBlocks::Sums> TileBlocks::steps(OpBuilder &builder, Location loc,
                                              const Block &block, Sums sums) {
  IndexBuilder index(builder, loc);
  const TileDepth &depth = left.depth();
  int64_t elementBytes = c.lhsType().getIntOrFloatBitWidth() / 8;
  auto body = [&](Value i, Sums sums) {
    IndexBuilder inside(builder, loc);
    return step(
        builder, loc, block,
        {inside.mul(i, elementBytes), inside.mul(i, rightBytes())},
        std::move(sums));
  };
  FailureOr<Sums> whole =
      forEachStep(builder, loc,
                  {index.constant(0), index.constant(depth.wholeSteps)},
                  multiply.stepLength(), std::move(sums), body);
  if (failed(whole) || !lastStep)
    return whole;
  Block last = block;
  last.right = block.tail;
  return step(
      builder, loc, last,
      {index.constant(depth.wholeSteps * elementBytes), index.constant(0)},
      std::move(*whole));
}

FailureOr<Value> TileBlocks::multiplyTiles(OpBuilder &builder, Location loc,
                                           const Block &block,
                                           int64_t rowTiles) {
  IndexBuilder index(builder, loc);
  Value zero = index.constant(0);
  Sums sums{{}, zero};
  for (int64_t i = 0; i < 2 * rowTiles; ++i)
    sums.tiles.push_back(zeroTile(builder, loc, c.sumType()));
  FailureOr<Sums> all =
      left.depth().isNested
          ? reduce(builder, loc, block, 0, {zero, zero}, std::move(sums))
          : steps(builder, loc, block, std::move(sums));
  if (failed(all))
    return failure();
  for (auto [i, tile] : llvm::enumerate(all->tiles)) {
    Value row = index.add(block.left.rows[i / 2], kTileRows);
    amx::TileStoreOp::create(
        builder, loc, sumRows,
        ValueRange{index.add(block.place.firstSum, row),
                   index.constant(i % 2 * kTileRows)},
        tile);
  }
  return all->stored;
}
