// Expressions of sizes as operations; see the header.
#include "dialects/Graph/IR/SizeMaterialization.h"
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeAnalysis.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/AffineExprVisitor.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::graph;

namespace {

struct SizeMaterializer : AffineExprVisitor<SizeMaterializer, Value> {
  SizeMaterializer(OpBuilder &builder, Location loc, ValueRange symbols)
      : builder(builder), loc(loc), symbols(symbols) {}

  template <typename Op> Value build(AffineBinaryOpExpr expr) {
    Value lhs = visit(expr.getLHS());
    return builder.createOrFold<Op>(loc, lhs, visit(expr.getRHS()));
  }
  Value visitAddExpr(AffineBinaryOpExpr e) { return build<arith::AddIOp>(e); }
  Value visitMulExpr(AffineBinaryOpExpr e) { return build<arith::MulIOp>(e); }
  Value visitFloorDivExpr(AffineBinaryOpExpr e) {
    return build<arith::FloorDivSIOp>(e);
  }
  Value visitCeilDivExpr(AffineBinaryOpExpr e) {
    return build<arith::CeilDivSIOp>(e);
  }
  /// Never negative, as arith.remsi of a negative number is.
  Value visitModExpr(AffineBinaryOpExpr e) {
    Value lhs = visit(e.getLHS()), rhs = visit(e.getRHS());
    Value quotient = builder.createOrFold<arith::FloorDivSIOp>(loc, lhs, rhs);
    return builder.createOrFold<arith::SubIOp>(
        loc, lhs, builder.createOrFold<arith::MulIOp>(loc, quotient, rhs));
  }
  Value visitConstantExpr(AffineConstantExpr e) {
    return arith::ConstantIndexOp::create(builder, loc, e.getValue());
  }
  Value visitDimExpr(AffineDimExpr) {
    llvm_unreachable("sizes have no dimensions");
  }
  Value visitSymbolExpr(AffineSymbolExpr e) { return symbols[e.getPosition()]; }

  OpBuilder &builder;
  Location loc;
  ValueRange symbols;
};

} // namespace

Value graph::materializeSize(OpBuilder &builder, Location loc,
                             AffineExpr expression, ValueRange symbols) {
  return SizeMaterializer(builder, loc, symbols).visit(expression);
}

OpFoldResult SizeAnalysis::materializeSymbol(OpBuilder &builder, Location loc,
                                             unsigned position,
                                             SmallVectorImpl<Value> &built) {
  Symbol symbol = symbolList[position];
  if (symbol.name)
    return SizeOp::create(builder, loc, builder.getIndexType(), symbol.name)
        .getResult();
  if (symbol.kind == Symbol::Kind::Given) {
    if (symbol.dimension >= 0)
      return tensor::DimOp::create(builder, loc, symbol.value, symbol.dimension)
          .getResult();
    if (symbol.value.getType().isInteger(1)) // 0 or 1
      return arith::IndexCastUIOp::create(builder, loc, builder.getIndexType(),
                                          symbol.value)
          .getResult();
    if (!symbol.value.getType().isIndex())
      return arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                        symbol.value)
          .getResult();
    return symbol.value;
  }
  if (isFloatOperation(symbol.kind))
    return materializeFloatOperation(builder, loc, symbol);
  SmallVector<Value> values;
  for (AffineExpr operand : symbol.operands)
    values.push_back(getValueOrCreateConstantIndexOp(
        builder, loc, materialize(builder, loc, operand, built)));
  auto select = [&](arith::CmpIPredicate predicate) -> Value {
    Value holds = builder.createOrFold<arith::CmpIOp>(loc, predicate, values[0],
                                                      values[1]);
    return builder.createOrFold<arith::SelectOp>(loc, holds, values[2],
                                                 values[3]);
  };
  switch (symbol.kind) {
  case Symbol::Kind::Min:
    return builder.createOrFold<arith::MinSIOp>(loc, values[0], values[1]);
  case Symbol::Kind::Max:
    return builder.createOrFold<arith::MaxSIOp>(loc, values[0], values[1]);
  case Symbol::Kind::Quotient:
    return builder.createOrFold<arith::DivUIOp>(loc, values[0], values[1]);
  case Symbol::Kind::SelectEqual:
    return select(arith::CmpIPredicate::eq);
  case Symbol::Kind::SelectLess:
    return select(arith::CmpIPredicate::slt);
  case Symbol::Kind::Whole:
    return values[0];
  default: {
    // An element of an argument.
    ValueRange index = ValueRange(values).take_back();
    Value element = tensor::ExtractOp::create(
        builder, loc, symbol.value,
        index.take_front(
            cast<RankedTensorType>(symbol.value.getType()).getRank()));
    return arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                      element)
        .getResult();
  }
  }
}

OpFoldResult SizeAnalysis::materialize(OpBuilder &builder, Location loc,
                                       AffineExpr expression) {
  SmallVector<Value> built;
  return materialize(builder, loc, expression, built);
}

OpFoldResult SizeAnalysis::materialize(OpBuilder &builder, Location loc,
                                       AffineExpr expression,
                                       SmallVectorImpl<Value> &built) {
  expression = resolve(expression);
  if (auto constant = dyn_cast<AffineConstantExpr>(expression))
    return builder.getIndexAttr(constant.getValue());
  built.resize(symbolList.size());
  expression.walk([&](AffineExpr part) {
    auto used = dyn_cast<AffineSymbolExpr>(part);
    if (!used || built[used.getPosition()])
      return;
    Value value = getValueOrCreateConstantIndexOp(
        builder, loc,
        materializeSymbol(builder, loc, used.getPosition(), built));
    built[used.getPosition()] = value;
  });
  return materializeSize(builder, loc, expression, built);
}

SmallVector<OpFoldResult> graph::materializeShape(OpBuilder &builder,
                                                  Location loc,
                                                  SizeAnalysis &sizes,
                                                  RankedTensorType type,
                                                  ArrayRef<AffineExpr> dims) {
  SmallVector<OpFoldResult> shape;
  for (auto [known, size] : llvm::zip_equal(type.getShape(), dims)) {
    if (ShapedType::isDynamic(known))
      shape.push_back(getValueOrCreateConstantIndexOp(
          builder, loc, sizes.materialize(builder, loc, size)));
    else
      shape.push_back(builder.getIndexAttr(known));
  }
  return shape;
}

SmallVector<Value> graph::materializeDynamicSizes(OpBuilder &builder,
                                                  Location loc,
                                                  SizeAnalysis &sizes,
                                                  RankedTensorType type,
                                                  ArrayRef<AffineExpr> dims) {
  SmallVector<Value> dynamic;
  for (OpFoldResult size : materializeShape(builder, loc, sizes, type, dims))
    if (auto value = dyn_cast<Value>(size))
      dynamic.push_back(value);
  return dynamic;
}
