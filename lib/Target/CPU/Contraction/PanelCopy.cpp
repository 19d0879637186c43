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
  int64_t rows = c.loops[c.reduction[0]].size;
  constexpr int64_t kVectorAlignment = 64;
  scratch = memref::AllocaOp::create(
      builder, loc,
      MemRefType::get({panels, rows, columns}, builder.getF32Type()),
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
        if (memref)
          copyTransposed(builder, loc, SmallVector<Value>(loops), panel, column,
                         columnCount);
        else
          result = copyElements(builder, loc, SmallVector<Value>(loops), panel,
                                column, columnCount);
        scf::YieldOp::create(builder, loc);
      });
  return result;
}

LogicalResult PanelAccess::copyElements(OpBuilder &builder, Location loc,
                                        SmallVector<Value> loops, Value panel,
                                        Value firstColumn,
                                        Value columnCount) const {
  LogicalResult result = success();
  IndexBuilder index(builder, loc);
  Value rows = index.constant(c.loops[c.reduction[0]].size);
  auto maskType = VectorType::get(lanes, builder.getI1Type());
  scf::ForOp::create(
      builder, loc, index.constant(0), rows, index.constant(1), ValueRange(),
      [&](OpBuilder &builder, Location loc, Value row, ValueRange) {
        IndexBuilder index(builder, loc);
        loops[c.reduction[0]] = row;
        for (int64_t at = 0; at < columns; at += lanes) {
          loops[c.column] = index.add(firstColumn, at);
          Value mask = vector::CreateMaskOp::create(
              builder, loc, maskType,
              index.sub(columnCount, loops[c.column]));
          FailureOr<Value> value = element(builder, loc, loops, mask);
          if (failed(value)) {
            result = failure();
            break;
          }
          vector::StoreOp::create(builder, loc, *value, scratch,
                                  ValueRange{panel, row, index.constant(at)});
        }
        scf::YieldOp::create(builder, loc);
      });
  return result;
}

void PanelAccess::copyTransposed(OpBuilder &builder, Location loc,
                                 SmallVector<Value> loops, Value panel,
                                 Value firstColumn, Value columnCount) const {
  IndexBuilder index(builder, loc);
  Value rows = index.constant(c.loops[c.reduction[0]].size);
  Value lastColumn = index.add(columnCount, -1);
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
                index.min(index.add(firstColumn, at + lane), lastColumn);
            SmallVector<Value> source;
            for (AffineExpr expr : transposedIndices)
              source.push_back(index.evaluate(expr, loops));
            block.push_back(
                loadVector(builder, loc, memref, source, lanes, Value()));
          }
          transposeLanes(builder, loc, block);
          for (int64_t lane = 0; lane < lanes; ++lane)
            vector::StoreOp::create(builder, loc, block[lane], scratch,
                                    ValueRange{panel, index.add(row, lane),
                                               index.constant(at)});
        }
        scf::YieldOp::create(builder, loc);
      });
}
