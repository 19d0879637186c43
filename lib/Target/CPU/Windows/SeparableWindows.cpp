// Windows that overlap: blocks, and the second step, along the rows; see the header.
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
// Second step: along the rows
//===----------------------------------------------------------------------===//

LogicalResult SeparableWindows::emitOutputs(OpBuilder &builder,
                                            const Block &block, Value row,
                                            Value column, int64_t count) {
  IndexBuilder index(builder, loc());
  SmallVector<SmallVector<Value>> positions;
  SmallVector<Value> divisors;
  for (int64_t i = 0; i < count; ++i) {
    SmallVector<Value> position(block.position);
    if (rowDimension() >= 0)
      position[1 + rowDimension()] =
          index.add(position[1 + rowDimension()], row);
    position.back() = index.add(position.back(), index.add(column, i));
    divisors.push_back(
        work.divisorOf(builder, work.windowAt(builder, position),
                       work.spatial()));
    positions.push_back(position);
  }
  Value first = index.mul(column, columns.stride);
  return Strip(work.rows.lanes, 1)
      .emit(builder, loc(), {index.constant(0), block.channelCount},
            [&](OpBuilder &inner, StripStep strip) -> LogicalResult {
              IndexBuilder index(inner, loc());
              auto accumulate = [&](Value state, int64_t from,
                                    int64_t to) -> FailureOr<Value> {
                for (int64_t i = from; i < to; ++i) {
                  Value j = index.add(first, i * columns.dilation);
                  Value x = vector::LoadOp::create(
                      inner, loc(),
                      cast<VectorType>(work.withLanes(work.accumulator())),
                      scratch, scratchIndices(inner, row, j, strip.index));
                  state = state ? combine(inner, x, state, false) : x;
                }
                return state;
              };
              FailureOr<SmallVector<Value>> results =
                  slide(inner, columns, count, /*keepsNaN=*/false, accumulate);
              if (failed(results))
                return failure();
              Value channel = index.add(block.firstChannel, strip.index);
              for (auto [position, value, divisor] :
                   llvm::zip(positions, *results, divisors)) {
                SmallVector<Value> indices(position);
                indices.push_back(channel);
                if (failed(work.finish(inner, indices, value, divisor,
                                       strip.mask)))
                  return failure();
              }
              return success();
            });
}

LogicalResult SeparableWindows::emitOutputs(OpBuilder &builder,
                                            const Block &block) {
  IndexBuilder index(builder, loc());
  int64_t together = columns.together();
  Value width = index.constant(together);
  Value whole = index.mul(index.div(block.columnCount, width), width);
  return emitLoop(
      builder, loc(), {index.constant(0), block.rowCount, 1},
      [&](OpBuilder &inner, Value row) {
        IndexBuilder index(inner, loc());
        if (work.isPlanar)
          return emitPlanarRow(inner, block, row);
        auto strip = [&](Value from, Value to, int64_t count) {
          return emitLoop(inner, loc(), {from, to, count},
                          [&](OpBuilder &at, Value column) {
                            return emitOutputs(at, block, row, column, count);
                          });
        };
        return success(succeeded(strip(index.constant(0), whole, together)) &&
                       succeeded(strip(whole, block.columnCount, 1)));
      });
}

LogicalResult SeparableWindows::emitPositions(OpBuilder &builder,
                                              const Block &block) {
  IndexBuilder index(builder, loc());
  return emitLoop(
      builder, loc(), {index.constant(0), block.rowCount, 1},
      [&](OpBuilder &outer, Value row) {
        IndexBuilder index(outer, loc());
        return emitLoop(
            outer, loc(), {index.constant(0), block.columnCount, 1},
            [&](OpBuilder &inner, Value column) {
              IndexBuilder index(inner, loc());
              SmallVector<Value> position(block.position);
              if (rowDimension() >= 0)
                position[1 + rowDimension()] =
                    index.add(position[1 + rowDimension()], row);
              position.back() = index.add(position.back(), column);
              return work.emitPosition(
                  inner, position, block.firstChannel,
                  index.add(block.firstChannel, block.channelCount));
            });
      });
}

//===----------------------------------------------------------------------===//
// Blocks
//===----------------------------------------------------------------------===//

LogicalResult SeparableWindows::emitBlock(OpBuilder &builder,
                                          const Block &block) {
  IndexBuilder index(builder, loc());
  if (failed(emitPadding(builder, block, index.constant(0), block.insideFrom)))
    return failure();
  SmallVector<Value> flags;
  if (watchesNaN()) {
    Type bits = builder.getIntegerType(
        work.accumulator().getIntOrFloatBitWidth());
    flags.push_back(arith::ConstantOp::create(
        builder, loc(), builder.getZeroAttr(work.withLanes(bits))));
  }
  FailureOr<SmallVector<Value>> seen;
  if (rowDimension() != 0) {
    seen = emitColumns(builder, block, /*isInside=*/rowDimension() < 0, flags);
  } else {
    // Whether no window of the block has rows of the padding.
    Value origin = index.mul(block.position[1 + rowDimension()], rows.stride);
    Value low = index.constant(work.pool.getPadLow()[rowDimension()]);
    Value end = index.add(origin, rows.span(blockRows));
    Value inputEnd = index.add(work.inputSizes[1 + rowDimension()], low);
    Value isInside = arith::AndIOp::create(
        builder, loc(),
        arith::CmpIOp::create(builder, loc(), arith::CmpIPredicate::uge,
                              origin, low),
        arith::CmpIOp::create(builder, loc(), arith::CmpIPredicate::ule, end,
                              inputEnd));
    auto forms = scf::IfOp::create(builder, loc(), TypeRange(ValueRange(flags)),
                                   isInside, /*withElseRegion=*/true);
    for (bool inside : {true, false}) {
      OpBuilder form = OpBuilder::atBlockBegin(
          inside ? forms.thenBlock() : forms.elseBlock());
      FailureOr<SmallVector<Value>> results =
          emitColumns(form, block, inside, flags);
      if (failed(results))
        return failure();
      if (!flags.empty())
        scf::YieldOp::create(form, loc(), *results);
    }
    seen = SmallVector<Value>(forms.getResults());
  }
  // Behind the columns of the input, whose last vector may have reached there.
  if (failed(seen) || failed(emitPadding(builder, block, block.insideTo,
                                         block.inputColumns)))
    return failure();
  if (seen->empty())
    return emitOutputs(builder, block);
  Value any = seen->front();
  if (isa<VectorType>(any.getType()))
    any = vector::ReductionOp::create(builder, loc(),
                                      vector::CombiningKind::OR, any);
  Value zero = arith::ConstantOp::create(builder, loc(),
                                         builder.getZeroAttr(any.getType()));
  Value hasNaN = arith::CmpIOp::create(builder, loc(),
                                       arith::CmpIPredicate::ne, any, zero);
  auto forms = scf::IfOp::create(builder, loc(), hasNaN,
                                 /*withElseRegion=*/true);
  OpBuilder exact = forms.getThenBodyBuilder(),
            fast = forms.getElseBodyBuilder();
  return success(succeeded(emitPositions(exact, block)) &&
                 succeeded(emitOutputs(fast, block)));
}

SeparableWindows::Block SeparableWindows::blockAt(OpBuilder &builder,
                                                  ArrayRef<Value> place) {
  IndexBuilder index(builder, loc());
  auto atMost = [&](Value start, Value size, int64_t most) {
    std::optional<int64_t> known = constantOf(size);
    if (known && *known % most == 0)
      return index.constant(most);
    if (known && *known <= most)
      return size;
    return index.min(index.sub(size, start), most);
  };
  // place: [batch, leading spatial ..., column block, channel block, row block].
  Block block;
  block.position.assign(place.begin(), place.end() - 3);
  Value firstRow = index.mul(place.back(), blockRows);
  if (rowDimension() >= 0) {
    block.position.push_back(firstRow);
    block.rowCount = atMost(firstRow, work.sizes[1 + rowDimension()], blockRows);
  } else {
    block.rowCount = index.constant(1);
  }
  Value column = index.mul(place[place.size() - 3], blockColumns);
  block.position.push_back(column);
  block.columnCount =
      atMost(column, work.sizes[1 + columnDimension()], blockColumns);
  block.firstChannel = index.mul(place[place.size() - 2], channels);
  block.channelCount = atMost(block.firstChannel, work.sizes.back(), channels);
  block.firstColumn = index.mul(column, columns.stride);
  // (count - 1) * stride + reach
  block.inputColumns = index.add(index.mul(block.columnCount, columns.stride),
                                 columns.reach() - columns.stride);
  Value low = index.constant(work.pool.getPadLow()[columnDimension()]);
  auto before = [&](Value bound) {
    Value distance =
        index.sub(index.max(bound, block.firstColumn), block.firstColumn);
    return index.min(distance, block.inputColumns);
  };
  block.insideFrom = before(low);
  block.insideTo =
      before(index.add(work.inputSizes[1 + columnDimension()], low));
  return block;
}

LogicalResult SeparableWindows::emit(OpBuilder &builder) {
  IndexBuilder math(builder, loc());
  SmallVector<Value> counts(ArrayRef(work.sizes).take_front(
      1 + std::max<int64_t>(rowDimension(), 0)));
  auto blocksOf = [&](Value size, int64_t most) {
    return math.ceilDiv(size, most);
  };
  counts.push_back(blocksOf(work.sizes[1 + columnDimension()], blockColumns));
  counts.push_back(blocksOf(work.sizes.back(), channels));
  counts.push_back(rowDimension() < 0
                       ? math.constant(1)
                       : blocksOf(work.sizes[1 + rowDimension()], blockRows));
  Value total = math.product(counts);
  Value elements = math.product(
      {math.constant(
           blockRows *
           std::max<int64_t>((rows.size + columns.size) / kMostTogether, 1)),
       math.min(work.sizes[1 + columnDimension()], blockColumns),
       math.min(work.sizes.back(), channels)});
  Value one = math.constant(1);
  Value perTask = math.max(
      math.div(math.constant(work.rows.taskElements), math.max(elements, one)),
      one);
  return emitTasks(
      builder, loc(), math.ceilDiv(total, perTask), work.rows.context,
      [&](OpBuilder &task, Value number) {
        IndexBuilder math(task, loc());
        // The last vectors of a planar row reach beyond its end.
        int64_t length = columns.span(blockColumns) +
                         (work.isPlanar ? work.rows.lanes * (columns.stride + 1)
                                        : 0);
        scratch = memref::AllocaOp::create(
            task, loc(),
            MemRefType::get(work.isPlanar
                                ? ArrayRef<int64_t>{blockRows, 1, length}
                                : ArrayRef<int64_t>{blockRows, length, channels},
                            work.accumulator()),
            ValueRange(), task.getI64IntegerAttr(64));
        Value from = math.mul(number, perTask);
        Value to = math.min(math.add(from, perTask), total);
        return emitLoop(
            task, loc(), {from, to, 1}, [&](OpBuilder &inner, Value index) {
              IndexBuilder math(inner, loc());
              return emitBlock(inner,
                               blockAt(inner, math.delinearize(index, counts)));
            });
      });
}

//===----------------------------------------------------------------------===//
// Entry
//===----------------------------------------------------------------------===//

static Sliding slidingAlong(WindowKernel &work, int64_t dimension) {
  if (dimension < 0)
    return {1, 1, 1};
  return {work.pool.getKernel()[dimension], work.pool.getStrides()[dimension],
          work.pool.getDilations()[dimension]};
}

/// Windows too long for the scratch have no such form.
static bool fitsScratch(const Sliding &columns) {
  return 2 * columns.reach() * kChannelBytes <= kScratchBytes;
}

bool cpu::isSeparable(WindowKernel &work) {
  Sliding columns = slidingAlong(work, work.spatial() - 1);
  if (work.isPlanar)
    return true;
  if (work.rows.lanes == 1 || !fitsScratch(columns))
    return false;
  // Loads of one output: of the window, or of the columns that are its own and
  // of their results, each of which is also stored.
  int64_t others = llvm::product_of(work.pool.getKernel().drop_back());
  int64_t direct = others * columns.size;
  int64_t apart = (others + 1) * columns.stride + columns.size;
  return apart < direct;
}

void SeparableWindows::chooseBlock() {
  int64_t bytes =
      llvm::divideCeil(work.accumulator().getIntOrFloatBitWidth(), 8);
  channels = work.isPlanar
                 ? 1
                 : std::max(kChannelBytes / bytes, work.rows.lanes);
  int64_t lines = kScratchBytes / (channels * bytes);
  blockRows = std::clamp<int64_t>(lines / (2 * columns.reach()), 1,
                                  rows.together());
  int64_t length = lines / blockRows;
  if (work.isPlanar)
    length -= work.rows.lanes * (columns.stride + 1);
  blockColumns = (length - columns.reach()) / columns.stride + 1;
  if (std::optional<int64_t> known =
          constantOf(work.sizes[1 + columnDimension()]))
    blockColumns = std::clamp<int64_t>(*known, 1, blockColumns);
}

LogicalResult cpu::emitSeparable(WindowKernel &work, OpBuilder &builder) {
  SeparableWindows windows{work, slidingAlong(work, work.spatial() - 2),
                           slidingAlong(work, work.spatial() - 1)};
  windows.chooseBlock();
  return windows.emit(builder);
}
