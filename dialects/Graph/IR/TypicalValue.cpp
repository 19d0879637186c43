// What a size is in a typical run; see the header.
#include "dialects/Graph/IR/TypicalValue.h"
#include "dialects/Graph/IR/Graph.h"

using namespace mlir;
using namespace tessera;

double graph::typicalValueOf(AffineExpr size, const SizeAnalysis &sizes,
                             Operation *at) {
  if (auto constant = dyn_cast<AffineConstantExpr>(size))
    return constant.getValue();
  constexpr double unknown = 128;
  if (auto symbol = dyn_cast<AffineSymbolExpr>(size)) {
    const SizeAnalysis::Symbol &known = sizes.symbols()[symbol.getPosition()];
    if (known.kind == SizeAnalysis::Symbol::Kind::Whole)
      return typicalValueOf(known.operands[0], sizes, at);
    FlatSymbolRefAttr name = known.name;
    auto declared = name ? SymbolTable::lookupNearestSymbolFrom<SymbolOp>(at, name)
                         : SymbolOp();
    return declared ? declared.getTypical() : unknown;
  }
  auto binary = dyn_cast<AffineBinaryOpExpr>(size);
  if (!binary)
    return unknown;
  double a = typicalValueOf(binary.getLHS(), sizes, at);
  double b = typicalValueOf(binary.getRHS(), sizes, at);
  switch (size.getKind()) {
  case AffineExprKind::Add:
    return a + b;
  case AffineExprKind::Mul:
    return a * b;
  default:
    return b == 0 ? a : a / b;
  }
}

double graph::typicalElementCountOf(Value tensor, SizeAnalysis &sizes) {
  Operation *at = tensor.getParentRegion()->getParentOp();
  double count = 1;
  for (AffineExpr size : sizes.dimsOf(tensor))
    count *= typicalValueOf(size, sizes, at);
  return count;
}
