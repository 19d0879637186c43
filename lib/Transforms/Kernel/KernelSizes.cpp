// Which sizes a kernel is given; see the header.
#include "lib/Transforms/Kernel/KernelSizes.h"

#include "llvm/ADT/EquivalenceClasses.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/STLExtras.h"

using namespace mlir;
using namespace tessera;

/// What divides a size is lost where the size is given. From the lanes of a vector on
/// it says how kernels can be cut.
static constexpr int64_t kTellingDivisor = 8;

static SmallVector<unsigned> symbolsOf(AffineExpr size) {
  SmallVector<unsigned> symbols;
  size.walk([&](AffineExpr part) {
    if (auto symbol = dyn_cast<AffineSymbolExpr>(part))
      symbols.push_back(symbol.getPosition());
  });
  return symbols;
}

KernelSizes::KernelSizes(ArrayRef<AffineExpr> sizes) {
  llvm::EquivalenceClasses<unsigned> together;
  SmallVector<unsigned> order;
  for (AffineExpr size : sizes)
    for (unsigned symbol : symbolsOf(size)) {
      together.unionSets(symbol, symbolsOf(size).front());
      order.push_back(symbol);
    }
  // The symbols, and the sizes of each set, in order of first use.
  llvm::MapVector<unsigned, SmallVector<AffineExpr>> sizesOfSet;
  llvm::MapVector<unsigned, llvm::SmallSetVector<unsigned, 4>> symbolsOfSet;
  for (unsigned symbol : order)
    symbolsOfSet[together.getLeaderValue(symbol)].insert(symbol);
  for (AffineExpr size : sizes)
    if (SmallVector<unsigned> symbols = symbolsOf(size); !symbols.empty())
      sizesOfSet[together.getLeaderValue(symbols.front())].push_back(size);

  SmallVector<AffineExpr> chosen;
  for (auto &[leader, own] : sizesOfSet) {
    auto isEnough = [&, &own = own](AffineExpr size) {
      arguments.assign(1, size);
      return size.getLargestKnownDivisor() < kTellingDivisor &&
             llvm::all_of(own, [&](AffineExpr other) {
               return bool(expressionOf(other));
             });
    };
    auto enough = llvm::find_if(own, isEnough);
    if (enough != own.end()) {
      chosen.push_back(*enough);
      continue;
    }
    for (unsigned symbol : symbolsOfSet[leader])
      chosen.push_back(getAffineSymbolExpr(symbol, own.front().getContext()));
  }
  arguments = chosen;
}

/// A quotient by means of one that is given, for any whole a and c:
///
///   s = x floordiv d + a:  (x + c * d) floordiv (d * k)
///                            ==>  (s - a + c) floordiv k
AffineExpr KernelSizes::quotientOf(AffineExpr size) const {
  auto quotient = cast<AffineBinaryOpExpr>(size);
  auto divisor = dyn_cast<AffineConstantExpr>(quotient.getRHS());
  if (!divisor)
    return {};
  for (auto [number, given] : llvm::enumerate(arguments)) {
    AffineExpr inner = given;
    int64_t added = 0;
    if (auto sum = dyn_cast<AffineBinaryOpExpr>(given);
        sum && given.getKind() == AffineExprKind::Add)
      if (auto constant = dyn_cast<AffineConstantExpr>(sum.getRHS())) {
        inner = sum.getLHS();
        added = constant.getValue();
      }
    if (inner.getKind() != AffineExprKind::FloorDiv)
      continue;
    auto known = cast<AffineBinaryOpExpr>(inner);
    auto by = dyn_cast<AffineConstantExpr>(known.getRHS());
    if (!by || by.getValue() <= 0 || divisor.getValue() % by.getValue())
      continue;
    unsigned symbols = 0;
    for (AffineExpr part : {quotient.getLHS(), known.getLHS()})
      for (unsigned symbol : symbolsOf(part))
        symbols = std::max(symbols, symbol + 1);
    auto difference = dyn_cast<AffineConstantExpr>(
        simplifyAffineExpr(quotient.getLHS() - known.getLHS(), 0, symbols));
    if (!difference || difference.getValue() % by.getValue())
      continue;
    AffineExpr symbol = getAffineSymbolExpr(number, size.getContext());
    return (symbol + (difference.getValue() / by.getValue() - added))
        .floorDiv(divisor.getValue() / by.getValue());
  }
  return {};
}

AffineExpr KernelSizes::expressionOf(AffineExpr size) const {
  if (isa<AffineConstantExpr>(size))
    return size;
  for (auto [number, given] : llvm::enumerate(arguments))
    if (size == given)
      return getAffineSymbolExpr(number, size.getContext());
  auto binary = dyn_cast<AffineBinaryOpExpr>(size);
  if (!binary)
    return {};
  if (size.getKind() == AffineExprKind::FloorDiv)
    if (AffineExpr known = quotientOf(size))
      return known;
  AffineExpr lhs = expressionOf(binary.getLHS()),
             rhs = expressionOf(binary.getRHS());
  return lhs && rhs ? getAffineBinaryOpExpr(size.getKind(), lhs, rhs)
                    : AffineExpr();
}
