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

Value cpu::loadElements(OpBuilder &builder, Location loc, Value memref,
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

/// The unpack that makes the right operand or, of a filter, a matrix or tensor of
/// [taps, channels, columns] that it is a reshape of; or null.
static linalg::UnPackOp findUnpack(const Contraction &c) {
  Value rhs = c.rhs();
  if (auto expand = rhs.getDefiningOp<tensor::ExpandShapeOp>();
      expand && !c.rhsGroups.empty())
    rhs = expand.getSrc();
  return rhs.getDefiningOp<linalg::UnPackOp>();
}

/// Whether the panels are [..., ceil(columns / width), rows, width].
static bool hasPlainPanels(linalg::UnPackOp unpack, const Contraction &c) {
  int64_t rank = unpack.getDestType().getRank();
  ArrayRef<int64_t> order = unpack.getOuterDimsPerm();
  if (rank != c.rhsMap.getNumResults() ||
      static_cast<int64_t>(order.size()) != rank ||
      unpack.getInnerDimsPos() != ArrayRef<int64_t>{rank - 1})
    return false;
  for (int64_t i = 0; i < rank - 2; ++i)
    if (order[i] != i)
      return false;
  return order[rank - 2] == rank - 1 && order[rank - 1] == rank - 2;
}

/// Whether the panels are [ceil(columns / width), groups, width, group], where groups
/// are those of a matrix, which must not reach from one tap to the next, or those of
/// each tap: [ceil(columns / width), taps, ceil(channels / group), width, group].
static bool hasGroups(linalg::UnPackOp unpack, const Contraction &c,
                      int64_t group) {
  RankedTensorType type = unpack.getDestType();
  int64_t rank = type.getRank();
  int64_t inner = c.loops[c.reduction.back()].size;
  bool isMatrix =
      rank == 2 && (c.reduction.size() == 1 || inner % group == 0);
  bool hasTaps = rank == 3 && !c.rhsGroups.empty() &&
                 type.getDimSize(1) == inner;
  SmallVector<int64_t> order =
      llvm::to_vector(llvm::seq<int64_t>(0, rank - 1));
  order.insert(order.begin(), rank - 1);
  return (isMatrix || hasTaps) && c.rhsMap.getNumResults() == 2 &&
         !ShapedType::isDynamic(c.loops[c.column].size) &&
         unpack.getOuterDimsPerm() == ArrayRef(order) &&
         unpack.getInnerDimsPos() == ArrayRef<int64_t>{rank - 1, rank - 2} &&
         unpack.getStaticInnerTiles()[1] == group;
}

/// Columns of the packed panels, in groups of `group` rows, that can be read in parts
/// of `unit` columns; 0: there are none.
static int64_t packedWidth(const Contraction &c, int64_t group, int64_t unit) {
  linalg::UnPackOp unpack = findUnpack(c);
  if (!unpack ||
      (group == 1 ? !hasPlainPanels(unpack, c) : !hasGroups(unpack, c, group)))
    return 0;
  int64_t columns = unpack.getStaticInnerTiles()[0];
  if (ShapedType::isDynamic(columns) || columns % unit != 0)
    return 0;
  // A part lies in one panel; columns of a group may begin anywhere.
  AffineExpr column = getAffineDimExpr(c.column, c.rhsMap.getContext());
  AffineExpr part = c.rhsMap.getResults().back().replace(column, column * unit);
  return part.getLargestKnownDivisor() % unit == 0 ? columns : 0;
}

bool PanelAccess::usePacked(OpBuilder &builder, Location loc,
                            OperandViews &views) {
  int64_t packed = packedWidth(c, multiply.groupLength(), partColumns());
  if (!packed)
    return false;
  memref = views.view(builder, loc, findUnpack(c).getSource());
  if (memref && multiply.groupLength() != 1) {
    int64_t last = cast<MemRefType>(memref.getType()).getRank() - 1;
    ReassociationIndices rows =
        llvm::to_vector<2>(llvm::seq<int64_t>(1, last - 1));
    memref = OperandViews::collapse(builder, loc, memref,
                                    {{0}, rows, {last - 1, last}});
  }
  if (!memref)
    return false;
  width = packed;
  kind = Kind::Packed;
  return true;
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
  return packedWidth(c, multiply.groupLength(), columns) ||
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
  if (kind == Kind::Copied ||
      (kind == Kind::Packed && multiply.groupLength() != 1))
    return {where.panel[vector], panelRow(builder, loc, loops),
            where.offset[vector]};
  ArrayRef<AffineExpr> exprs = c.rhsMap.getResults();
  for (AffineExpr expr : exprs.drop_back())
    result.push_back(index.evaluate(expr, loops));
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
