// Typical sizes of the tensors of a kernel.
#include "lib/CostModel/TypicalSizes.h"

#include "dialects/Graph/IR/TypicalValue.h"

using namespace mlir;
using namespace tessera;

TypicalSizes::TypicalSizes(kernel::FuncOp kernel)
    : sizes(kernel.getContext()), firstSymbol(kernel.getTensorCount()) {
  auto module = kernel->getParentOfType<ModuleOp>();
  if (!module || kernel.getSymbolCount() == 0)
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
  for (Value size : call.getSizes())
    typical.push_back(
        graph::typicalValueOf(outside.sizeOf(size), outside, module));
}

int64_t TypicalSizes::of(Value tensor, int64_t dimension) {
  AffineExpr expr = sizes.dimOf(tensor, dimension);
  return graph::typicalValueOf(
      expr, sizes,
      [&](const graph::SizeAnalysis::Symbol &symbol) -> std::optional<int64_t> {
        auto argument = dyn_cast_or_null<BlockArgument>(symbol.value);
        unsigned first = firstSymbol;
        if (!argument || symbol.dimension >= 0 ||
            argument.getArgNumber() < first ||
            argument.getArgNumber() - first >= typical.size())
          return std::nullopt;
        return typical[argument.getArgNumber() - first];
      });
}
