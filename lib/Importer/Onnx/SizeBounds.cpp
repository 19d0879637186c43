// Interval arithmetic on size expressions.
#include "lib/Importer/Onnx/SizeBounds.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace tessera::onnx_importer {

/// The bounds of symbol `position` of the analysis: the range of a named size;
/// a dimension of a tensor is not negative; an index value may be anything.
static SizeBounds symbolBounds(NodeContext &node, unsigned position) {
  const graph::SizeAnalysis::Symbol &symbol = node.sizes.symbols()[position];
  if (symbol.name) {
    Operation *scope = node.builder.getInsertionBlock()->getParentOp();
    auto named = SymbolTable::lookupNearestSymbolFrom<graph::SymbolOp>(
        scope, symbol.name);
    if (!named)
      return {};
    SizeBounds bounds{static_cast<int64_t>(named.getMin()),
                      static_cast<int64_t>(named.getMax())};
    if (bounds.most == INT64_MAX)
      bounds.most.reset();
    return bounds;
  }
  return {symbol.dimension >= 0 ? std::optional<int64_t>(0) : std::nullopt, {}};
}

using Bound = std::optional<int64_t>;

static Bound plus(Bound a, Bound b) {
  int64_t sum;
  if (!a || !b || llvm::AddOverflow(*a, *b, sum))
    return std::nullopt;
  return sum;
}

/// `bound` times a constant, or over it, rounded by `divide`.
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

SizeBounds boundsOf(NodeContext &node, AffineExpr size) {
  if (auto constant = dyn_cast<AffineConstantExpr>(size))
    return {constant.getValue(), constant.getValue()};
  if (auto symbol = dyn_cast<AffineSymbolExpr>(size))
    return symbolBounds(node, symbol.getPosition());
  auto binary = dyn_cast<AffineBinaryOpExpr>(size);
  if (!binary)
    return {};
  SizeBounds a = boundsOf(node, binary.getLHS()),
             b = boundsOf(node, binary.getRHS());
  if (size.getKind() == AffineExprKind::Add)
    return {plus(a.least, b.least), plus(a.most, b.most)};
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

bool isAtMost(NodeContext &node, AffineExpr a, AffineExpr b) {
  AffineExpr difference =
      simplifyAffineExpr(a - b, 0, node.sizes.symbols().size());
  return boundsOf(node, difference).most.value_or(1) <= 0;
}

} // namespace tessera::onnx_importer
