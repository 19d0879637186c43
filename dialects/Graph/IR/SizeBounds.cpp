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

//===----------------------------------------------------------------------===//
// Bounds
//===----------------------------------------------------------------------===//

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

//===----------------------------------------------------------------------===//
// Composites
//===----------------------------------------------------------------------===//

AffineExpr SizeAnalysis::knownExtremum(Kind kind, AffineExpr a, AffineExpr b) {
  if (isAtMost(a, b))
    return kind == Kind::Min ? a : b;
  if (isAtMost(b, a))
    return kind == Kind::Min ? b : a;
  return {};
}

/// a / b where the factors of b that are not constant are factors of a; null
/// otherwise.
AffineExpr SizeAnalysis::quotient(AffineExpr a, AffineExpr b) {
  SmallVector<AffineExpr> factors, divisors;
  appendFactors(a, factors);
  appendFactors(b, divisors);
  int64_t constant = 1;
  for (AffineExpr divisor : divisors) {
    if (auto number = dyn_cast<AffineConstantExpr>(divisor)) {
      constant *= number.getValue();
      continue;
    }
    auto equal = llvm::find_if(
        factors, [&](AffineExpr factor) { return areEqual(factor, divisor); });
    if (equal == factors.end())
      return {};
    factors.erase(equal);
  }
  if (constant <= 0)
    return {};
  AffineExpr rest = getAffineConstantExpr(1, context);
  for (AffineExpr factor : factors)
    rest = rest * factor;
  return simplify(rest.floorDiv(constant));
}

AffineExpr SizeAnalysis::substitute(AffineExpr expression, unsigned symbol,
                                    AffineExpr replacement) {
  DenseMap<AffineExpr, AffineExpr> substitutes{
      {getAffineSymbolExpr(symbol, context), replacement}};
  return substitute(expression, symbol, substitutes);
}

AffineExpr
SizeAnalysis::substitute(AffineExpr expression, unsigned symbol,
                         DenseMap<AffineExpr, AffineExpr> &substitutes) {
  expression.walk([&](AffineExpr part) {
    auto used = dyn_cast<AffineSymbolExpr>(part);
    // What came before `symbol` is not made of it.
    if (!used || used.getPosition() < symbol || substitutes.contains(part))
      return;
    Symbol given = symbolList[used.getPosition()];
    AffineExpr value = part;
    if (given.kind != Kind::Given) {
      SmallVector<AffineExpr> operands;
      for (AffineExpr operand : given.operands)
        operands.push_back(substitute(operand, symbol, substitutes));
      if (AffineExpr known = evaluate(given.kind, operands))
        value = known;
    }
    substitutes[part] = value;
  });
  return simplifyAffineExpr(expression.replace(substitutes), 0,
                            symbolList.size());
}

/// The one of operands[2] and operands[3] that a selection is in any case.
AffineExpr SizeAnalysis::evaluateSelect(Kind kind,
                                        ArrayRef<AffineExpr> operands) {
  AffineExpr difference = simplify(operands[0] - operands[1]);
  SizeBounds bounds = boundsOf(difference);
  if (kind == Kind::SelectLess) {
    if (bounds.most.value_or(0) < 0)
      return operands[2];
    return bounds.least.value_or(-1) >= 0 || areEqual(operands[2], operands[3])
               ? operands[3]
               : AffineExpr();
  }
  if (bounds.least == 0 && bounds.most == 0)
    return operands[2];
  if (bounds.least.value_or(0) > 0 || bounds.most.value_or(0) < 0 ||
      areEqual(operands[2], operands[3]))
    return operands[3];
  // Both agree where the condition holds.
  auto symbol = dyn_cast<AffineSymbolExpr>(operands[0]);
  if (symbol && isa<AffineConstantExpr>(operands[1]) &&
      areEqual(substitute(operands[2], symbol.getPosition(), operands[1]),
               substitute(operands[3], symbol.getPosition(), operands[1])))
    return operands[3];
  return {};
}

AffineExpr SizeAnalysis::evaluate(Kind kind, ArrayRef<AffineExpr> operands) {
  switch (kind) {
  case Kind::Min:
  case Kind::Max:
    return knownExtremum(kind, operands[0], operands[1]);
  case Kind::Quotient:
    return quotient(operands[0], operands[1]);
  case Kind::SelectEqual:
  case Kind::SelectLess:
    return evaluateSelect(kind, operands);
  case Kind::Whole:
    return isSmall(operands[0]) ? operands[0] : AffineExpr();
  default:
    return evaluateFloat(kind, operands);
  }
}

AffineExpr SizeAnalysis::composite(Kind kind, ArrayRef<AffineExpr> operands,
                                   Value value) {
  if (AffineExpr known = evaluate(kind, operands))
    return known;
  for (auto [position, symbol] : llvm::enumerate(symbolList))
    if (symbol.kind == kind && symbol.value == value &&
        llvm::equal(symbol.operands, operands,
                    [&](AffineExpr known, AffineExpr operand) {
                      return known == operand || resolve(known) == operand;
                    }))
      return getAffineSymbolExpr(position, context);
  Symbol symbol{{}, value, -1, {}, kind, {}};
  symbol.operands.assign(operands.begin(), operands.end());
  symbol.isPlain = kind != Kind::Element;
  for (AffineExpr operand : operands) {
    symbol.isData |= dependsOnData(operand);
    // What scales a size as a float is no factor.
    symbol.isPlain &= isFloatOperation(kind) || isPlainSize(operand);
  }
  symbolList.push_back(symbol);
  return getAffineSymbolExpr(symbolList.size() - 1, context);
}

std::optional<std::pair<AffineExpr, AffineExpr>>
SizeAnalysis::asMinimum(AffineExpr size) {
  auto symbol = dyn_cast<AffineSymbolExpr>(resolve(size));
  if (!symbol || symbolList[symbol.getPosition()].kind != Kind::Min)
    return std::nullopt;
  ArrayRef<AffineExpr> operands = symbolList[symbol.getPosition()].operands;
  return std::make_pair(operands[0], operands[1]);
}

std::optional<std::pair<AffineExpr, AffineExpr>>
SizeAnalysis::asBroadcast(AffineExpr size) {
  auto symbol = dyn_cast<AffineSymbolExpr>(resolve(size));
  if (!symbol || symbolList[symbol.getPosition()].kind != Kind::SelectEqual)
    return std::nullopt;
  ArrayRef<AffineExpr> operands = symbolList[symbol.getPosition()].operands;
  auto one = dyn_cast<AffineConstantExpr>(operands[1]);
  if (!one || one.getValue() != 1 || operands[0] != operands[3])
    return std::nullopt;
  return std::make_pair(resolve(operands[0]), resolve(operands[2]));
}
