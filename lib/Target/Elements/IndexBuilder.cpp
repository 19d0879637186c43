// Arithmetic of indices as code; see the header.
#include "lib/Target/Elements/IndexBuilder.h"

#include "mlir/Dialect/Arith/IR/Arith.h"

using namespace mlir;
using namespace tessera;

Value IndexBuilder::constant(int64_t value) {
  if (!emitted)
    return arith::ConstantIndexOp::create(builder, loc, value);
  Value &known = emitted->constants[value];
  if (!known)
    known = arith::ConstantIndexOp::create(builder, loc, value);
  return known;
}

Value IndexBuilder::add(Value a, Value b) { return make<arith::AddIOp>(a, b); }
Value IndexBuilder::sub(Value a, Value b) { return make<arith::SubIOp>(a, b); }
Value IndexBuilder::mul(Value a, Value b) { return make<arith::MulIOp>(a, b); }
Value IndexBuilder::min(Value a, Value b) {
  return make<arith::MinSIOp>(a, b);
}
Value IndexBuilder::max(Value a, Value b) {
  return make<arith::MaxSIOp>(a, b);
}

/// The sum divided by `divisor`, which divides each of its parts.
Value IndexBuilder::sumOf(const IndexTerms &sum, int64_t divisor) {
  Value result = constant(sum.constant / divisor);
  for (auto [value, factor] : sum.terms)
    result = add(result,
                 factor % divisor == 0
                     ? mul(value, constant(factor / divisor))
                     : mul(make<arith::DivUIOp>(value, constant(divisor)),
                           constant(factor)));
  return result;
}

/// What a constant divisor divides of `a`, and the rest, if they are known.
std::optional<std::pair<IndexTerms, IndexTerms>>
IndexBuilder::splitSum(Value a, Value b) {
  std::optional<int64_t> divisor = constantOf(b);
  if (!divisor || *divisor < 2 || !a.getType().isIndex())
    return std::nullopt;
  return termsOf(a).splitBy(*divisor);
}

/// Whether each value of the sum is its own remainder by `divisor`.
static bool isLess(const IndexTerms &sum, Value divisor) {
  std::optional<int64_t> largest = sum.largest();
  return largest && *largest < *constantOf(divisor);
}

Value IndexBuilder::div(Value a, Value b) {
  auto sum = splitSum(a, b);
  if (!sum)
    return make<arith::DivUIOp>(a, b);
  auto [multiple, rest] = *sum;
  if (isLess(rest, b))
    return sumOf(multiple, *constantOf(b));
  if (multiple.isZero())
    return make<arith::DivUIOp>(a, b);
  return add(sumOf(multiple, *constantOf(b)),
             make<arith::DivUIOp>(sumOf(rest), b));
}

Value IndexBuilder::rem(Value a, Value b) {
  if (constantOf(b) == 1)
    return constant(0);
  auto sum = splitSum(a, b);
  if (!sum)
    return make<arith::RemUIOp>(a, b);
  auto [multiple, rest] = *sum;
  Value dividend = multiple.isZero() ? a : sumOf(rest);
  return isLess(rest, b) ? dividend : make<arith::RemUIOp>(dividend, b);
}

Value IndexBuilder::ceilDiv(Value a, Value b) {
  return div(add(a, sub(b, 1)), b);
}

Value IndexBuilder::product(ArrayRef<Value> factors) {
  Value product = constant(1);
  for (Value factor : factors)
    product = mul(product, factor);
  return product;
}

SmallVector<Value> IndexBuilder::delinearize(Value position,
                                             ArrayRef<Value> sizes) {
  SmallVector<Value> indices(sizes.size());
  for (int64_t i = static_cast<int64_t>(sizes.size()) - 1; i >= 0; --i) {
    bool outermost = llvm::all_of(
        sizes.take_front(i), [](Value size) { return constantOf(size) == 1; });
    if (constantOf(sizes[i]) == 1) {
      indices[i] = constant(0);
    } else if (outermost) {
      indices[i] = position;
    } else {
      indices[i] = rem(position, sizes[i]);
      position = div(position, sizes[i]);
    }
  }
  return indices;
}

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

std::optional<int64_t> tessera::growth(AffineExpr expr, unsigned dim,
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
