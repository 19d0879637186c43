// Writes schedules for kernels that have none.
#include "lib/Transforms/Kernel/Passes.h"

#include "dialects/Kernel/IR/Kernel.h"
#include "dialects/Kernel/IR/MissedRoute.h"
#include "lib/CostModel/ContractionSchedule.h"
#include "lib/CostModel/Machine.h"
#include "lib/CostModel/RowSchedule.h"
#include "lib/Transforms/Kernel/AttentionShapes.h"
#include "lib/Transforms/Kernel/ContractionShapes.h"

namespace tessera {
#define GEN_PASS_DEF_CHOOSESCHEDULES
#include "lib/Transforms/Kernel/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

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
      if (std::optional<Contraction> product = contractionIn(kernel)) {
        if (auto accumulate = chooseMultiplyAccumulate(*product, *machine)) {
          schedules.push_back(chooseContractionSchedule(
              &getContext(), shapeOf(*product, kernel, *accumulate), *machine));
        } else {
          kernel->setAttr(kernel::kMissedAttr,
                          builder.getStringAttr(
                              "the machine has no multiply-accumulate for the "
                              "types of its product"));
        }
      } else if (std::optional<AttentionShape> shape =
                     attentionShapeOf(kernel)) {
        if (std::optional<kernel::AttentionAttr> schedule =
                chooseAttentionSchedule(&getContext(), *shape, *machine))
          schedules.push_back(*schedule);
        else
          kernel->setAttr(kernel::kMissedAttr,
                          builder.getStringAttr("a head is too long for the "
                                                "scratch of a task"));
      } else {
        schedules.push_back(chooseRowSchedule(kernel, *machine));
      }
      schedules.push_back(generic);
      kernel.setSchedulesAttr(builder.getArrayAttr(schedules));
    }
  }
};

} // namespace
