// The route of elementwise work, reductions, pooling and data movement.
#include "lib/CostModel/RowSchedule.h"
#include "lib/Target/CPU/Routes.h"
#include "lib/Target/CPU/Rows/RowCheck.h"
#include "lib/Target/CPU/Rows/RowEmitter.h"

using namespace mlir;
using namespace tessera;

namespace {

class RowRoute : public cpu::CpuRoute {
public:
  bool takes(kernel::ScheduleAttrInterface schedule) const override {
    return isa<kernel::RowsAttr>(schedule);
  }

  SmallVector<kernel::ScheduleAttrInterface>
  candidates(kernel::FuncOp kernel, const Machine &machine,
             std::string &) const override {
    return {chooseRowSchedule(kernel, machine)};
  }

  bool admits(kernel::FuncOp kernel, kernel::ScheduleAttrInterface,
              std::string &reason) const override {
    std::optional<std::string> refusal = firstDiagnostic(
        kernel.getContext(), [&] { return cpu::checkRowKernel(kernel); });
    reason = refusal.value_or("");
    return !refusal;
  }

  double estimateSeconds(kernel::FuncOp kernel, kernel::ScheduleAttrInterface,
                         const Machine &machine) const override {
    return iterationSpaceOf(kernel) * estimateRowSeconds(kernel, machine);
  }

  SmallVector<Feature>
  features(kernel::FuncOp kernel,
           kernel::ScheduleAttrInterface schedule) const override {
    double elements = iterationSpaceOf(kernel);
    RowWork work = rowWorkOf(
        kernel, cast<kernel::RowsAttr>(schedule).getLanes());
    return {{"elements", elements},
            {"bytes", elements * work.bytes},
            {"cycles", elements * work.cycles}};
  }

  LogicalResult emit(kernel::FuncOp kernel,
                     kernel::ScheduleAttrInterface schedule,
                     func::FuncOp function) const override {
    return cpu::emitRowKernel(kernel, cast<kernel::RowsAttr>(schedule),
                              function);
  }
};

} // namespace

std::unique_ptr<cpu::CpuRoute> cpu::createRowRoute() {
  return std::make_unique<RowRoute>();
}
