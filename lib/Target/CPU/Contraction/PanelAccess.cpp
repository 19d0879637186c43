// Reading of the right operand of a contraction.
#include "lib/Target/CPU/Contraction/PanelAccess.h"
#include "lib/Target/CPU/Elements/OperandView.h"
#include "lib/Target/Elements/IndexBuilder.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

//===----------------------------------------------------------------------===//
// Loads
//===----------------------------------------------------------------------===//

/// Loads vector<count x T>; zero where `mask` (may be null) is false.
static Value loadElements(OpBuilder &builder, Location loc, Value memref,
                          ArrayRef<Value> indices, int64_t count, Value mask) {
  Type element = cast<MemRefType>(memref.getType()).getElementType();
  auto type = VectorType::get(count, element);
  if (!mask)
    return vector::LoadOp::create(builder, loc, type, memref, indices);
  Value zero = arith::ConstantOp::create(builder, loc,
                                         builder.getZeroAttr(type));
  return vector::MaskedLoadOp::create(builder, loc, type, memref, indices, mask,
                                      zero);
}

Value cpu::loadVector(OpBuilder &builder, Location loc, Value memref,
                      ArrayRef<Value> indices, int64_t lanes, Value mask) {
  return widen(builder, loc,
               loadElements(builder, loc, memref, indices, lanes, mask));
}

SmallVector<Value> cpu::expandIndices(OpBuilder &builder, Location loc,
                                      Value tensor,
                                      ArrayRef<ReassociationIndices> groups,
                                      ArrayRef<Value> indices) {
  if (groups.empty())
    return SmallVector<Value>(indices);
  IndexBuilder index(builder, loc);
  auto type = cast<RankedTensorType>(tensor.getType());
  SmallVector<Value> expanded(type.getRank());
  for (auto [group, position] : llvm::zip(groups, indices)) {
    Value rest = position;
    for (int64_t dim : llvm::reverse(ArrayRef(group).drop_front())) {
      expanded[dim] = index.rem(rest, type.getDimSize(dim));
      rest = index.div(rest, type.getDimSize(dim));
    }
    expanded[group.front()] = rest;
  }
  return expanded;
}

//===----------------------------------------------------------------------===//
// Choice of the way
//===----------------------------------------------------------------------===//

/// The unpack that makes the right operand (in its collapsed form), or null.
static linalg::UnPackOp findUnpack(const Contraction &c) {
  Value rhs = c.rhs();
  if (auto expand = rhs.getDefiningOp<tensor::ExpandShapeOp>())
    if (llvm::equal(expand.getReassociationIndices(), c.rhsGroups))
      return expand.getSrc().getDefiningOp<linalg::UnPackOp>();
  return c.rhsGroups.empty() ? rhs.getDefiningOp<linalg::UnPackOp>()
                             : linalg::UnPackOp();
}

/// Whether panels of columns have `group` rows together: plain panels for 1.
static bool hasGroupsOf(linalg::UnPackOp unpack, int64_t group) {
  int64_t rank = unpack.getDestType().getRank();
  ArrayRef<int64_t> tiles = unpack.getStaticInnerTiles();
  ArrayRef<int64_t> dims = unpack.getInnerDimsPos();
  if (dims.empty() || dims[0] != rank - 1)
    return false;
  return group == 1 ? dims.size() == 1
                    : dims.size() == 2 && dims[1] == rank - 2 &&
                          tiles[1] == group;
}

/// Columns of the packed panels that `multiply` can read in parts of `unit` columns,
/// or 0.
static int64_t packedWidth(const Contraction &c,
                           const MultiplyAccumulate &multiply, int64_t unit) {
  linalg::UnPackOp unpack = findUnpack(c);
  if (!unpack)
    return 0;
  int64_t rank = unpack.getDestType().getRank();
  ArrayRef<int64_t> tiles = unpack.getStaticInnerTiles();
  ArrayRef<int64_t> order = unpack.getOuterDimsPerm();
  if (rank < 2 || !hasGroupsOf(unpack, multiply.groupLength()) ||
      static_cast<int64_t>(order.size()) != rank ||
      ShapedType::isDynamic(tiles[0]) || tiles[0] % unit != 0)
    return 0;
  // Groups are those of the matrix, not of a tap; and loads of them have no masks.
  bool isGrouped = multiply.groupLength() != 1;
  if (isGrouped &&
      (ShapedType::isDynamic(c.loops[c.column].size) ||
       (c.reduction.size() > 1 &&
        c.loops[c.reduction.back()].size % multiply.groupLength() != 0)))
    return 0;
  // A part lies in one panel; columns of a group may begin anywhere.
  MLIRContext *context = c.root->getContext();
  AffineExpr part = c.rhsMap.getResults().back().replace(
      getAffineDimExpr(c.column, context),
      getAffineDimExpr(c.column, context) * unit);
  if (part.getLargestKnownDivisor() % unit != 0)
    return 0;
  for (int64_t i = 0; i < rank - 2; ++i)
    if (order[i] != i)
      return 0;
  if (order[rank - 2] != rank - 1 || order[rank - 1] != rank - 2)
    return 0;
  return tiles[0];
}

bool PanelAccess::usePacked(OpBuilder &builder, Location loc,
                            OperandViews &views) {
  width = packedWidth(c, multiply, partColumns());
  if (!width)
    return false;
  linalg::UnPackOp unpack = findUnpack(c);
  int64_t rank = unpack.getDestType().getRank();
  memref = views.view(builder, loc, unpack.getSource());
  if (memref && multiply.groupLength() != 1) {
    SmallVector<ReassociationIndices> rows;
    for (int64_t i = 0; i <= rank; ++i)
      rows.push_back({i});
    rows.back().push_back(rank + 1);
    memref = OperandViews::collapse(builder, loc, memref, rows);
  }
  kind = Kind::Packed;
  return static_cast<bool>(memref);
}

bool PanelAccess::useDirect(OpBuilder &builder, Location loc,
                            OperandViews &views) {
  if (multiply.groupLength() != 1)
    return false;
  unsigned last = c.rhsMap.getNumResults() - 1;
  for (unsigned i = 0; i <= last; ++i)
    if (growth(c.rhsMap.getResult(i), c.column, 1) != int64_t(i == last))
      return false;
  memref = OperandViews::collapse(builder, loc,
                                  views.view(builder, loc, c.rhs()), c.rhsGroups);
  if (!memref)
    return false;
  isStridedView = staticStride(memref, last) != 1;
  if (isStridedView)
    return false;
  kind = Kind::Direct;
  return true;
}

bool PanelAccess::useCopied(OpBuilder &builder, Location loc,
                            OperandViews &views) {
  bool isGrouped = multiply.groupLength() != 1;
  if (c.reduction.size() != 1 && !isGrouped)
    return false;
  if (!isGrouped && ShapedType::isDynamic(c.loops[c.reduction[0]].size))
    return false;
  int64_t rows = panelRows();
  if (rows == 0)
    return false;
  int64_t rowBytes = columns * 4;
  int64_t fit = scratchBytes / (rows * rowBytes);
  if (fit < 1)
    return false;
  panels = std::min(panels, fit);
  kind = Kind::Copied;
  if (isGrouped)
    return true;
  memref = OperandViews::collapse(builder, loc,
                                  views.view(builder, loc, c.rhs()), c.rhsGroups);
  orderForTransposing(builder, loc);
  return true;
}

/// Rows of a panel: groups of the contracted dimensions, whose sizes are known.
static int64_t panelRowsOf(const Contraction &c,
                           const MultiplyAccumulate &multiply) {
  int64_t rows = 1;
  for (unsigned loop : ArrayRef(c.reduction).drop_back())
    rows *= c.loops[loop].size;
  return rows * llvm::divideCeil(c.loops[c.reduction.back()].size,
                                 multiply.groupLength());
}

int64_t PanelAccess::panelRows() const { return panelRowsOf(c, multiply); }

bool PanelAccess::fits(const Contraction &c, const MultiplyAccumulate &multiply,
                       kernel::ContractionAttr schedule, int64_t bytes) {
  int64_t columns = schedule.getVectors() * schedule.getLanes();
  return packedWidth(c, multiply, columns) ||
         panelRowsOf(c, multiply) * columns * 4 <= bytes;
}

/// The row of a panel at the given loop values.
Value PanelAccess::panelRow(OpBuilder &builder, Location loc,
                            ArrayRef<Value> loops) const {
  IndexBuilder index(builder, loc);
  unsigned inner = c.reduction.back();
  if (c.reduction.size() == 1 && multiply.groupLength() == 1)
    return loops[inner];
  Value row = index.div(loops[inner], multiply.groupLength());
  int64_t size =
      llvm::divideCeil(c.loops[inner].size, multiply.groupLength());
  for (unsigned loop : llvm::reverse(ArrayRef(c.reduction).drop_back())) {
    row = index.add(index.mul(loops[loop], size), row);
    size *= c.loops[loop].size;
  }
  return row;
}

void PanelAccess::prepare(OpBuilder &builder, Location loc,
                          OperandViews &views) {
  if (usePacked(builder, loc, views) || useDirect(builder, loc, views) ||
      useCopied(builder, loc, views))
    return;
  kind = Kind::Elements;
}

//===----------------------------------------------------------------------===//
// Access
//===----------------------------------------------------------------------===//

PanelAccess::Columns PanelAccess::locate(OpBuilder &builder, Location loc,
                                         ArrayRef<Value> loops,
                                         ArrayRef<Value> masks,
                                         int64_t vectors) const {
  Columns where;
  where.mask.assign(masks.begin(), masks.end());
  IndexBuilder index(builder, loc);
  Value first = index.evaluate(c.rhsMap.getResults().back(), loops);
  if (isCopied())
    first = index.sub(loops[c.column], scratchColumn);
  // A tile begins at a multiple of `columns`: where that is a multiple of the
  // width, panels and offsets are constants apart.
  AffineExpr tile = getAffineDimExpr(c.column, builder.getContext()) * columns;
  int64_t panelWidth = isCopied() ? columns : width;
  bool aligned =
      isCopied() || (width && c.rhsMap.getResults().back()
                                      .replace(getAffineDimExpr(
                                                   c.column,
                                                   builder.getContext()),
                                               tile)
                                      .getLargestKnownDivisor() %
                                  width ==
                              0);
  Value firstPanel = panelWidth ? index.div(first, panelWidth) : Value();
  for (int64_t v = 0; v < vectors; ++v) {
    if (!panelWidth) {
      where.panel.push_back({});
      where.offset.push_back(index.add(first, v * lanes));
    } else if (aligned) {
      where.panel.push_back(index.add(firstPanel, v * lanes / panelWidth));
      where.offset.push_back(index.constant(v * lanes % panelWidth *
                                            multiply.groupLength()));
    } else {
      Value column = index.add(first, v * lanes);
      where.panel.push_back(index.div(column, panelWidth));
      where.offset.push_back(
          index.mul(index.rem(column, panelWidth), multiply.groupLength()));
    }
  }
  return where;
}

SmallVector<Value> PanelAccess::indices(OpBuilder &builder, Location loc,
                                        const Columns &where,
                                        ArrayRef<Value> loops,
                                        int64_t vector) const {
  IndexBuilder index(builder, loc);
  SmallVector<Value> result;
  if (kind == Kind::Copied)
    return {where.panel[vector], panelRow(builder, loc, loops),
            where.offset[vector]};
  ArrayRef<AffineExpr> exprs = c.rhsMap.getResults();
  for (AffineExpr expr : exprs.drop_back())
    result.push_back(index.evaluate(expr, loops));
  if (multiply.groupLength() != 1)
    result.back() = index.div(result.back(), multiply.groupLength());
  if (kind == Kind::Packed)
    result.insert(result.end() - 1, where.panel[vector]);
  result.push_back(where.offset[vector]);
  return result;
}

FailureOr<Value> PanelAccess::element(OpBuilder &builder, Location loc,
                                      ArrayRef<Value> loops,
                                      Value mask) const {
  IndexBuilder index(builder, loc);
  SmallVector<Value> at;
  for (AffineExpr expr : c.rhsMap.getResults())
    at.push_back(index.evaluate(expr, loops));
  at = expandIndices(builder, loc, c.rhs(), c.rhsGroups, at);
  auto type = cast<RankedTensorType>(c.rhs().getType());
  unsigned last = c.rhsMap.getNumResults() - 1;
  if (!isStridedView &&
      growth(c.rhsMap.getResult(last), c.column, 1) == 1 &&
      (c.rhsGroups.empty() || c.rhsGroups.back().size() == 1)) {
    FailureOr<Value> vector =
        elements.emit(builder, loc, c.rhs(), at, lanes, mask);
    if (failed(vector))
      return failure();
    return *vector;
  }
  // Lanes that are not neighbours are read one by one; those beyond the last
  // column read column 0.
  SmallVector<Value> scalars;
  SmallVector<Value> moved(loops);
  for (int64_t lane = 0; lane < lanes; ++lane) {
    Value column = index.add(loops[c.column], lane);
    if (mask) {
      Value inside = vector::ExtractOp::create(builder, loc, mask, lane);
      column = arith::SelectOp::create(builder, loc, inside, column,
                                       index.constant(0));
    }
    moved[c.column] = column;
    SmallVector<Value> scalarAt;
    for (AffineExpr expr : c.rhsMap.getResults())
      scalarAt.push_back(index.evaluate(expr, moved));
    scalarAt = expandIndices(builder, loc, c.rhs(), c.rhsGroups, scalarAt);
    FailureOr<Value> scalar = elements.emit(builder, loc, c.rhs(), scalarAt, 1);
    if (failed(scalar))
      return failure();
    scalars.push_back(*scalar);
  }
  return Value(vector::FromElementsOp::create(
      builder, loc, VectorType::get(lanes, type.getElementType()), scalars));
}

/// The elements of a step for the columns from loops[column] on, as a row of a
/// panel holds them, as integers; those from `count` on are zero and not read.
FailureOr<Value> PanelAccess::group(OpBuilder &builder, Location loc,
                                    ArrayRef<Value> loops, Value mask,
                                    int64_t count) const {
  IndexBuilder index(builder, loc);
  unsigned inner = c.reduction.back();
  auto bits =
      VectorType::get(lanes, multiply.panelElement(builder.getContext()));
  SmallVector<Value> parts;
  for (int64_t i = 0; i < multiply.groupLength(); ++i) {
    if (i >= count) {
      parts.push_back(arith::ConstantOp::create(builder, loc,
                                                builder.getZeroAttr(bits)));
      continue;
    }
    SmallVector<Value> moved(loops);
    moved[inner] = index.add(loops[inner], i);
    FailureOr<Value> part = element(builder, loc, moved, mask);
    if (failed(part))
      return failure();
    parts.push_back(part->getType() == bits
                        ? *part
                        : vector::BitCastOp::create(builder, loc, bits, *part));
  }
  // a0 a1 .. | b0 .. | c0 .. | d0 ..  ==>  a0 b0 c0 d0 a1 b1 ..
  while (parts.size() > 1) {
    size_t half = parts.size() / 2;
    for (size_t i = 0; i < half; ++i)
      parts[i] = vector::InterleaveOp::create(builder, loc, parts[i],
                                              parts[i + half]);
    parts.resize(half);
  }
  return parts.front();
}

PanelAccess::Rows PanelAccess::rows(OpBuilder &builder, Location loc,
                                    ArrayRef<Value> loops) const {
  Columns where = locate(builder, loc, loops, Value(), /*vectors=*/1);
  return {isCopied() ? scratch : memref,
          indices(builder, loc, where, loops, /*vector=*/0)};
}

Value PanelAccess::load(OpBuilder &builder, Location loc, const Columns &where,
                        ArrayRef<Value> loops, int64_t vector,
                        int64_t count) const {
  if (kind == Kind::Elements) {
    SmallVector<Value> moved(loops);
    moved[c.column] =
        IndexBuilder(builder, loc).add(loops[c.column], vector * lanes);
    FailureOr<Value> value =
        multiply.groupLength() == 1
            ? element(builder, loc, moved, where.mask[vector])
            : group(builder, loc, moved, where.mask[vector], count);
    return succeeded(value) ? multiply.right(builder, loc, *value) : Value();
  }
  return multiply.right(
      builder, loc,
      loadElements(builder, loc, isCopied() ? scratch : memref,
                   indices(builder, loc, where, loops, vector),
                   lanes * multiply.groupLength(), where.mask[vector]));
}

void PanelAccess::prefetch(OpBuilder &builder, Location loc,
                           const Columns &where, ArrayRef<Value> loops,
                           int64_t vector, int64_t distance) const {
  if (kind != Kind::Packed && kind != Kind::Direct)
    return;
  SmallVector<Value> ahead(loops);
  unsigned innermost = c.reduction.back();
  ahead[innermost] = IndexBuilder(builder, loc).add(
      loops[innermost], distance * multiply.groupLength());
  memref::PrefetchOp::create(builder, loc, memref,
                             indices(builder, loc, where, ahead, vector),
                             /*isWrite=*/false, /*localityHint=*/3,
                             /*isDataCache=*/true);
}
