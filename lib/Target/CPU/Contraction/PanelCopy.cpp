// Copies of a right operand's columns into the scratch of a task.
#include "lib/Target/CPU/Contraction/PanelAccess.h"
#include "lib/Target/CPU/Elements/LaneTranspose.h"
#include "lib/Target/CPU/Elements/OperandView.h"
#include "lib/Target/Elements/IndexBuilder.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

void PanelAccess::allocate(OpBuilder &builder, Location loc) {
  constexpr int64_t kVectorAlignment = 64;
  scratch = memref::AllocaOp::create(
      builder, loc,
      MemRefType::get({panels, panelRows(), columns * multiply.groupLength()},
                      multiply.panelElement(builder.getContext())),
      ValueRange(), builder.getI64IntegerAttr(kVectorAlignment));
}

void PanelAccess::orderForTransposing(OpBuilder &builder, Location loc) {
  unsigned depth = c.reduction[0];
  std::optional<unsigned> at = c.rhsMap.getResultPosition(
      getAffineDimExpr(depth, builder.getContext()));
  if (!memref || !at || staticStride(memref, *at) != 1 ||
      c.loops[depth].size % lanes != 0) {
    memref = {};
    return;
  }
  SmallVector<unsigned> order;
  for (unsigned i = 0; i < c.rhsMap.getNumResults(); ++i)
    if (i != *at)
      order.push_back(i);
  order.push_back(*at);
  for (unsigned i : order)
    transposedIndices.push_back(c.rhsMap.getResult(i));
  if (*at + 1 == order.size())
    return;
  AffineMap map = AffineMap::getPermutationMap(order, builder.getContext());
  memref = memref::TransposeOp::create(builder, loc, memref,
                                       AffineMapAttr::get(map));
}

LogicalResult PanelAccess::copy(OpBuilder &builder, Location loc,
                                ArrayRef<Value> loops, Value first, Value last,
                                Value columnCount) {
  IndexBuilder index(builder, loc);
  scratchColumn = index.mul(first, columns);
  LogicalResult result = success();
  Value one = index.constant(1);
  scf::ForOp::create(
      builder, loc, index.constant(0), index.sub(last, first), one,
      ValueRange(),
      [&](OpBuilder &builder, Location loc, Value panel, ValueRange) {
        IndexBuilder index(builder, loc);
        Value column = index.add(scratchColumn, index.mul(panel, columns));
        PanelCopy to{panel, column, columnCount};
        if (memref)
          copyTransposed(builder, loc, SmallVector<Value>(loops), to);
        else if (multiply.groupLength() == 1)
          result = copyElements(builder, loc, SmallVector<Value>(loops), to);
        else
          result = copyGroups(builder, loc, SmallVector<Value>(loops), to);
        scf::YieldOp::create(builder, loc);
      });
  return result;
}

/// Copies the elements of a step, of which `count` are below the depth.
LogicalResult PanelAccess::copyRow(OpBuilder &builder, Location loc,
                                   SmallVector<Value> loops,
                                   const PanelCopy &to, int64_t count) const {
  IndexBuilder index(builder, loc);
  Value row = panelRow(builder, loc, loops);
  auto maskType = VectorType::get(lanes, builder.getI1Type());
  for (int64_t at = 0; at < columns; at += lanes) {
    loops[c.column] = index.add(to.firstColumn, at);
    Value mask = vector::CreateMaskOp::create(
        builder, loc, maskType, index.sub(to.columnCount, loops[c.column]));
    bool isGrouped = multiply.groupLength() != 1;
    FailureOr<Value> value =
        isGrouped ? group(builder, loc, loops, mask, count)
                  : element(builder, loc, loops, mask);
    if (failed(value))
      return failure();
    vector::StoreOp::create(
        builder, loc,
        isGrouped ? *value : multiply.right(builder, loc, *value), scratch,
        ValueRange{to.panel, row, index.constant(at * multiply.groupLength())});
  }
  return success();
}

LogicalResult PanelAccess::copyElements(OpBuilder &builder, Location loc,
                                        SmallVector<Value> loops,
                                        const PanelCopy &to) const {
  LogicalResult result = success();
  IndexBuilder index(builder, loc);
  Value rows = index.constant(c.loops[c.reduction[0]].size);
  scf::ForOp::create(
      builder, loc, index.constant(0), rows, index.constant(1), ValueRange(),
      [&](OpBuilder &builder, Location loc, Value row, ValueRange) {
        loops[c.reduction[0]] = row;
        result = copyRow(builder, loc, loops, to, /*count=*/1);
        scf::YieldOp::create(builder, loc);
      });
  return result;
}

LogicalResult PanelAccess::copyGroups(OpBuilder &builder, Location loc,
                                      SmallVector<Value> loops,
                                      const PanelCopy &to) const {
  IndexBuilder index(builder, loc);
  OpBuilder::InsertionGuard guard(builder);
  Value zero = index.constant(0);
  for (unsigned number : ArrayRef(c.reduction).drop_back()) {
    auto loop =
        scf::ForOp::create(builder, loc, zero,
                           index.constant(c.loops[number].size),
                           index.constant(1));
    builder.setInsertionPointToStart(loop.getBody());
    loops[number] = loop.getInductionVar();
  }
  unsigned inner = c.reduction.back();
  int64_t size = c.loops[inner].size, step = multiply.groupLength();
  Value whole = index.constant(size / step * step);
  {
    auto loop =
        scf::ForOp::create(builder, loc, zero, whole, index.constant(step));
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    loops[inner] = loop.getInductionVar();
    if (failed(copyRow(builder, loc, loops, to, step)))
      return failure();
  }
  loops[inner] = whole;
  return size % step ? copyRow(builder, loc, loops, to, size % step)
                     : success();
}

void PanelAccess::copyTransposed(OpBuilder &builder, Location loc,
                                 SmallVector<Value> loops,
                                 const PanelCopy &to) const {
  IndexBuilder index(builder, loc);
  Value rows = index.constant(c.loops[c.reduction[0]].size);
  Value lastColumn = index.add(to.columnCount, -1);
  scf::ForOp::create(
      builder, loc, index.constant(0), rows, index.constant(lanes),
      ValueRange(),
      [&](OpBuilder &builder, Location loc, Value row, ValueRange) {
        IndexBuilder index(builder, loc);
        loops[c.reduction[0]] = row;
        for (int64_t at = 0; at < columns; at += lanes) {
          SmallVector<Value> block;
          for (int64_t lane = 0; lane < lanes; ++lane) {
            // Columns beyond the last one hold anything.
            loops[c.column] =
                index.min(index.add(to.firstColumn, at + lane), lastColumn);
            SmallVector<Value> source;
            for (AffineExpr expr : transposedIndices)
              source.push_back(index.evaluate(expr, loops));
            block.push_back(multiply.right(
                builder, loc,
                loadElements(builder, loc, memref, source, lanes, Value())));
          }
          transposeLanes(builder, loc, block);
          for (int64_t lane = 0; lane < lanes; ++lane)
            vector::StoreOp::create(builder, loc, block[lane], scratch,
                                    ValueRange{to.panel, index.add(row, lane),
                                               index.constant(at)});
        }
        scf::YieldOp::create(builder, loc);
      });
}
