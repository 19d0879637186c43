// Emission of affine expressions of loop values.
#include "lib/Target/CPU/Elements/IndexExpression.h"

#include "mlir/Dialect/Utils/StaticValueUtils.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

Value IndexBuilder::evaluate(AffineExpr expr, ArrayRef<Value> dims) {
  if (auto number = dyn_cast<AffineConstantExpr>(expr))
    return constant(number.getValue());
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dims[dim.getPosition()];
  auto binary = cast<AffineBinaryOpExpr>(expr);
  Value lhs = evaluate(binary.getLHS(), dims);
  Value rhs = evaluate(binary.getRHS(), dims);
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return add(lhs, rhs);
  case AffineExprKind::Mul:
    return mul(lhs, rhs);
  case AffineExprKind::FloorDiv:
    return div(lhs, rhs);
  case AffineExprKind::Mod:
    return rem(lhs, rhs);
  default:
    llvm_unreachable("maps of contractions have no other expressions");
  }
}

std::optional<int64_t> cpu::growth(AffineExpr expr, unsigned dim,
                                   int64_t step) {
  MLIRContext *context = expr.getContext();
  AffineExpr moved = expr.replace(getAffineDimExpr(dim, context),
                                  getAffineDimExpr(dim, context) + step);
  auto difference = dyn_cast<AffineConstantExpr>(
      simplifyAffineExpr(moved - expr, dim + 64, 0));
  if (!difference)
    return std::nullopt;
  return difference.getValue();
}

std::optional<int64_t> cpu::constantIndex(Value value) {
  return getConstantIntValue(value);
}
