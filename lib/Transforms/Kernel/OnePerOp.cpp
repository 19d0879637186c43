// Makes every tensor operation of the entries a kernel of its own.
#include "lib/Transforms/Kernel/Outline.h"
#include "lib/Transforms/Kernel/Passes.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"

namespace tessera {
#define GEN_PASS_DEF_ONEPEROP
#include "lib/Transforms/Kernel/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;
using namespace tessera::kernel;

/// `linalg.matmul` gives `linalg_matmul`: never the name of a function of libm,
/// as `math.powf` would without its dialect.
static std::string kernelName(Operation *op) {
  std::string name = op->getName().getStringRef().str();
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

static LogicalResult outlineEachOp(func::FuncOp entry, SymbolTable &symbols) {
  copyReturnedValues(entry);
  Block &block = entry.getBody().front();
  auto generic =
      ArrayAttr::get(entry.getContext(), GenericAttr::get(entry.getContext()));
  for (Operation &op : llvm::make_early_inc_range(block)) {
    if (!isKernelWork(&op) || isOpTriviallyDead(&op))
      continue;
    FailureOr<FuncOp> kernel = outlineKernel(&op, kernelName(&op), symbols);
    if (failed(kernel))
      return failure();
    kernel->setSchedulesAttr(generic);
  }
  eraseDeadOperations(entry);
  return success();
}

namespace {
struct OnePerOp : tessera::impl::OnePerOpBase<OnePerOp> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto entry : getOperation().getOps<func::FuncOp>())
      if (!entry.isExternal() && failed(outlineEachOp(entry, symbols)))
        return signalPassFailure();
  }
};
} // namespace
