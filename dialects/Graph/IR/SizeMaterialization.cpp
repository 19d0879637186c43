// Expressions of sizes as operations; see the header.
#include "dialects/Graph/IR/SizeMaterialization.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/AffineExprVisitor.h"

using namespace mlir;
using namespace tessera;

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
