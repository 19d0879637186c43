// Drops schedules that a kernel's body does not fit.
#include "lib/Transforms/Kernel/Passes.h"

#include "dialects/Kernel/IR/MissedRoute.h"
#include "lib/CostModel/KernelRoute.h"

#include "mlir/IR/Remarks.h"

namespace tessera {
#define GEN_PASS_DEF_SELECTSCHEDULES
#include "lib/Transforms/Kernel/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

/// Whether the route of `schedule`, guarded or not, admits `kernel`.
static bool isAdmitted(kernel::FuncOp kernel, Attribute attribute,
                       StringRef target, std::string &reason) {
  auto schedule = cast<kernel::ScheduleAttrInterface>(attribute);
  const KernelRoute *route = routeFor(target, schedule);
  if (auto guarded = dyn_cast<kernel::GuardedAttr>(schedule))
    schedule = guarded.getSchedule();
  if (route)
    return route->admits(kernel, schedule, reason);
  reason = ("no route of the target '" + target + "' takes it").str();
  return false;
}

namespace {
struct SelectSchedules : tessera::impl::SelectSchedulesBase<SelectSchedules> {
  using SelectSchedulesBase::SelectSchedulesBase;

  void runOnOperation() override {
    for (auto kernel : getOperation().getOps<kernel::FuncOp>())
      select(kernel);
  }

  void select(kernel::FuncOp kernel) {
    ArrayRef<Attribute> schedules = kernel.getSchedules().getValue();
    SmallVector<Attribute> kept;
    for (auto [i, schedule] : llvm::enumerate(schedules)) {
      std::string reason;
      if (i + 1 == schedules.size() ||
          isAdmitted(kernel, schedule, target, reason)) {
        kept.push_back(schedule);
        if (!isa<kernel::GuardedAttr>(schedule))
          break;
        continue;
      }
      StringRef route =
          cast<kernel::ScheduleAttrInterface>(schedule).getRoute();
      remark::missed(kernel.getLoc(),
                     remark::RemarkOpts::name("route").category("schedule"))
          << (kernel.getSymName() + " leaves the " + route + " route: " + reason)
                 .str();
      kernel->setAttr(kernel::kMissedAttr,
                      StringAttr::get(&getContext(), reason));
    }
    kernel.setSchedulesAttr(ArrayAttr::get(&getContext(), kept));
  }
};
} // namespace
