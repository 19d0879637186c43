// The route of what no other one takes: loops from linalg.
#include "lib/CostModel/RowSchedule.h"
#include "lib/Target/CPU/Generic/GenericKernel.h"
#include "lib/Target/CPU/Routes.h"

using namespace mlir;
using namespace tessera;

namespace {

class GenericRoute : public cpu::CpuRoute {
public:
  bool takes(kernel::ScheduleAttrInterface schedule) const override {
    return isa<kernel::GenericAttr>(schedule);
  }

  SmallVector<kernel::ScheduleAttrInterface>
  candidates(kernel::FuncOp kernel, const Machine &,
             std::string &) const override {
    return {kernel::GenericAttr::get(kernel.getContext())};
  }

  /// Kernels that need intermediates are taken apart by kernel-split-generic.
  bool admits(kernel::FuncOp, kernel::ScheduleAttrInterface,
              std::string &) const override {
    return true;
  }

  /// One element at a time.
  double estimateSeconds(kernel::FuncOp kernel, kernel::ScheduleAttrInterface,
                         const Machine &machine) const override {
    return loopIterationsOf(kernel) * rowWorkOf(kernel, /*lanes=*/1).cycles /
           machine.gigahertz * 1e-9;
  }

  SmallVector<Feature>
  features(kernel::FuncOp kernel,
           kernel::ScheduleAttrInterface) const override {
    return {{"iterations", loopIterationsOf(kernel)},
            {"cyclesPerIteration", rowWorkOf(kernel, /*lanes=*/1).cycles}};
  }

  bool readsStrides() const override { return false; }

  LogicalResult emit(kernel::FuncOp kernel, kernel::ScheduleAttrInterface,
                     func::FuncOp function) const override {
    return cpu::emitGenericKernel(kernel, function);
  }
};

} // namespace

std::unique_ptr<cpu::CpuRoute> cpu::createGenericRoute() {
  return std::make_unique<GenericRoute>();
}
