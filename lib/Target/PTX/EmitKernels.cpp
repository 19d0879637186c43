// kernel.func to device kernels, by the builder that the schedule names.
#include "lib/Target/PTX/Passes.h"

#include "dialects/Kernel/IR/Kernel.h"
#include "lib/Target/PTX/ElementwiseKernel.h"
#include "lib/Target/PTX/WarpgroupContraction.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"

namespace tessera::ptx {
#define GEN_PASS_DEF_EMITKERNELS
#include "lib/Target/PTX/Passes.h.inc"
} // namespace tessera::ptx

using namespace mlir;

namespace tessera::ptx {

static constexpr llvm::StringLiteral kDeviceModule = "device";

static LogicalResult emitKernel(OpBuilder &builder, kernel::FuncOp kernel) {
  Attribute schedule = kernel.getSchedule();
  if (auto rows = dyn_cast<kernel::RowsAttr>(schedule))
    return emitElementwiseKernel(builder, kernel, rows);
  FailureOr<ContractionKernel> match = readContractionKernel(kernel);
  if (failed(match))
    return failure();
  return emitWarpgroupContraction(
      builder, *match, cast<kernel::WarpgroupContractionAttr>(schedule));
}

namespace {
struct EmitKernels : impl::EmitKernelsBase<EmitKernels> {
  void runOnOperation() override {
    SmallVector<kernel::FuncOp> kernels;
    for (auto kernel : getOperation().getOps<kernel::FuncOp>())
      if (isa_and_nonnull<kernel::RowsAttr, kernel::WarpgroupContractionAttr>(
              kernel.getSchedule()))
        kernels.push_back(kernel);
    if (kernels.empty())
      return;
    OpBuilder builder = OpBuilder::atBlockEnd(getOperation().getBody());
    auto module = gpu::GPUModuleOp::create(builder, getOperation().getLoc(),
                                           kDeviceModule);
    for (kernel::FuncOp kernel : kernels) {
      builder.setInsertionPointToEnd(module.getBody());
      if (failed(emitKernel(builder, kernel)))
        return signalPassFailure();
    }
  }
};
} // namespace

} // namespace tessera::ptx
