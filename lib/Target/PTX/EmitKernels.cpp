// kernel.func to device kernels, by the route that takes its schedule.
#include "lib/Target/PTX/Passes.h"

#include "dialects/Kernel/IR/Kernel.h"
#include "lib/Target/PTX/Routes.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

namespace tessera::ptx {
#define GEN_PASS_DEF_EMITKERNELS
#include "lib/Target/PTX/Passes.h.inc"
} // namespace tessera::ptx

using namespace mlir;

namespace tessera::ptx {

static constexpr llvm::StringLiteral kDeviceModule = "device";

namespace {
struct EmitKernels : impl::EmitKernelsBase<EmitKernels> {
  void runOnOperation() override {
    SmallVector<std::pair<kernel::FuncOp, const PtxRoute *>> kernels;
    for (auto kernel : getOperation().getOps<kernel::FuncOp>())
      if (kernel::ScheduleAttrInterface schedule = kernel.getSchedule())
        if (const KernelRoute *route = routeFor(kTarget, schedule))
          // All routes of this target emit.
          kernels.push_back({kernel, static_cast<const PtxRoute *>(route)});
    if (kernels.empty())
      return;
    OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
    auto module = gpu::GPUModuleOp::create(builder, getOperation().getLoc(),
                                           kDeviceModule);
    for (auto [kernel, route] : kernels) {
      builder.setInsertionPointToEnd(module.getBody());
      if (failed(route->emit(builder, kernel, kernel.getSchedule())))
        return signalPassFailure();
    }
  }
};
} // namespace

} // namespace tessera::ptx
