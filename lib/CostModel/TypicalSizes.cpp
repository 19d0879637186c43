// Typical sizes of the tensors of a kernel.
#include "lib/CostModel/TypicalSizes.h"

#include "dialects/Graph/IR/Graph.h"

using namespace mlir;
using namespace tessera;

/// What stands for sizes that nothing is known of.
static constexpr int64_t kUnknownSize = 128;

/// The value of `expr` where each of `symbols` has the value that `valueOf` gives.
static std::optional<int64_t>
evaluate(AffineExpr expr, ArrayRef<graph::SizeAnalysis::Symbol> symbols,
         function_ref<int64_t(const graph::SizeAnalysis::Symbol &)> valueOf) {
  SmallVector<AffineExpr> values;
  for (const graph::SizeAnalysis::Symbol &symbol : symbols)
    values.push_back(
        symbol.kind == graph::SizeAnalysis::Symbol::Kind::Whole
            ? symbol.operands[0].replaceSymbols(values) // of those before
            : getAffineConstantExpr(valueOf(symbol), expr.getContext()));
  auto number = dyn_cast<AffineConstantExpr>(
      simplifyAffineExpr(expr.replaceSymbols(values), 0, 0));
  if (!number)
    return std::nullopt;
  return std::max<int64_t>(number.getValue(), 0);
}

TypicalSizes::TypicalSizes(kernel::FuncOp kernel)
    : sizes(kernel.getContext()), firstSymbol(kernel.getTensorCount()),
      typical(kernel.getSymbolCount(), kUnknownSize) {
  auto module = kernel->getParentOfType<ModuleOp>();
  if (!module || typical.empty())
    return;
  kernel::CallOp call;
  module.walk([&](kernel::CallOp candidate) {
    if (candidate.getCallee() != kernel.getSymName())
      return WalkResult::advance();
    call = candidate;
    return WalkResult::interrupt();
  });
  if (!call)
    return;
  graph::SizeAnalysis outside(kernel.getContext());
  for (auto [i, size] : llvm::enumerate(call.getSizes())) {
    AffineExpr expr = outside.sizeOf(size);
    std::optional<int64_t> value = evaluate(
        expr, outside.symbols(),
        [&](const graph::SizeAnalysis::Symbol &symbol) -> int64_t {
          auto named = symbol.name ? module.lookupSymbol<graph::SymbolOp>(symbol.name)
                                   : graph::SymbolOp();
          return named ? named.getTypical() : kUnknownSize;
        });
    if (value)
      typical[i] = *value;
  }
}

int64_t TypicalSizes::of(Value tensor, int64_t dimension) {
  AffineExpr expr = sizes.dimOf(tensor, dimension);
  return evaluate(expr, sizes.symbols(),
                  [&](const graph::SizeAnalysis::Symbol &symbol) -> int64_t {
                    auto argument =
                        dyn_cast_or_null<BlockArgument>(symbol.value);
                    bool known = argument && symbol.dimension < 0 &&
                                 argument.getArgNumber() >= firstSymbol;
                    return known ? typical[argument.getArgNumber() - firstSymbol]
                                 : kUnknownSize;
                  })
      .value_or(kUnknownSize);
}
