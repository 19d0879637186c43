// Reading of the left operand of a contraction.
#include "lib/Target/CPU/Contraction/LeftOperand.h"
#include "lib/Target/CPU/Contraction/PanelAccess.h"
#include "lib/Target/Elements/IndexBuilder.h"
#include "lib/Target/CPU/Elements/OperandView.h"

#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

void LeftOperand::prepare(OpBuilder &builder, Location loc,
                          OperandViews &views) {
  memref = OperandViews::collapse(
      builder, loc, views.view(builder, loc, c.lhs(), &isFlipped), c.lhsGroups);
  if (!memref)
    return;
  unsigned last = c.lhsMap.getNumResults() - 1;
  bool isRow = staticStride(memref, last) == 1;
  if (c.lhsIsVector && (!isRow || isFlipped))
    memref = {};
  // Elements of a step must be neighbours in memory.
  if (multiply.stepLength() == 1)
    return;
  unsigned inner = c.reduction.back();
  for (unsigned i = 0; i <= last && memref; ++i)
    if (!isRow ||
        growth(c.lhsMap.getResult(i), inner, 1) != int64_t(i == last))
      memref = {};
}

Value LeftOperand::loadVector(OpBuilder &builder, Location loc,
                              SmallVector<Value> at, Value mask) {
  if (memref)
    return loadElements(builder, loc, memref, at, multiply.lanes(), mask);
  at = expandIndices(builder, loc, c.lhs(), c.lhsGroups, at);
  FailureOr<Value> value =
      elements.emit(builder, loc, c.lhs(), at, multiply.lanes(), mask);
  return succeeded(value) ? *value : Value();
}

Value LeftOperand::loadElement(OpBuilder &builder, Location loc,
                               SmallVector<Value> at) {
  if (memref && !isFlipped)
    return memref::LoadOp::create(builder, loc, memref, at);
  at = expandIndices(builder, loc, c.lhs(), c.lhsGroups, at);
  FailureOr<Value> value = elements.emit(builder, loc, c.lhs(), at, 1);
  return succeeded(value) ? *value : Value();
}

/// Elements from `at` on along the contracted dimension; those from `count` on are
/// zero and not read.
Value LeftOperand::loadGroup(OpBuilder &builder, Location loc,
                             SmallVector<Value> at, int64_t count) {
  IndexBuilder index(builder, loc);
  auto type = VectorType::get(multiply.stepLength(), c.lhsType());
  if (memref && count == multiply.stepLength()) {
    Value group = vector::LoadOp::create(builder, loc, type, memref, at);
    if (!isFlipped)
      return group;
    Value signs = arith::ConstantOp::create(
        builder, loc,
        DenseElementsAttr::get(type, builder.getI8IntegerAttr(-128)));
    return arith::XOrIOp::create(builder, loc, group, signs);
  }
  unsigned inner = c.reduction.back();
  SmallVector<Value> scalars;
  for (int64_t i = 0; i < multiply.stepLength(); ++i) {
    if (i >= count) {
      scalars.push_back(arith::ConstantOp::create(
          builder, loc, builder.getZeroAttr(c.lhsType())));
      continue;
    }
    SmallVector<Value> moved;
    for (auto [expr, first] : llvm::zip(c.lhsMap.getResults(), at))
      moved.push_back(index.add(first, *growth(expr, inner, i)));
    scalars.push_back(loadElement(builder, loc, moved));
    if (!scalars.back())
      return {};
  }
  return vector::FromElementsOp::create(builder, loc, type, scalars);
}

Value LeftOperand::load(OpBuilder &builder, Location loc,
                        const LeftPlace &place) {
  // Loops with constant values and the row within the tile only add constants:
  // what remains is the same for all elements of a step.
  SmallVector<Value> base(place.loops);
  IndexBuilder index(builder, loc);
  SmallVector<int64_t> distance;
  SmallVector<unsigned> fixed;
  for (unsigned loop : c.reduction)
    if (constantOf(place.loops[loop])) {
      base[loop] = index.constant(0);
      fixed.push_back(loop);
    }
  for (AffineExpr expr : c.lhsMap.getResults()) {
    int64_t sum = *growth(expr, c.row, place.row);
    if (c.lhsIsVector)
      sum += *growth(expr, c.column, place.vector * multiply.lanes());
    for (unsigned loop : fixed)
      sum += *growth(expr, loop, *constantOf(place.loops[loop]));
    distance.push_back(sum);
  }
  Value &known = loaded[distance];
  if (known)
    return known;
  SmallVector<Value> at;
  for (auto [expr, sum] : llvm::zip(c.lhsMap.getResults(), distance))
    at.push_back(index.add(index.evaluate(expr, base), sum));
  Value value = c.lhsIsVector ? loadVector(builder, loc, at, place.mask)
                : multiply.stepLength() == 1
                    ? loadElement(builder, loc, at)
                    : loadGroup(builder, loc, at, place.count);
  if (!value)
    return {};
  return known = multiply.left(builder, loc, value);
}
