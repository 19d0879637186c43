// Expressions of sizes as operations; see the header.
#include "dialects/Graph/IR/SizeMaterialization.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
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
  Value visitModExpr(AffineBinaryOpExpr e) { return build<arith::RemSIOp>(e); }
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
