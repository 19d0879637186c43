// Makes every tensor operation of the entries a kernel of its own.
#include "lib/Transforms/Kernel/Outline.h"
#include "lib/Transforms/Kernel/Passes.h"
#include "lib/Transforms/Kernel/RegionTensors.h"

#include "mlir/Dialect/SCF/IR/SCF.h"
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

/// Every operation on tensors is a kernel that writes its results.
static OpResult writerOf(Value value) {
  Operation *op = value.getDefiningOp();
  return op && isKernelWork(op) ? cast<OpResult>(value) : OpResult();
}

static LogicalResult outlineEachOp(func::FuncOp entry, SymbolTable &symbols) {
  makeBranchesOfSelections(entry);
  if (failed(checkCarriedSizes(entry)))
    return failure();
  copyUnwrittenResults(entry, writerOf);
  auto generic =
      ArrayAttr::get(entry.getContext(), GenericAttr::get(entry.getContext()));
  for (Block *block : entryBlocks(entry))
    for (Operation &op : llvm::make_early_inc_range(*block)) {
      if (!isKernelWork(&op) || isControlFlow(&op) || isOpTriviallyDead(&op))
        continue;
      FailureOr<FuncOp> kernel = outlineKernel(&op, kernelName(&op), symbols);
      if (failed(kernel))
        return failure();
      kernel->setSchedulesAttr(generic);
    }
  FailureOr<SmallVector<FuncOp>> copies = finishRegions(entry, symbols);
  if (failed(copies))
    return failure();
  for (FuncOp copy : *copies)
    copy.setSchedulesAttr(generic);
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
