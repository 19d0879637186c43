// Writes schedules for kernels that have none.
#include "lib/Transforms/Kernel/Passes.h"

#include "dialects/Kernel/IR/MissedRoute.h"
#include "lib/CostModel/KernelRoute.h"
#include "lib/CostModel/ModuleMachine.h"

#include "mlir/IR/Remarks.h"

namespace tessera {
#define GEN_PASS_DEF_CHOOSESCHEDULES
#include "lib/Transforms/Kernel/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

/// A schedule as a line: what it is, its estimate, what that is made from, and whether
/// the kernel fits it.
static std::string describe(const KernelRoute &route, kernel::FuncOp kernel,
                            kernel::ScheduleAttrInterface schedule,
                            const Machine &machine) {
  std::string text, reason;
  llvm::raw_string_ostream stream(text);
  stream << kernel.getSymName() << " by " << schedule
         << llvm::format(": %.3g us; ",
                         1e6 * route.estimateSeconds(kernel, schedule, machine));
  llvm::interleaveComma(
      route.features(kernel, schedule), stream, [&](const Feature &feature) {
        stream << feature.name << llvm::format(" %.6g", feature.value);
      });
  if (!route.admits(kernel, schedule, reason))
    stream << "; not admitted: " << reason;
  return text;
}

namespace {

struct ChooseSchedules : tessera::impl::ChooseSchedulesBase<ChooseSchedules> {
  using ChooseSchedulesBase::ChooseSchedulesBase;

  void runOnOperation() override {
    routes = routesOf(&getContext(), target);
    if (routes.empty()) {
      getOperation().emitError("no routes of a target '" + target + "'");
      return signalPassFailure();
    }
    FailureOr<Machine> machine = Machine();
    if (llvm::any_of(routes, [](const KernelRoute *route) {
          return route->needsMachine();
        }))
      machine = machineOf(getOperation());
    if (failed(machine))
      return signalPassFailure();
    for (auto kernel : getOperation().getOps<kernel::FuncOp>())
      if (kernel.getSchedules().empty())
        choose(kernel, *machine);
  }

  /// The best schedule of the first route that has one, and of the last route.
  void choose(kernel::FuncOp kernel, const Machine &machine) {
    SmallVector<Attribute> schedules;
    for (const KernelRoute *route : routes) {
      bool isLast = route == routes.back();
      std::string reason;
      SmallVector<kernel::ScheduleAttrInterface> candidates =
          route->candidates(kernel, machine, reason);
      if (listsCandidates)
        for (kernel::ScheduleAttrInterface schedule : candidates)
          remark::analysis(
              kernel.getLoc(),
              remark::RemarkOpts::name("candidate").category("schedule"))
              << describe(*route, kernel, schedule, machine);
      if (!candidates.empty() && (schedules.empty() || isLast))
        append(schedules, candidates);
      if (reason.empty())
        continue;
      // The route is meant for the kernel: no other special one is.
      kernel->setAttr(kernel::kMissedAttr,
                      StringAttr::get(&getContext(), reason));
      llvm::append_range(schedules, ArrayRef(routes.back()->candidates(
                                        kernel, machine, reason))
                                        .take_front(1));
      break;
    }
    kernel.setSchedulesAttr(ArrayAttr::get(&getContext(), schedules));
  }

  /// Adds the best of `candidates`: of those that need no unit, too, where the best one
  /// does, as a system may refuse it.
  void append(SmallVectorImpl<Attribute> &schedules,
              ArrayRef<kernel::ScheduleAttrInterface> candidates) {
    kernel::ScheduleAttrInterface best = candidates.front();
    kernel::Unit unit = best.getUnit();
    if (unit == kernel::Unit::None) {
      schedules.push_back(best);
      return;
    }
    schedules.push_back(
        kernel::GuardedAttr::get(&getContext(), /*condition=*/{}, unit, best));
    const auto *plain = llvm::find_if(
        candidates, [](kernel::ScheduleAttrInterface schedule) {
          return schedule.getUnit() == kernel::Unit::None;
        });
    if (plain != candidates.end())
      schedules.push_back(*plain);
  }

  SmallVector<const KernelRoute *> routes;
};

} // namespace
