// Sizes that are composed of others by minima, quotients and selections; see
// SizeAnalysis.h.
#include "dialects/Graph/IR/SizeAnalysis.h"
#include "dialects/Graph/IR/SizeTerms.h"

using namespace mlir;
using namespace tessera::graph;

using Kind = SizeAnalysis::Symbol::Kind;

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
