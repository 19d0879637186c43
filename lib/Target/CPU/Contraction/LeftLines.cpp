// Copies of the lines of an image that rows under a window read; see LeftTiles.h.
#include "lib/Target/CPU/Contraction/ConvolutionWindows.h"
#include "lib/Target/CPU/Contraction/LeftTiles.h"
#include "lib/Target/Elements/IndexBuilder.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

std::optional<ImageLines>
cpu::imageLinesOf(const Contraction &c, const MultiplyAccumulate &multiply,
                  kernel::ContractionAttr schedule) {
  constexpr int64_t kMostBytes = 44 << 10;
  const ContractionWindow *window = c.rowWindow();
  int64_t rows = c.loops[c.row].size;
  if (!window || window->tap != c.reduction.back() || !hasRows(c) ||
      !mayCollapse(c.lhs()) || ShapedType::isDynamic(rows) ||
      !TileDepth(c, multiply).isNested)
    return std::nullopt;
  unsigned last = c.lhsMap.getNumResults() - 1;
  for (auto [i, expr] : llvm::enumerate(c.lhsMap.getResults())) {
    if (i != last && growth(expr, c.row, 1) != 0)
      return std::nullopt;
    for (unsigned loop : ArrayRef(c.reduction).drop_back())
      if (i == last && growth(expr, loop, 1) != 0)
        return std::nullopt;
  }
  // Tiles read whole tiles of rows.
  int64_t most = std::min<int64_t>(llvm::alignTo(rows, kTileRows),
                                   schedule.getTaskRows());
  int64_t line = kTileRowBytes / elementBytes(c);
  ImageLines lines;
  lines.rowDistance = *growth(c.lhsMap.getResult(last), c.row, 1);
  lines.distance = llvm::alignTo((most - 1) * lines.rowDistance +
                                     c.loops[c.reduction.back()].size,
                                 line) +
                   line;
  lines.elements = lines.distance;
  for (unsigned loop : ArrayRef(c.reduction).drop_back())
    lines.elements *= c.loops[loop].size;
  if (lines.rowDistance <= 0 || lines.elements * elementBytes(c) > kMostBytes)
    return std::nullopt;
  return lines;
}

bool LeftTiles::copiesLines() const {
  return memref && imageLinesOf(c, multiply, schedule);
}

LeftBlock LeftTiles::locateInLines(OpBuilder &builder, Location loc,
                                   const BlockRows &rows) {
  IndexBuilder index(builder, loc);
  ImageLines lines = *imageLinesOf(c, multiply, schedule);
  LeftBlock block;
  block.isInPlace =
      arith::ConstantOp::create(builder, loc, builder.getBoolAttr(true));
  int64_t rowBytes = lines.rowDistance * elementBytes(c);
  block.rowBytes = index.constant(rowBytes);
  Value first = index.add(
      addressOf(builder, loc, scratch, index.constant(0)),
      index.mul(index.sub(rows.loops[c.row], firstRow), rowBytes));
  for (int64_t row = 0; row < kBlockRows; row += kTileRows) {
    block.rows.push_back(index.constant(row));
    block.addresses.push_back(index.add(first, row * rowBytes));
  }
  int64_t distance = lines.distance;
  block.steps.push_back(index.constant(elementBytes(c)));
  for (unsigned loop : llvm::reverse(ArrayRef(c.reduction).drop_back())) {
    block.steps.insert(block.steps.begin(),
                       index.constant(distance * elementBytes(c)));
    distance *= c.loops[loop].size;
  }
  return block;
}

/// Zeros for elements [first, last) of the line at `position`.
void LeftTiles::storeZeros(OpBuilder &builder, Location loc, Value position,
                           Value first, Value last) {
  IndexBuilder index(builder, loc);
  auto type = VectorType::get(copiedLanes(), c.lhsType());
  Value zeros =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  auto loop = scf::ForOp::create(builder, loc, first, last,
                                 index.constant(copiedLanes()));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  vector::StoreOp::create(builder, loc, zeros, scratch,
                          index.add(position, loop.getInductionVar()));
}

/// Copies what `count` rows read of one line.
LogicalResult LeftTiles::copyLine(OpBuilder &builder, Location loc,
                                  const RowCopy &line, Value count) {
  IndexBuilder index(builder, loc);
  const ContractionWindow &window = *c.rowWindow();
  ImageLines lines = *imageLinesOf(c, multiply, schedule);
  Value zero = index.constant(0);
  Value first = index.evaluate(c.lhsMap.getResults().back(), line.loops);
  Value end = index.add(index.mul(index.add(count, -1), lines.rowDistance),
                        sizes[window.tap]);
  Value size = index.mul(windowInput(builder, loc, window, elements),
                         window.tapSize);
  // Of the line, [begin, inside) is in the image.
  Value begin = index.min(index.max(index.sub(zero, first), zero), end);
  Value inside = index.max(index.min(index.sub(size, first), end), begin);
  storeZeros(builder, loc, line.position, zero, begin);
  if (failed(copyElements(builder, loc, line, {begin, inside})))
    return failure();
  Value copied = index.mul(
      index.ceilDiv(index.sub(inside, begin), copiedLanes()), copiedLanes());
  storeZeros(builder, loc, line.position, index.add(begin, copied), end);
  return success();
}

LogicalResult LeftTiles::copyLines(OpBuilder &builder, Location loc,
                                   ArrayRef<Value> loops, Value count) {
  IndexBuilder index(builder, loc);
  OpBuilder::InsertionGuard guard(builder);
  ImageLines lines = *imageLinesOf(c, multiply, schedule);
  RowCopy line{SmallVector<Value>(loops), index.constant(0)};
  firstRow = loops[c.row];
  line.loops[c.reduction.back()] = index.constant(0);
  for (unsigned number : ArrayRef(c.reduction).drop_back()) {
    auto [first, last] = rangeOf(builder, loc, line, number);
    auto loop =
        scf::ForOp::create(builder, loc, first, last, index.constant(1));
    builder.setInsertionPointToStart(loop.getBody());
    line.loops[number] = loop.getInductionVar();
    line.position = index.add(
        index.mul(line.position, c.loops[number].size), loop.getInductionVar());
  }
  line.position = index.mul(line.position, lines.distance);
  return copyLine(builder, loc, line, count);
}
