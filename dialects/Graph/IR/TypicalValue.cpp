// What a size is in a typical run; see the header.
#include "dialects/Graph/IR/TypicalValue.h"
#include "dialects/Graph/IR/Graph.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tessera;

namespace {

/// Evaluates expressions at the values of their symbols. None for a quotient by 0 or
/// what exceeds 64 bits.
class TypicalEvaluator {
public:
  using ValueOf =
      function_ref<std::optional<int64_t>(const graph::SizeAnalysis::Symbol &)>;

  TypicalEvaluator(const graph::SizeAnalysis &sizes, ValueOf valueOf)
      : sizes(sizes), valueOf(valueOf) {}

  std::optional<int64_t> evaluate(AffineExpr expr) {
    if (auto constant = dyn_cast<AffineConstantExpr>(expr))
      return constant.getValue();
    if (auto symbol = dyn_cast<AffineSymbolExpr>(expr))
      return evaluateSymbol(symbol.getPosition());
    auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
    if (!binary)
      return std::nullopt;
    std::optional<int64_t> lhs = evaluate(binary.getLHS());
    std::optional<int64_t> rhs = evaluate(binary.getRHS());
    int64_t result = 0;
    if (!lhs || !rhs)
      return std::nullopt;
    switch (expr.getKind()) {
    case AffineExprKind::Add:
      return llvm::AddOverflow(*lhs, *rhs, result) ? std::nullopt
                                                   : std::optional(result);
    case AffineExprKind::Mul:
      return llvm::MulOverflow(*lhs, *rhs, result) ? std::nullopt
                                                   : std::optional(result);
    default:
      break;
    }
    if (*rhs < 1)
      return std::nullopt;
    if (expr.getKind() == AffineExprKind::Mod)
      return *lhs - *rhs * llvm::divideFloorSigned(*lhs, *rhs);
    return expr.getKind() == AffineExprKind::FloorDiv
               ? llvm::divideFloorSigned(*lhs, *rhs)
               : llvm::divideCeilSigned(*lhs, *rhs);
  }

private:
  std::optional<int64_t> evaluateSymbol(unsigned position) {
    const graph::SizeAnalysis::Symbol &symbol = sizes.symbols()[position];
    if (symbol.kind != graph::SizeAnalysis::Symbol::Kind::Whole)
      return valueOf(symbol).value_or(graph::kUnknownTypicalSize);
    // Wholes are made of wholes: each one is evaluated once.
    auto known = wholes.find(position);
    if (known != wholes.end())
      return known->second;
    std::optional<int64_t> value = evaluate(symbol.operands[0]);
    wholes[position] = value;
    return value;
  }

  const graph::SizeAnalysis &sizes;
  ValueOf valueOf;
  llvm::SmallDenseMap<unsigned, std::optional<int64_t>> wholes;
};

} // namespace

int64_t graph::typicalValueOf(AffineExpr size, const SizeAnalysis &sizes,
                              TypicalEvaluator::ValueOf valueOf) {
  return std::max<int64_t>(
      TypicalEvaluator(sizes, valueOf).evaluate(size).value_or(
          kUnknownTypicalSize),
      0);
}

int64_t graph::typicalValueOf(AffineExpr size, const SizeAnalysis &sizes,
                              Operation *at) {
  return typicalValueOf(
      size, sizes,
      [&](const SizeAnalysis::Symbol &symbol) -> std::optional<int64_t> {
        if (!symbol.name)
          return std::nullopt;
        auto declared =
            SymbolTable::lookupNearestSymbolFrom<SymbolOp>(at, symbol.name);
        if (!declared)
          return std::nullopt;
        return declared.getTypical();
      });
}

double graph::typicalElementCountOf(Value tensor, SizeAnalysis &sizes) {
  Operation *at = tensor.getParentRegion()->getParentOp();
  double count = 1;
  for (AffineExpr size : sizes.dimsOf(tensor))
    count *= static_cast<double>(typicalValueOf(size, sizes, at));
  return count;
}
