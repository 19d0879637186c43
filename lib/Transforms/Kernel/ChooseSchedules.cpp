// Writes schedules for kernels that have none.
#include "lib/Transforms/Kernel/Passes.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Kernel/IR/Kernel.h"
#include "lib/CostModel/Machine.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

namespace tessera {
#define GEN_PASS_DEF_CHOOSESCHEDULES
#include "lib/Transforms/Kernel/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

/// The contraction or convolution of the kernel, or null.
Operation *contractionOf(kernel::FuncOp kernel) {
  for (Operation &op : kernel.getBody().front()) {
    if (isa<graph::ConvOp>(op))
      return &op;
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    if (linalgOp && linalg::isaContractionOpInterface(linalgOp))
      return &op;
  }
  return nullptr;
}

kernel::RowsAttr rowSchedule(MLIRContext *context, const Machine &machine) {
  // Four accumulators hide the latency of two ports; a task of 16 Ki elements
  // runs for some microseconds, well above the cost of handing it out.
  return kernel::RowsAttr::get(context, machine.lanes, /*unroll=*/4,
                               /*taskElements=*/16 << 10);
}

struct ChooseSchedules : tessera::impl::ChooseSchedulesBase<ChooseSchedules> {
  using ChooseSchedulesBase::ChooseSchedulesBase;

  void runOnOperation() override {
    llvm::Expected<Machine> machine =
        machineFile.empty() ? machineFor(cpu) : readMachine(machineFile);
    if (!machine) {
      getOperation().emitError(llvm::toString(machine.takeError()));
      return signalPassFailure();
    }
    Builder builder(&getContext());
    auto generic = kernel::GenericAttr::get(&getContext());
    for (auto kernel : getOperation().getOps<kernel::FuncOp>()) {
      if (!kernel.getSchedules().empty())
        continue;
      SmallVector<Attribute> schedules;
      if (contractionOf(kernel)) {
        int64_t rows = machine->lanes == 8 ? 6 : 8;
        int64_t vectors = machine->lanes == 8 ? 2 : 3;
        schedules.push_back(kernel::ContractionAttr::get(
            &getContext(), rows, vectors, machine->lanes, rows * 8,
            /*taskPanels=*/8, /*depth=*/0, machine->prefetchPanels ? 16 : 0));
      } else {
        schedules.push_back(rowSchedule(&getContext(), *machine));
      }
      schedules.push_back(generic);
      kernel.setSchedulesAttr(builder.getArrayAttr(schedules));
    }
  }
};

} // namespace
