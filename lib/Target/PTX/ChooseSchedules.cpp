// Schedules for an sm_90a device by the root of each kernel.
#include "lib/Target/PTX/Passes.h"

#include "dialects/Interfaces/Contraction.h"
#include "dialects/Kernel/IR/Kernel.h"

namespace tessera::ptx {
#define GEN_PASS_DEF_CHOOSESCHEDULES
#include "lib/Target/PTX/Passes.h.inc"
} // namespace tessera::ptx

using namespace mlir;

namespace tessera::ptx {

static constexpr int64_t kAccessBytes = 16;
/// Threads of an elementwise block, and 16-byte accesses in flight for each.
static constexpr int64_t kElementwiseThreads = 256, kElementwiseUnroll = 2;

static bool hasContraction(kernel::FuncOp kernel) {
  return llvm::any_of(kernel.getBody().front(), [](Operation &op) {
    return isa<linalg::LinalgOp>(op) && isContraction(&op);
  });
}

/// Nothing in the kernel combines different elements of one tensor.
static bool isElementwise(kernel::FuncOp kernel) {
  return llvm::none_of(kernel.getBody().front(), [](Operation &op) {
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    return linalgOp && linalgOp.getNumReductionLoops() > 0;
  });
}

/// Elements in 16 bytes of the narrowest tensor element type of at least a byte.
static int64_t accessLanes(kernel::FuncOp kernel) {
  int64_t lanes = 1;
  for (Type type : kernel.getArgumentTypes())
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      if (unsigned bits = tensor.getElementTypeBitWidth(); bits >= 8)
        lanes = std::max<int64_t>(lanes, kAccessBytes * 8 / bits);
  return lanes;
}

namespace {
struct ChooseSchedules : impl::ChooseSchedulesBase<ChooseSchedules> {
  using ChooseSchedulesBase::ChooseSchedulesBase;

  void runOnOperation() override {
    MLIRContext *context = &getContext();
    auto emitError = [&] {
      return mlir::emitError(getOperation().getLoc())
             << "'ptx-choose-schedules' options: ";
    };
    auto contraction = kernel::WarpgroupContractionAttr::getChecked(
        emitError, context, rows.getValue(), columns.getValue(),
        depth.getValue(), stages.getValue(), consumers.getValue(),
        rasterRows.getValue(), pingPong.getValue());
    if (!contraction)
      return signalPassFailure();
    for (auto kernel : getOperation().getOps<kernel::FuncOp>()) {
      Attribute schedule;
      if (hasContraction(kernel)) {
        schedule = contraction;
      } else if (isElementwise(kernel)) {
        int64_t lanes = accessLanes(kernel);
        schedule = kernel::RowsAttr::get(context, lanes, kElementwiseUnroll,
                                         lanes * kElementwiseUnroll *
                                             kElementwiseThreads);
      } else {
        continue;
      }
      kernel.setSchedulesAttr(ArrayAttr::get(context, schedule));
    }
  }
};
} // namespace

} // namespace tessera::ptx
