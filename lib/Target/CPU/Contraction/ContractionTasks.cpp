// Loops over the tiles of a task.
#include "lib/Target/CPU/Contraction/ContractionTasks.h"
#include "lib/CostModel/ContractionSchedule.h"
#include "lib/Target/CPU/Contraction/ConvolutionWindows.h"
#include "lib/Target/CPU/Contraction/TileRows.h"
#include "lib/Target/Elements/IndexTerms.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

/// More rows than this are cut at run time, as if their number were unknown.
static constexpr int64_t kMostRowsCut = 1 << 16;

/// With so many full tiles of rows, others may be slow: three instead of two at the
/// end cost at most 3 % of all.
static constexpr int64_t kManyTiles = 12;

LogicalResult TaskTiles::forEach(Value first, Value last, int64_t step,
                                 function_ref<LogicalResult(Value)> body) {
  std::optional<int64_t> from = constantOf(first), to = constantOf(last);
  if (from && to && *to - *from <= step)
    return *to > *from ? body(first) : success();
  Value by = IndexBuilder(*builder, *location).constant(step);
  auto loop = scf::ForOp::create(*builder, *location, first, last, by);
  OpBuilder::InsertionGuard guard(*builder);
  builder->setInsertionPointToStart(loop.getBody());
  return body(loop.getInductionVar());
}

LogicalResult TaskTiles::emit(OpBuilder &taskBuilder, Location loc,
                              ArrayRef<Value> loops, const TaskBlock &task) {
  builder = &taskBuilder;
  location = loc;
  outerLoops.assign(loops.begin(), loops.end());
  block = task;
  const ContractionWindow *window = c.rowWindow();
  if (!window)
    return innerRows(block.firstRow, block.lastRow);
  int64_t rows = c.loops[c.row].size;
  bool whole =
      constantOf(block.firstRow) == 0 && constantOf(block.lastRow) == rows;
  return whole && !ShapedType::isDynamic(window->input.size) &&
                 rows <= kMostRowsCut
             ? windowRowsStatic(rows)
             : windowRowsDynamic(block.firstRow, block.lastRow);
}

//===----------------------------------------------------------------------===//
// Rows
//===----------------------------------------------------------------------===//

LogicalResult TaskTiles::innerRows(Value first, Value last) {
  IndexBuilder index(*builder, *location);
  std::optional<int64_t> from = constantOf(first), to = constantOf(last);
  if (from && to && *to - *from <= kMostRowsCut)
    return innerRowsStatic(*from, *to - *from);
  return innerRowsDynamic(first, index.sub(last, first));
}

LogicalResult TaskTiles::innerRowsStatic(int64_t first, int64_t count) {
  IndexBuilder index(*builder, *location);
  SmallVector<int64_t> counts = cutRows(std::max<int64_t>(count, 0),
                                        schedule.getRows());
  for (size_t i = 0, end; i < counts.size(); i = end) {
    int64_t rows = counts[i];
    end = i;
    int64_t last = first;
    for (; end < counts.size() && counts[end] == rows; ++end)
      last += rows;
    if (failed(forEach(index.constant(first), index.constant(last), rows,
                       [&](Value row) {
                         return rowTile(rows, row, allTaps(rows));
                       })))
      return failure();
    first = last;
  }
  return success();
}

/// Row counts that tiles of a task can have.
SmallVector<int64_t> TaskTiles::possibleRows() {
  int64_t rows =
      c.rowWindow() ? ShapedType::kDynamic : c.loops[c.row].size;
  return tileRowCounts(rows, schedule.getTaskRows(), schedule.getRows());
}

/// What divides the rows that full tiles leave: all tasks but the last have whole
/// tiles.
int64_t TaskTiles::restDivisor() {
  if (c.rowWindow())
    return 1;
  return std::gcd(termsOf(sizes[c.row]).divisor(), schedule.getRows());
}

LogicalResult TaskTiles::innerRowsDynamic(Value first, Value count) {
  RowRange range{first, count, schedule.getRows()};
  auto body = [&](int64_t rows, Value row) {
    return rowTile(rows, row, allTaps(rows));
  };
  auto ofFew = [&](int64_t rows, Value row) {
    return rowTile(rows, row, allTaps(rows),
                   /*isRest=*/rows != schedule.getRows());
  };
  // The filter stays in the caches from one row of an image to the next; and of
  // many rows the last ones matter little.
  bool areMany = !c.rowWindow() && termsOf(sizes[c.row]).divisor() >=
                                       kManyTiles * schedule.getRows();
  if ((!c.rhsGroups.empty() || areMany) && possibleRows().size() > 1)
    return forEachRowTileOfFewCounts(*builder, *location, range, restDivisor(),
                                     ofFew);
  return forEachRowTile(*builder, *location, range, possibleRows(), body);
}

//===----------------------------------------------------------------------===//
// Rows under a window
//===----------------------------------------------------------------------===//

SmallVector<TapRange> TaskTiles::allTaps(int64_t rows) {
  const ContractionWindow *window = c.rowWindow();
  if (!window)
    return {};
  IndexBuilder index(*builder, *location);
  return {{index.constant(0), index.constant(window->kernel * window->tapSize),
           llvm::to_vector(llvm::seq<int64_t>(0, rows))}};
}

SmallVector<TapRange> TaskTiles::borderTaps(int64_t firstRow, int64_t rows) {
  IndexBuilder index(*builder, *location);
  const ContractionWindow &window = *c.rowWindow();
  SmallVector<TapRange> ranges;
  SmallVector<int64_t> open;
  int64_t start = 0;
  // Taps that the same rows read make one range.
  for (int64_t tap = 0; tap <= window.kernel; ++tap) {
    SmallVector<int64_t> inside;
    for (int64_t row = 0; row < rows && tap < window.kernel; ++row) {
      InnerPositions taps = innerTaps(window, firstRow + row);
      if (taps.first <= tap && tap < taps.last)
        inside.push_back(row);
    }
    if (inside == open)
      continue;
    if (!open.empty())
      ranges.push_back({index.constant(start * window.tapSize),
                        index.constant(tap * window.tapSize), open});
    open = inside;
    start = tap;
  }
  return ranges;
}

LogicalResult TaskTiles::windowRowsStatic(int64_t rows) {
  IndexBuilder index(*builder, *location);
  InnerPositions inner = innerPositions(*c.rowWindow(), rows);
  SmallVector<int64_t> counts = cutRows(rows, schedule.getRows());
  int64_t first = 0;
  for (size_t i = 0; i < counts.size();) {
    int64_t count = counts[i], last = first;
    auto isInner = [&](int64_t from) {
      return from >= inner.first && from + count <= inner.last;
    };
    if (!isInner(first)) {
      if (failed(rowTile(count, index.constant(first),
                         borderTaps(first, count))))
        return failure();
      first += count;
      ++i;
      continue;
    }
    for (; i < counts.size() && counts[i] == count && isInner(last); ++i)
      last += count;
    if (failed(forEach(index.constant(first), index.constant(last), count,
                       [&](Value row) {
                         return rowTile(count, row, allTaps(count));
                       })))
      return failure();
    first = last;
  }
  return success();
}

/// Rows [first, begin) and [end, last), one by one, by the same code.
LogicalResult TaskTiles::borderRows(Value first, Value begin, Value end,
                                    Value last) {
  IndexBuilder outside(*builder, *location);
  Value before = outside.sub(begin, first), zero = outside.constant(0);
  Value count = outside.add(before, outside.sub(last, end));
  return forEach(zero, count, 1, [&](Value number) {
    const ContractionWindow &window = *c.rowWindow();
    IndexBuilder index(*builder, *location);
    Value isBefore = builder->createOrFold<arith::CmpIOp>(
        *location, arith::CmpIPredicate::slt, number, before);
    Value row = builder->createOrFold<arith::SelectOp>(
        *location, isBefore, index.add(first, number),
        index.add(end, index.sub(number, before)));
    auto [from, to] =
        clippedTaps(*builder, *location, window, row,
                    windowInput(*builder, *location, window, elements));
    return rowTile(1, row, {{from, to, {0}}}, /*isRest=*/true);
  });
}

LogicalResult TaskTiles::windowRowsDynamic(Value first, Value last) {
  const ContractionWindow &window = *c.rowWindow();
  Location loc = *location;
  IndexBuilder index(*builder, loc);
  auto [innerFirst, innerLast] =
      innerPositions(*builder, loc, window,
                windowInput(*builder, loc, window, elements), sizes[c.row]);
  Value begin = index.min(index.max(first, innerFirst), last);
  Value end = index.max(index.min(last, innerLast), begin);
  if (constantOf(begin) && constantOf(end))
    return success(succeeded(innerRows(begin, end)) &&
                   succeeded(borderRows(first, begin, end, last)));
  // A single inner row that full tiles leave is computed as those at the border.
  int64_t tileRows = schedule.getRows();
  Value count = index.sub(end, begin);
  count = index.sub(count, index.rem(index.rem(count, tileRows), 2));
  auto inner = [&](int64_t rows, Value row) {
    return rowTile(rows, row, allTaps(rows), /*isRest=*/rows != tileRows);
  };
  return success(succeeded(forEachRowTileOfFewCounts(
                     *builder, loc, {begin, count, tileRows},
                     /*restDivisor=*/2, inner)) &&
                 succeeded(borderRows(first, begin, index.add(begin, count),
                                      last)));
}

//===----------------------------------------------------------------------===//
// Columns
//===----------------------------------------------------------------------===//

/// How many column tiles a tile of `rows` rows takes at once.
int64_t TaskTiles::widening(int64_t rows) const {
  int64_t most = schedule.getTaskPanels(), columns = c.loops[c.column].size;
  if (!ShapedType::isDynamic(columns))
    most = std::min(most, columns / tileColumns());
  if (panels.isCopied())
    most = std::min(most, panels.copiedPanels());
  return tilesAtOnce(rows, schedule.getVectors(), schedule.getLanes(), most);
}

LogicalResult TaskTiles::rowTile(int64_t rows, Value firstRow,
                                 SmallVector<TapRange> taps, bool isRest) {
  tileRow = firstRow;
  tileIsRest = isRest;
  tileTaps = std::move(taps);
  IndexBuilder index(*builder, *location);
  Value fullTiles = index.div(sizes[c.column], tileColumns());
  Value lastFull = index.min(block.lastPanel, fullTiles);
  int64_t vectors = schedule.getVectors();
  int64_t factor = widening(rows);
  Value first = block.firstPanel;
  if (factor > 1) {
    Value wide = index.mul(
        index.div(index.max(index.sub(lastFull, first), index.constant(0)),
                  factor),
        factor);
    Value lastWide = index.add(first, wide);
    if (failed(forEach(first, lastWide, factor, [&](Value panel) {
          return columnTile(rows, vectors * factor, panel, Value());
        })))
      return failure();
    first = lastWide;
  }
  int64_t columns = c.loops[c.column].size;
  bool hasFull = ShapedType::isDynamic(columns) || columns >= tileColumns();
  if (hasFull && failed(forEach(first, lastFull, 1, [&](Value panel) {
        return columnTile(rows, vectors, panel, Value());
      })))
    return failure();
  return columnTail(rows, fullTiles);
}

/// The columns that do not fill a tile, where the task has them.
LogicalResult TaskTiles::columnTail(int64_t rows, Value fullTiles) {
  int64_t columns = c.loops[c.column].size;
  bool isStatic = !ShapedType::isDynamic(columns);
  if (isStatic && columns % tileColumns() == 0)
    return success();
  IndexBuilder index(*builder, *location);
  int64_t vectors = schedule.getVectors();
  if (isStatic)
    vectors = llvm::divideCeil(columns % tileColumns(), schedule.getLanes());
  Value left = index.sub(sizes[c.column],
                         index.mul(fullTiles, tileColumns()));
  Value has = builder->createOrFold<arith::CmpIOp>(
      *location, arith::CmpIPredicate::sgt, block.lastPanel, fullTiles);
  if (getConstantIntValue(has))
    return *getConstantIntValue(has)
               ? columnTile(rows, vectors, fullTiles, left)
               : success();
  auto tail = scf::IfOp::create(*builder, *location, has,
                                /*withElseRegion=*/false);
  OpBuilder::InsertionGuard guard(*builder);
  builder->setInsertionPointToStart(tail.thenBlock());
  return columnTile(rows, vectors, fullTiles, left);
}

LogicalResult TaskTiles::columnTile(int64_t rows, int64_t vectors, Value panel,
                                    Value columnsLeft) {
  IndexBuilder index(*builder, *location);
  int64_t lanes = schedule.getLanes();
  TilePlace place;
  place.loops = outerLoops;
  place.loops[c.row] = tileRow;
  place.loops[c.column] = builder->createOrFold<arith::MulIOp>(
      *location, panel, index.constant(tileColumns()),
      arith::IntegerOverflowFlags::nsw | arith::IntegerOverflowFlags::nuw);
  place.masks.assign(vectors, Value());
  place.taps = tileTaps;
  place.isRest = tileIsRest;
  if (columnsLeft) {
    auto type = VectorType::get(lanes, builder->getI1Type());
    std::optional<int64_t> known = constantOf(columnsLeft);
    for (int64_t v = 0; v < vectors; ++v)
      if (!known || *known < (v + 1) * lanes)
        place.masks[v] = vector::CreateMaskOp::create(
            *builder, *location, type, index.add(columnsLeft, -v * lanes));
    place.maskLoads = panels.needsMasks(/*isExact=*/known.has_value());
  }
  return tile.emit(*builder, *location, rows, vectors, std::move(place));
}
