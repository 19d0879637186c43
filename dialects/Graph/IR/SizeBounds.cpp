// What ranges say about sizes; see SizeAnalysis.h.
#include "dialects/Graph/IR/SizeAnalysis.h"
#include "dialects/Graph/IR/SizeTerms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "llvm/Support/MathExtras.h"

#include <numeric>

using namespace mlir;
using namespace tessera::graph;

using Kind = SizeAnalysis::Symbol::Kind;

using Bound = std::optional<int64_t>;

static Bound plus(Bound a, Bound b) {
  int64_t sum;
  if (!a || !b || llvm::AddOverflow(*a, *b, sum))
    return std::nullopt;
  return sum;
}

static Bound times(Bound bound, int64_t factor) {
  int64_t product;
  if (!bound || llvm::MulOverflow(*bound, factor, product))
    return std::nullopt;
  return product;
}

static SizeBounds product(SizeBounds a, SizeBounds b) {
  if (b.least && b.least == b.most) {
    int64_t factor = *b.least;
    SizeBounds scaled{times(a.least, factor), times(a.most, factor)};
    if (factor < 0)
      std::swap(scaled.least, scaled.most);
    return scaled;
  }
  // Of two sizes, neither negative.
  if (a.least.value_or(-1) < 0 || b.least.value_or(-1) < 0)
    return {};
  return {times(a.least, *b.least),
          b.most ? times(a.most, *b.most) : std::nullopt};
}

/// Bounds of one of two sizes, not known which.
static SizeBounds either(SizeBounds a, SizeBounds b) {
  SizeBounds both;
  if (a.least && b.least)
    both.least = std::min(*a.least, *b.least);
  if (a.most && b.most)
    both.most = std::max(*a.most, *b.most);
  return both;
}

SizeBounds SizeAnalysis::computeSymbolBounds(unsigned position) {
  // A copy: the list may grow below.
  Symbol symbol = symbolList[position];
  switch (symbol.kind) {
  case Kind::Given:
    return symbol.bounds;
  case Kind::Min: {
    SizeBounds a = boundsOf(symbol.operands[0]),
               b = boundsOf(symbol.operands[1]), both = either(a, b);
    for (Bound most : {a.most, b.most})
      if (most && (!both.most || *most < *both.most))
        both.most = most;
    return both;
  }
  case Kind::Max: {
    SizeBounds a = boundsOf(symbol.operands[0]),
               b = boundsOf(symbol.operands[1]), both = either(a, b);
    for (Bound least : {a.least, b.least})
      if (least && (!both.least || *least > *both.least))
        both.least = least;
    return both;
  }
  case Kind::Quotient:
    return {boundsOf(symbol.operands[0]).least.value_or(-1) >= 0 ? Bound(0)
                                                                 : Bound(),
            boundsOf(symbol.operands[0]).most};
  case Kind::SelectEqual:
  case Kind::SelectLess:
    return either(boundsOf(symbol.operands[2]), boundsOf(symbol.operands[3]));
  case Kind::Whole:
    return boundsOf(symbol.operands[0]);
  case Kind::Element: {
    unsigned bits = getElementTypeOrSelf(symbol.value).getIntOrFloatBitWidth();
    if (bits < 64)
      return {llvm::minIntN(bits), llvm::maxIntN(bits)};
    break;
  }
  case Kind::FloatLess:
    return {0, 1};
  case Kind::ToInteger:
    if (isNotNegativeFloat(symbol.operands[0]))
      return {0, std::nullopt};
    break;
  default:
    break;
  }
  return {};
}

/// The tighter ones of two bounds of the same size.
static SizeBounds both(SizeBounds a, SizeBounds b) {
  if (!a.least || (b.least && *b.least > *a.least))
    a.least = b.least;
  if (!a.most || (b.most && *b.most < *a.most))
    a.most = b.most;
  return a;
}

/// Bounds of a sum by its rests: a multiple of a quotient is one of a quotient by
/// less, but for a rest.
///
///   4 - x + 4 * (x floordiv 4)   ==>   4 - (x mod 4), in [1, 4]
SizeBounds SizeAnalysis::boundsByRests(AffineExpr sum) {
  SizeBounds bounds;
  SmallVector<AffineExpr> terms;
  appendTerms(sum, terms);
  for (AffineExpr term : terms) {
    int64_t factor = 1;
    AffineExpr quotient = term;
    if (auto scaled = dyn_cast<AffineBinaryOpExpr>(term);
        scaled && term.getKind() == AffineExprKind::Mul)
      if (auto constant = dyn_cast<AffineConstantExpr>(scaled.getRHS())) {
        factor = constant.getValue();
        quotient = scaled.getLHS();
      }
    auto division = dyn_cast<AffineBinaryOpExpr>(quotient);
    auto divisor = division
                       ? dyn_cast<AffineConstantExpr>(division.getRHS())
                       : AffineConstantExpr();
    if (!divisor || quotient.getKind() != AffineExprKind::FloorDiv ||
        divisor.getValue() <= 0)
      continue;
    int64_t common = std::gcd(factor, divisor.getValue());
    if (common <= 1)
      continue;
    AffineExpr other = simplify(
        sum - term +
        division.getLHS().floorDiv(divisor.getValue() / common) *
            (factor / common));
    SizeBounds rest = product({0, common - 1}, {-factor / common,
                                                -factor / common});
    SizeBounds whole = boundsOf(other);
    bounds = both(bounds, {plus(whole.least, rest.least),
                           plus(whole.most, rest.most)});
  }
  return bounds;
}

SizeBounds SizeAnalysis::boundsOf(AffineExpr size) {
  if (auto constant = dyn_cast<AffineConstantExpr>(size))
    return {constant.getValue(), constant.getValue()};
  if (auto it = derived.bounds.find(size); it != derived.bounds.end())
    return it->second;
  SizeBounds bounds = computeBounds(size);
  derived.bounds[size] = bounds;
  return bounds;
}

SizeBounds SizeAnalysis::computeBounds(AffineExpr size) {
  if (auto symbol = dyn_cast<AffineSymbolExpr>(size))
    return computeSymbolBounds(symbol.getPosition());
  auto binary = dyn_cast<AffineBinaryOpExpr>(size);
  if (!binary)
    return {};
  SizeBounds a = boundsOf(binary.getLHS()), b = boundsOf(binary.getRHS());
  if (size.getKind() == AffineExprKind::Add)
    return both({plus(a.least, b.least), plus(a.most, b.most)},
                boundsByRests(size));
  if (size.getKind() == AffineExprKind::Mul)
    return product(a, b);
  // Quotients and remainders by a positive constant.
  if (!b.least || b.least != b.most || *b.least <= 0)
    return {};
  int64_t divisor = *b.least;
  if (size.getKind() == AffineExprKind::Mod)
    return {0, divisor - 1};
  auto divided = [&](Bound bound) -> Bound {
    if (!bound)
      return std::nullopt;
    return size.getKind() == AffineExprKind::FloorDiv
               ? llvm::divideFloorSigned(*bound, divisor)
               : llvm::divideCeilSigned(*bound, divisor);
  };
  return {divided(a.least), divided(a.most)};
}

bool SizeAnalysis::isAtMost(AffineExpr a, AffineExpr b) {
  if (auto it = derived.order.find({a, b}); it != derived.order.end())
    return it->second;
  bool isKnown = computeIsAtMost(a, b);
  derived.order[{a, b}] = isKnown;
  return isKnown;
}

bool SizeAnalysis::computeIsAtMost(AffineExpr a, AffineExpr b) {
  if (boundsOf(simplify(a - b)).most.value_or(1) <= 0)
    return true;
  // max(x, y) <= b if both are, min(x, y) <= b if one is; and so of b.
  auto operandsOf = [&](AffineExpr size, Kind kind) {
    auto symbol = dyn_cast<AffineSymbolExpr>(size);
    return symbol && symbolList[symbol.getPosition()].kind == kind
               ? symbolList[symbol.getPosition()].operands
               : SmallVector<AffineExpr, 0>();
  };
  auto isBelow = [&](AffineExpr x) { return isAtMost(resolve(x), b); };
  auto isAbove = [&](AffineExpr x) { return isAtMost(a, resolve(x)); };
  auto larger = operandsOf(a, Kind::Max), smaller = operandsOf(b, Kind::Min);
  return (!larger.empty() && llvm::all_of(larger, isBelow)) ||
         (!smaller.empty() && llvm::all_of(smaller, isAbove)) ||
         llvm::any_of(operandsOf(a, Kind::Min), isBelow) ||
         llvm::any_of(operandsOf(b, Kind::Max), isAbove);
}
