// Reading of the left operand by tiles; see the header.
#include "lib/Target/CPU/Contraction/LeftTiles.h"
#include "lib/Target/CPU/Contraction/ConvolutionWindows.h"
#include "lib/Target/CPU/Elements/OperandView.h"
#include "lib/Target/Elements/IndexBuilder.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

TileDepth::TileDepth(const Contraction &c, const MultiplyAccumulate &multiply) {
  int64_t step = multiply.stepLength(),
          inner = c.loops[c.reduction.back()].size;
  isNested = inner % step == 0;
  distances.assign(c.reduction.size(), 1);
  size = llvm::alignTo(inner, multiply.groupLength());
  for (size_t level = c.reduction.size() - 1; level-- > 0;) {
    distances[level] = size;
    size *= c.loops[c.reduction[level]].size;
  }
  wholeSteps = size / step * step;
}

//===----------------------------------------------------------------------===//
// Where rows are read
//===----------------------------------------------------------------------===//

bool cpu::hasRows(const Contraction &c) {
  unsigned inner = c.reduction.back(), last = c.lhsMap.getNumResults() - 1;
  for (auto [i, expr] : llvm::enumerate(c.lhsMap.getResults())) {
    if (growth(expr, inner, 1) != int64_t(i == last) ||
        !growth(expr, c.row, 1))
      return false;
    for (unsigned loop : c.reduction)
      if (!growth(expr, loop, 1))
        return false;
  }
  return true;
}

/// Whether every block has rows that can be read where they are.
static bool hasEnoughRows(const Contraction &c) {
  int64_t rows = c.loops[c.row].size;
  return !c.rowWindow() && !ShapedType::isDynamic(rows) && rows >= kTileRows;
}

/// Whether rows are too deep for a scratch of `kMostRowBytes` a row.
static bool areDeep(const Contraction &c, const MultiplyAccumulate &multiply) {
  constexpr int64_t kMostRowBytes = 1536;
  TileDepth depth(c, multiply);
  return depth.isNested && depth.size * elementBytes(c) > kMostRowBytes;
}

/// Elements that a row of the scratch holds.
static int64_t copiedElements(const Contraction &c,
                              const MultiplyAccumulate &multiply) {
  constexpr int64_t kPartSteps = 8;
  return areDeep(c, multiply) ? kPartSteps * multiply.stepLength()
                              : llvm::alignTo(TileDepth(c, multiply).size,
                                              multiply.stepLength());
}

/// Elements from one row of the scratch to the next; a line more than a row, so that
/// rows do not share a set of the L1 cache.
static int64_t copiedRowElements(const Contraction &c,
                                 const MultiplyAccumulate &multiply) {
  return copiedElements(c, multiply) + kTileRowBytes / elementBytes(c);
}

int64_t LeftTiles::scratchBytes(const Contraction &c,
                                const MultiplyAccumulate &multiply,
                                kernel::ContractionAttr schedule) {
  if (auto lines = imageLinesOf(c, multiply, schedule))
    return lines->elements * elementBytes(c);
  if (TileDepth(c, multiply).isNested && hasEnoughRows(c) && hasRows(c) &&
      mayCollapse(c.lhs()))
    return 0;
  return kBlockRows * copiedRowElements(c, multiply) * elementBytes(c) +
         kTileRowBytes;
}

bool LeftTiles::copiesParts() const {
  return !neverCopies() && !copiesLines() && areDeep(c, multiply);
}

int64_t LeftTiles::partElements() const { return copiedElements(c, multiply); }

LeftTiles::LeftTiles(const ContractionParts &parts)
    : c(parts.contraction), multiply(parts.multiply), elements(parts.elements),
      sizes(parts.sizes), schedule(parts.schedule), contracted(c, multiply) {}

void LeftTiles::prepare(OpBuilder &builder, Location loc, OperandViews &views) {
  if (!hasRows(c))
    return;
  emitsVectors = c.lhsGroups.empty() || c.lhsGroups.back().size() == 1;
  memref = OperandViews::collapse(
      builder, loc, views.view(builder, loc, c.lhs(), &isFlipped), c.lhsGroups);
  if (memref && staticStride(memref, c.lhsMap.getNumResults() - 1) != 1)
    memref = {};
}

void LeftTiles::allocate(OpBuilder &builder, Location loc) {
  if (neverCopies())
    return;
  int64_t slack = kTileRowBytes / elementBytes(c);
  int64_t elements =
      copiesLines() ? imageLinesOf(c, multiply, schedule)->elements
                    : kBlockRows * copiedRowElements(c, multiply) + slack;
  scratch = memref::AllocaOp::create(
      builder, loc, MemRefType::get({elements}, c.lhsType()), ValueRange(),
      builder.getI64IntegerAttr(kTileRowBytes));
}

bool LeftTiles::mayReadInPlace() const {
  return contracted.isNested && memref && !isFlipped;
}

bool LeftTiles::neverCopies() const {
  return mayReadInPlace() && hasEnoughRows(c);
}

/// Rows that read nothing beyond the border of a window: [first, last).
std::pair<Value, Value> LeftTiles::insideRows(OpBuilder &builder,
                                              Location loc) {
  IndexBuilder index(builder, loc);
  const ContractionWindow *window = c.rowWindow();
  if (!window)
    return {index.constant(0), sizes[c.row]};
  return innerPositions(builder, loc, *window,
                   windowInput(builder, loc, *window, elements), sizes[c.row]);
}

Value LeftTiles::isInside(OpBuilder &builder, Location loc,
                          const BlockRows &block,
                          std::pair<Value, Value> inside) {
  IndexBuilder index(builder, loc);
  auto isLess = [&](Value a, Value b) {
    return builder.createOrFold<arith::CmpIOp>(
        loc, arith::CmpIPredicate::sle, a, b);
  };
  auto both = [&](Value a, Value b) {
    return builder.createOrFold<arith::AndIOp>(loc, a, b);
  };
  auto [low, high] = inside;
  Value first = block.loops[c.row];
  Value enough = isLess(index.add(low, kTileRows), high);
  if (!c.rowWindow())
    return enough;
  return both(enough, both(isLess(low, first),
                           isLess(index.add(first, block.count), high)));
}

LeftBlock LeftTiles::locateScratch(OpBuilder &builder, Location loc) {
  IndexBuilder index(builder, loc);
  LeftBlock block;
  block.isInPlace =
      arith::ConstantOp::create(builder, loc, builder.getBoolAttr(false));
  int64_t rowBytes = copiedRowElements(c, multiply) * elementBytes(c);
  block.rowBytes = index.constant(rowBytes);
  Value first = addressOf(builder, loc, scratch, index.constant(0));
  for (int64_t row = 0; row < kBlockRows; row += kTileRows) {
    block.rows.push_back(index.constant(row));
    block.addresses.push_back(index.add(first, row * rowBytes));
  }
  for (int64_t distance : contracted.distances)
    block.steps.push_back(index.constant(distance * elementBytes(c)));
  return block;
}

LeftBlock LeftTiles::locateInPlace(OpBuilder &builder, Location loc,
                                   const BlockRows &rows,
                                   std::pair<Value, Value> inside) {
  IndexBuilder index(builder, loc);
  SmallVector<Value> loops(rows.loops);
  for (unsigned loop : c.reduction)
    loops[loop] = index.constant(0);
  auto bytesOfLoop = [&](unsigned loop) {
    Value bytes = index.constant(0);
    for (auto [i, expr] : llvm::enumerate(c.lhsMap.getResults()))
      if (int64_t factor = *growth(expr, loop, 1))
        bytes = index.add(
            bytes, index.mul(strideBytes(builder, loc, memref, i), factor));
    return bytes;
  };
  LeftBlock block;
  block.isInPlace = isInside(builder, loc, rows, inside);
  block.rowBytes = bytesOfLoop(c.row);
  for (unsigned loop : c.reduction)
    block.steps.push_back(bytesOfLoop(loop));
  SmallVector<Value> at;
  for (AffineExpr expr : c.lhsMap.getResults())
    at.push_back(index.evaluate(expr, loops));
  Value address = addressOf(builder, loc, memref, at);
  Value first = loops[c.row], last = index.add(inside.second, -kTileRows);
  for (int64_t row = 0; row < kBlockRows; row += kTileRows) {
    Value start = index.sub(index.min(index.add(first, row), last), first);
    block.rows.push_back(start);
    block.addresses.push_back(
        index.add(address, index.mul(start, block.rowBytes)));
  }
  return block;
}

LeftBlock LeftTiles::locate(OpBuilder &builder, Location loc,
                            const BlockRows &rows) {
  if (copiesLines())
    return locateInLines(builder, loc, rows);
  if (!mayReadInPlace())
    return locateScratch(builder, loc);
  LeftBlock block =
      locateInPlace(builder, loc, rows, insideRows(builder, loc));
  if (neverCopies() || copiesParts())
    return block;
  LeftBlock copied = locateScratch(builder, loc);
  auto choose = [&](Value &inPlace, Value other) {
    inPlace = builder.createOrFold<arith::SelectOp>(loc, block.isInPlace,
                                                    inPlace, other);
  };
  choose(block.rowBytes, copied.rowBytes);
  for (auto members : {&LeftBlock::addresses, &LeftBlock::rows,
                       &LeftBlock::steps})
    for (auto [inPlace, other] : llvm::zip(block.*members, copied.*members))
      choose(inPlace, other);
  return block;
}

//===----------------------------------------------------------------------===//
// Copies
//===----------------------------------------------------------------------===//

/// Elements that are copied at once.
int64_t LeftTiles::copiedLanes() const {
  if (memref)
    return kTileRowBytes / elementBytes(c);
  return emitsVectors ? multiply.lanes() : 1;
}

/// Zeros where no copy of elements writes, in a row of `count` elements; one of a
/// memref fills up its last vector.
void LeftTiles::fillWithZeros(OpBuilder &builder, Location loc, Value row,
                              int64_t count) {
  IndexBuilder index(builder, loc);
  bool isTail = memref && c.windows.empty();
  if (isTail && contracted.wholeSteps == contracted.size)
    return;
  auto type = VectorType::get(kTileRowBytes / elementBytes(c), c.lhsType());
  Value zeros =
      arith::ConstantOp::create(builder, loc, builder.getZeroAttr(type));
  auto loop = scf::ForOp::create(
      builder, loc, index.constant(isTail ? contracted.wholeSteps : 0),
      index.constant(count), index.constant(type.getNumElements()));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  vector::StoreOp::create(builder, loc, zeros, scratch,
                          index.add(row, loop.getInductionVar()));
}

FailureOr<Value> LeftTiles::load(OpBuilder &builder, Location loc,
                                 ArrayRef<Value> loops, Value mask) {
  IndexBuilder index(builder, loc);
  SmallVector<Value> at;
  for (AffineExpr expr : c.lhsMap.getResults())
    at.push_back(index.evaluate(expr, loops));
  if (!memref)
    return elements.emit(builder, loc, c.lhs(),
                         expandIndices(builder, loc, c.lhs(), c.lhsGroups, at),
                         copiedLanes(), mask);
  auto type = VectorType::get(copiedLanes(), c.lhsType());
  TypedAttr none = builder.getZeroAttr(type);
  if (isFlipped)
    none = DenseElementsAttr::get(type, builder.getI8IntegerAttr(-128));
  Value rest = arith::ConstantOp::create(builder, loc, none);
  Value value =
      mask ? vector::MaskedLoadOp::create(builder, loc, type, memref, at, mask,
                                          rest)
                 .getResult()
           : vector::LoadOp::create(builder, loc, type, memref, at);
  return isFlipped ? arith::XOrIOp::create(builder, loc, value, rest) : value;
}

/// Copies elements [first, last) of the innermost contracted loop.
LogicalResult LeftTiles::copyElements(OpBuilder &builder, Location loc,
                                      RowCopy row,
                                      std::pair<Value, Value> range) {
  IndexBuilder index(builder, loc);
  auto [first, last] = range;
  int64_t lanes = copiedLanes();
  auto loop = scf::ForOp::create(builder, loc, first, last,
                                 index.constant(lanes));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value at = loop.getInductionVar();
  row.loops[c.reduction.back()] = at;
  Value position = index.add(row.position, at);
  std::optional<int64_t> from = constantOf(first), to = constantOf(last);
  bool isWhole = lanes == 1 || (from && to && (*to - *from) % lanes == 0);
  Value mask;
  if (!isWhole)
    mask = vector::CreateMaskOp::create(
        builder, loc, VectorType::get(lanes, builder.getI1Type()),
        index.sub(last, at));
  FailureOr<Value> value = load(builder, loc, row.loops, mask);
  if (failed(value))
    return failure();
  if (lanes == 1)
    memref::StoreOp::create(builder, loc, *value, scratch, position);
  else if (mask && !memref)
    vector::MaskedStoreOp::create(builder, loc, scratch, position, mask,
                                  *value);
  else
    vector::StoreOp::create(builder, loc, *value, scratch, position);
  return success();
}

/// The indices of a contracted loop that a row reads within the borders.
std::pair<Value, Value> LeftTiles::rangeOf(OpBuilder &builder, Location loc,
                                           const RowCopy &row, unsigned loop) {
  const ContractionWindow *window = c.windowOfTap(loop);
  if (!window)
    return {IndexBuilder(builder, loc).constant(0), sizes[loop]};
  return clippedTaps(builder, loc, *window, row.loops[window->position],
                     windowInput(builder, loc, *window, elements));
}

LogicalResult LeftTiles::copyRow(OpBuilder &builder, Location loc,
                                 RowCopy row) {
  IndexBuilder index(builder, loc);
  OpBuilder::InsertionGuard guard(builder);
  for (auto [level, number] : llvm::enumerate(c.reduction)) {
    std::pair<Value, Value> range = rangeOf(builder, loc, row, number);
    if (level + 1 == c.reduction.size())
      return copyElements(builder, loc, std::move(row), range);
    auto loop = scf::ForOp::create(builder, loc, range.first, range.second,
                                   index.constant(1));
    builder.setInsertionPointToStart(loop.getBody());
    row.loops[number] = loop.getInductionVar();
    row.position = index.add(
        row.position,
        index.mul(loop.getInductionVar(), contracted.distances[level]));
  }
  return success();
}

LogicalResult LeftTiles::copy(OpBuilder &builder, Location loc,
                              const BlockRows &block) {
  IndexBuilder index(builder, loc);
  auto loop = scf::ForOp::create(builder, loc, index.constant(0), block.count,
                                 index.constant(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  RowCopy row{block.loops,
              index.mul(loop.getInductionVar(), copiedRowElements(c, multiply))};
  row.loops[c.row] = index.add(row.loops[c.row], loop.getInductionVar());
  fillWithZeros(builder, loc, row.position, copiedElements(c, multiply));
  return copyRow(builder, loc, std::move(row));
}

LogicalResult LeftTiles::copyPart(OpBuilder &builder, Location loc,
                                  const BlockRows &block,
                                  std::pair<Value, Value> part) {
  IndexBuilder index(builder, loc);
  auto loop = scf::ForOp::create(builder, loc, index.constant(0), block.count,
                                 index.constant(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(loop.getBody());
  Value first =
      index.mul(loop.getInductionVar(), copiedRowElements(c, multiply));
  RowCopy row{block.loops, index.sub(first, part.first)};
  row.loops[c.row] = index.add(row.loops[c.row], loop.getInductionVar());
  fillWithZeros(builder, loc, first, partElements());
  auto [begin, end] = part;
  for (unsigned number : c.reduction) {
    const ContractionWindow *window = c.windowOfTap(number);
    if (!window || window->position != c.row)
      continue;
    auto [low, high] = rangeOf(builder, loc, row, number);
    if (number == c.reduction.back()) {
      begin = index.max(begin, low);
      end = index.min(end, high);
      continue;
    }
    // Nothing of a tap beyond the border.
    Value tap = row.loops[number];
    auto isLess = [&](Value a, Value b) -> Value {
      return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::sle, a,
                                   b);
    };
    Value isInside = arith::AndIOp::create(
        builder, loc, isLess(low, tap), isLess(index.add(tap, 1), high));
    end = arith::SelectOp::create(builder, loc, isInside, end, begin);
  }
  return copyElements(builder, loc, std::move(row), {begin, end});
}
