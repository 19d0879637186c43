// The registry of the targets' routes.
#include "lib/CostModel/KernelRoute.h"

using namespace mlir;
using namespace tessera;

KernelRoute::~KernelRoute() = default;

SmallVectorImpl<std::unique_ptr<KernelRoute>> &
KernelRoutes::of(kernel::KernelDialect *dialect, StringRef target) {
  auto *routes = dialect->getRegisteredInterface<KernelRoutes>();
  if (!routes)
    routes = &dialect->addInterface<KernelRoutes>();
  return const_cast<KernelRoutes *>(routes)->routes[target];
}

SmallVector<const KernelRoute *> tessera::routesOf(MLIRContext *context,
                                                   StringRef target) {
  SmallVector<const KernelRoute *> routes;
  auto *dialect = context->getLoadedDialect<kernel::KernelDialect>();
  if (!dialect || !dialect->getRegisteredInterface<KernelRoutes>())
    return routes;
  for (const std::unique_ptr<KernelRoute> &route :
       KernelRoutes::of(dialect, target))
    routes.push_back(route.get());
  return routes;
}

const KernelRoute *
tessera::routeFor(StringRef target, kernel::ScheduleAttrInterface schedule) {
  if (auto guarded = dyn_cast<kernel::GuardedAttr>(schedule))
    schedule = guarded.getSchedule();
  for (const KernelRoute *route : routesOf(schedule.getContext(), target))
    if (route->takes(schedule))
      return route;
  return nullptr;
}

std::optional<std::string>
tessera::firstDiagnostic(MLIRContext *context,
                         function_ref<LogicalResult()> check) {
  std::string reason;
  ScopedDiagnosticHandler handler(context, [&](Diagnostic &diagnostic) {
    if (reason.empty())
      reason = diagnostic.str();
    return success();
  });
  if (succeeded(check()))
    return std::nullopt;
  return reason;
}
