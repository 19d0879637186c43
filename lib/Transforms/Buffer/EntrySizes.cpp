// Symbols and computed sizes of an entry; see the header.
#include "lib/Transforms/Buffer/EntrySizes.h"

#include "mlir/IR/Builders.h"

using namespace mlir;
using namespace tessera;

using Kind = graph::SizeAnalysis::Symbol::Kind;

StringAttr tessera::nodeNameOf(Location loc) {
  StringAttr last;
  loc->walk([&](Location part) {
    if (auto name = dyn_cast<NameLoc>(part); name && !name.getName().empty())
      last = name.getName();
    return WalkResult::advance();
  });
  return last;
}

EntrySizes::EntrySizes(graph::SizeAnalysis &sizes, MLIRContext *context,
                       ArrayRef<graph::SymbolOp> symbols)
    : sizes(sizes), context(context) {
  for (graph::SymbolOp symbol : symbols) {
    named[FlatSymbolRefAttr::get(symbol)] = namedSizes.size();
    namedSizes.push_back(kernel::NamedSizeAttr::get(
        context, symbol.getSymName(), symbol.getMin(), symbol.getTypical(),
        symbol.getMax()));
  }
}

static std::optional<kernel::ComputedSizeKind> computedKind(Kind kind) {
  switch (kind) {
  case Kind::Given:
    return std::nullopt;
  case Kind::Min:
    return kernel::ComputedSizeKind::Min;
  case Kind::Max:
    return kernel::ComputedSizeKind::Max;
  case Kind::Quotient:
    return kernel::ComputedSizeKind::Quotient;
  case Kind::SelectEqual:
    return kernel::ComputedSizeKind::SelectEqual;
  case Kind::SelectLess:
    return kernel::ComputedSizeKind::SelectLess;
  case Kind::Element:
    return kernel::ComputedSizeKind::Element;
  case Kind::ToFloat:
    return kernel::ComputedSizeKind::ToFloat;
  case Kind::FloatAdd:
    return kernel::ComputedSizeKind::FloatAdd;
  case Kind::FloatSub:
    return kernel::ComputedSizeKind::FloatSub;
  case Kind::FloatMul:
    return kernel::ComputedSizeKind::FloatMul;
  case Kind::FloatDiv:
    return kernel::ComputedSizeKind::FloatDiv;
  case Kind::FloatFloor:
    return kernel::ComputedSizeKind::FloatFloor;
  case Kind::FloatCeil:
    return kernel::ComputedSizeKind::FloatCeil;
  case Kind::FloatRound:
    return kernel::ComputedSizeKind::FloatRound;
  case Kind::FloatSqrt:
    return kernel::ComputedSizeKind::FloatSqrt;
  case Kind::FloatLess:
    return kernel::ComputedSizeKind::FloatLess;
  case Kind::ToInteger:
    return kernel::ComputedSizeKind::ToInteger;
  case Kind::Whole: // by 1
    return kernel::ComputedSizeKind::Quotient;
  }
  return std::nullopt;
}

AffineExpr EntrySizes::symbolFor(unsigned position) {
  graph::SizeAnalysis::Symbol symbol = sizes.symbols()[position];
  if (symbol.name)
    return getAffineSymbolExpr(numberOf(symbol.name), context);
  std::optional<kernel::ComputedSizeKind> kind = computedKind(symbol.kind);
  if (!kind)
    return {};
  if (auto it = numbers.find(position); it != numbers.end())
    return getAffineSymbolExpr(it->second, context);
  SmallVector<AffineExpr> operands;
  for (AffineExpr operand : symbol.operands) {
    operands.push_back(overSymbols(sizes.resolve(operand)));
    if (!operands.back())
      return {};
  }
  if (symbol.kind == Kind::Whole)
    operands.push_back(getAffineConstantExpr(1, context));
  int64_t number =
      symbol.kind == Kind::Element
          ? elementNumber(cast<AffineConstantExpr>(operands[0]).getValue(),
                          cast<AffineConstantExpr>(operands[1]).getValue())
          : add(*kind, operands);
  numbers[position] = number;
  return getAffineSymbolExpr(number, context);
}

int64_t EntrySizes::add(kernel::ComputedSizeKind kind,
                        ArrayRef<AffineExpr> operands) {
  int64_t number = count();
  computed.push_back(kernel::ComputedSizeAttr::get(
      context, kind, AffineMap::get(0, number, operands, context), node));
  return number;
}

int64_t EntrySizes::elementNumber(int64_t input, int64_t index) {
  auto [it, isNew] = elements.try_emplace({input, index}, count());
  if (isNew)
    add(kernel::ComputedSizeKind::Element,
        {getAffineConstantExpr(input, context),
         getAffineConstantExpr(index, context)});
  return it->second;
}

AffineExpr EntrySizes::overSymbols(AffineExpr expression) {
  SmallVector<AffineExpr> replacements(sizes.symbols().size());
  WalkResult known = expression.walk([&](AffineExpr part) {
    auto symbol = dyn_cast<AffineSymbolExpr>(part);
    if (!symbol || replacements[symbol.getPosition()])
      return WalkResult::advance();
    AffineExpr found = symbolFor(symbol.getPosition());
    replacements[symbol.getPosition()] = found;
    return found ? WalkResult::advance() : WalkResult::interrupt();
  });
  return known.wasInterrupted() ? AffineExpr()
                                : expression.replaceSymbols(replacements);
}

FailureOr<AffineMap> EntrySizes::overSymbols(Location loc,
                                             ArrayRef<AffineExpr> expressions) {
  node = nodeNameOf(loc);
  SmallVector<AffineExpr> results;
  for (AffineExpr expression : expressions) {
    results.push_back(overSymbols(expression));
    if (!results.back())
      return emitError(loc, "a tensor's size depends on what the model "
                            "computes; give the sizes with --shape");
  }
  return AffineMap::get(0, count(), results, context);
}

AffineMap EntrySizes::declaredDims(ArrayAttr dims) {
  SmallVector<AffineExpr> sizes;
  for (Attribute dim : dims) {
    auto number = dyn_cast<IntegerAttr>(dim);
    sizes.push_back(number
                        ? getAffineConstantExpr(number.getInt(), context)
                        : getAffineSymbolExpr(
                              numberOf(cast<FlatSymbolRefAttr>(dim)), context));
  }
  return AffineMap::get(0, count(), sizes, context);
}

ArrayAttr EntrySizes::getNamed() { return ArrayAttr::get(context, namedSizes); }

ArrayAttr EntrySizes::getComputed() {
  return computed.empty() ? ArrayAttr() : ArrayAttr::get(context, computed);
}
