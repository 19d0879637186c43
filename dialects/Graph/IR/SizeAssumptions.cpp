// Sizes that are taken for equal, and what follows from it; see SizeAnalysis.h.
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeAnalysis.h"
#include "dialects/Graph/IR/SizeTerms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Interfaces/FunctionInterfaces.h"

#include <numeric>

using namespace mlir;
using namespace tessera::graph;

using Kind = SizeAnalysis::Symbol::Kind;

AffineExpr SizeAnalysis::resolve(AffineExpr expression) {
  if (replaced.empty() && multiples.empty())
    return expression;
  if (AffineExpr known = derived.resolved.lookup(expression))
    return known;
  AffineExpr given = expression;
  while (true) {
    DenseMap<AffineExpr, AffineExpr> replacements;
    expression.walk([&](AffineExpr part) {
      if (auto used = dyn_cast<AffineSymbolExpr>(part))
        if (AffineExpr other = replaced.lookup(used.getPosition()))
          replacements[part] = other;
    });
    AffineExpr next = cancelExactQuotients(expression.replace(replacements));
    if (next != expression)
      next = orWhole(normalise(next));
    if (next == expression)
      break;
    expression = next;
  }
  derived.resolved[given] = expression;
  return expression;
}

void SizeAnalysis::reevaluateComposites() {
  derived = Derived();
  for (auto &[size, divisor] : multiples) {
    size = resolve(size);
    divisor = resolve(divisor);
  }
  derived = Derived();
  for (unsigned position = 0; position < symbolList.size(); ++position) {
    Symbol symbol = symbolList[position];
    if (symbol.kind == Kind::Given || replaced.contains(position))
      continue;
    SmallVector<AffineExpr> operands;
    for (AffineExpr operand : symbol.operands)
      operands.push_back(resolve(operand));
    AffineExpr known = evaluate(symbol.kind, operands);
    if (!known || known == getAffineSymbolExpr(position, context))
      continue;
    replaced[position] = known;
    derived = Derived();
  }
}

/// Whether `expression` has symbol `position`, in a composite's operands too.
bool SizeAnalysis::contains(AffineExpr expression, unsigned position) {
  llvm::SmallDenseSet<unsigned> seen;
  SmallVector<AffineExpr> pending{resolve(expression)};
  while (!pending.empty())
    pending.pop_back_val().walk([&](AffineExpr part) {
      auto used = dyn_cast<AffineSymbolExpr>(part);
      if (!used || !seen.insert(used.getPosition()).second)
        return;
      for (AffineExpr operand : symbolList[used.getPosition()].operands)
        pending.push_back(resolve(operand));
    });
  return seen.contains(position);
}

bool SizeAnalysis::assumeEqual(AffineExpr a, AffineExpr b) {
  AffineExpr difference = simplify(a - b);
  if (isa<AffineConstantExpr>(difference))
    return false;
  if (assumeMultiple(difference))
    return true;
  // Composites and unnamed values first, then the names that came last.
  SmallVector<unsigned> candidates;
  difference.walk([&](AffineExpr part) {
    if (auto used = dyn_cast<AffineSymbolExpr>(part))
      candidates.push_back(used.getPosition());
  });
  llvm::sort(candidates, [&](unsigned x, unsigned y) {
    bool namedX = bool(symbolList[x].name), namedY = bool(symbolList[y].name);
    return namedX != namedY ? !namedX : x > y;
  });
  for (unsigned position : candidates) {
    AffineExpr symbol = getAffineSymbolExpr(position, context);
    for (AffineExpr other :
         {simplify(symbol - difference), simplify(symbol + difference)}) {
      if (contains(other, position))
        continue;
      replaced[position] = other;
      reevaluateComposites();
      return true;
    }
  }
  return false;
}

void SizeAnalysis::readAssertions(Operation *user) {
  if (hasReadAssertions)
    return;
  hasReadAssertions = true;
  auto function = dyn_cast<FunctionOpInterface>(user);
  if (!function)
    function = user->getParentOfType<FunctionOpInterface>();
  if (!function || function.isExternal())
    return;
  for (auto check : function.getFunctionBody().front().getOps<AssertOp>()) {
    auto compare = check.getCondition().getDefiningOp<arith::CmpIOp>();
    if (compare && compare.getPredicate() == arith::CmpIPredicate::eq)
      assumeEqual(sizeOf(compare.getLhs()), sizeOf(compare.getRhs()));
  }
}

void SizeAnalysis::assumeAtMost(AffineExpr size, int64_t most) {
  auto symbol = dyn_cast<AffineSymbolExpr>(resolve(size));
  if (!symbol)
    return;
  std::optional<int64_t> &bound = symbolList[symbol.getPosition()].bounds.most;
  bound = std::min(bound.value_or(most), most);
  reevaluateComposites();
}

//===----------------------------------------------------------------------===//
// Multiples
//===----------------------------------------------------------------------===//

/// Takes x for a multiple of c if `difference` is 0 exactly then: k * (x mod c), or
/// k * (c * (x floordiv c) - x), where k is not 0. c may be a size, too.
bool SizeAnalysis::assumeMultiple(AffineExpr difference) {
  AffineExpr size, divisor;
  auto isZero = [&](AffineExpr sum) {
    return simplify(sum) == getAffineConstantExpr(0, context);
  };
  auto with = [&](AffineExpr part, int64_t value) {
    return difference.replace(part, getAffineConstantExpr(value, context));
  };
  difference.walk([&](AffineExpr part) {
    AffineExprKind kind = part.getKind();
    AffineExpr x, c;
    if (kind == AffineExprKind::Mod || kind == AffineExprKind::FloorDiv) {
      x = cast<AffineBinaryOpExpr>(part).getLHS();
      c = cast<AffineBinaryOpExpr>(part).getRHS();
    } else if (auto symbol = dyn_cast<AffineSymbolExpr>(part)) {
      const Symbol &known = symbolList[symbol.getPosition()];
      if (known.kind != Kind::Quotient)
        return WalkResult::advance();
      x = resolve(known.operands[0]);
      c = resolve(known.operands[1]);
    } else {
      return WalkResult::advance();
    }
    AffineExpr rest = with(part, 0), factor = simplify(with(part, 1) - rest);
    bool isRest = kind == AffineExprKind::Mod;
    AffineExpr times = isRest ? factor : quotient(factor, c);
    SizeBounds bounds = times ? boundsOf(times) : SizeBounds();
    bool isNeverZero =
        bounds.least.value_or(0) > 0 || bounds.most.value_or(0) < 0;
    if (!isNeverZero || !isZero(with(part, 2) - rest - factor * 2) ||
        !isZero(isRest ? rest : rest + times * x) ||
        (!isRest && !isZero(factor - times * c)))
      return WalkResult::advance();
    size = x;
    divisor = c;
    return WalkResult::interrupt();
  });
  if (!size)
    return false;
  multiples.push_back({size, divisor});
  reevaluateComposites();
  return true;
}

bool SizeAnalysis::isMultipleOf(AffineExpr size, AffineExpr divisor) {
  auto constant = dyn_cast<AffineConstantExpr>(divisor);
  int64_t number = constant ? constant.getValue() : 0;
  if (constant && (number <= 0 || size.isMultipleOf(number)))
    return number > 0;
  for (auto [known, by] : multiples) {
    auto least = dyn_cast<AffineConstantExpr>(by);
    if (constant ? least && least.getValue() % number == 0 &&
                       normalise(size - known).isMultipleOf(number)
                 : size == known && divisor == by)
      return true;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(size);
  if (!constant || !binary)
    return false;
  AffineExpr lhs = binary.getLHS(), rhs = binary.getRHS();
  if (size.getKind() == AffineExprKind::Add)
    return isMultipleOf(lhs, divisor) && isMultipleOf(rhs, divisor);
  if (size.getKind() != AffineExprKind::Mul)
    return false;
  int64_t common = std::gcd(rhs.getLargestKnownDivisor(), number);
  return isMultipleOf(rhs, divisor) ||
         isMultipleOf(lhs, getAffineConstantExpr(number / common, context));
}

/// The product of `factors`, where quotients without rest go with factors that are
/// their divisors.
///
///   (x floordiv 4) * 8   ==>   x * 2
///   (x floordiv 8) * 4   ==>   x floordiv 2
AffineExpr SizeAnalysis::productOfExact(SmallVector<AffineExpr> factors) {
  int64_t number = 1;
  llvm::erase_if(factors, [&](AffineExpr factor) {
    auto constant = dyn_cast<AffineConstantExpr>(factor);
    number *= constant ? constant.getValue() : 1;
    return bool(constant);
  });
  for (unsigned i = 0; i < factors.size(); ++i) {
    if (factors[i].getKind() == AffineExprKind::FloorDiv) {
      auto quotient = cast<AffineBinaryOpExpr>(factors[i]);
      auto divisor = dyn_cast<AffineConstantExpr>(quotient.getRHS());
      if (!divisor || !isMultipleOf(quotient.getLHS(), divisor))
        continue;
      int64_t common = std::gcd(number, divisor.getValue());
      factors[i] = quotient.getLHS().floorDiv(divisor.getValue() / common);
      number /= common;
    } else if (auto symbol = dyn_cast<AffineSymbolExpr>(factors[i])) {
      // A copy: the list may grow below.
      Symbol known = symbolList[symbol.getPosition()];
      if (known.kind != Kind::Quotient)
        continue;
      AffineExpr whole = resolve(known.operands[0]),
                 by = resolve(known.operands[1]);
      SmallVector<AffineExpr> divisors, others = factors;
      appendFactors(by, divisors);
      int64_t rest = number;
      bool cancel = llvm::all_of(divisors, [&](AffineExpr divisor) {
        if (auto constant = dyn_cast<AffineConstantExpr>(divisor)) {
          bool divides = constant.getValue() && !(rest % constant.getValue());
          rest /= divides ? constant.getValue() : 1;
          return divides;
        }
        auto equal = llvm::find(others, divisor);
        if (equal == others.end())
          return false;
        others.erase(equal);
        return true;
      });
      if (!cancel || !isMultipleOf(whole, by))
        continue;
      others.erase(llvm::find(others, factors[i]));
      number = rest;
      factors = others;
      appendFactors(whole, factors);
      return productOfExact(factors) * number;
    }
  }
  AffineExpr product = getAffineConstantExpr(number, context);
  for (AffineExpr factor : factors)
    product = product * factor;
  return product;
}

AffineExpr SizeAnalysis::cancelExactQuotients(AffineExpr expression) {
  auto binary = dyn_cast<AffineBinaryOpExpr>(expression);
  if (multiples.empty() || !binary)
    return expression;
  AffineExprKind kind = expression.getKind();
  AffineExpr lhs = cancelExactQuotients(binary.getLHS()),
             rhs = cancelExactQuotients(binary.getRHS());
  if (kind == AffineExprKind::Mod && isMultipleOf(lhs, rhs))
    return getAffineConstantExpr(0, context);
  if (kind == AffineExprKind::CeilDiv && isMultipleOf(lhs, rhs))
    return lhs.floorDiv(rhs);
  if (kind != AffineExprKind::Mul)
    return getAffineBinaryOpExpr(kind, lhs, rhs);
  SmallVector<AffineExpr> factors;
  appendFactors(lhs, factors);
  appendFactors(rhs, factors);
  return productOfExact(factors);
}
