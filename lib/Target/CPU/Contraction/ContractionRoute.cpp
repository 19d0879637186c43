// The route of matrix products and convolutions.
#include "lib/CostModel/ContractionSchedule.h"
#include "lib/CostModel/ContractionShapes.h"
#include "lib/Target/CPU/Contraction/ContractionBuilder.h"
#include "lib/Target/CPU/Routes.h"

using namespace mlir;
using namespace tessera;

namespace {

class ContractionRoute : public cpu::CpuRoute {
public:
  bool takes(kernel::ScheduleAttrInterface schedule) const override {
    return isa<kernel::ContractionAttr>(schedule);
  }

  SmallVector<kernel::ScheduleAttrInterface>
  candidates(kernel::FuncOp kernel, const Machine &machine,
             std::string &) const override {
    std::optional<ContractionShape> shape = contractionShapeOf(kernel);
    if (!shape)
      return {};
    return contractionCandidates(kernel.getContext(), *shape, machine);
  }

  bool admits(kernel::FuncOp kernel, kernel::ScheduleAttrInterface,
              std::string &reason) const override {
    std::optional<std::string> refusal = firstDiagnostic(
        kernel.getContext(), [&] { return cpu::checkContractionKernel(kernel); });
    reason = refusal.value_or("");
    return !refusal;
  }

  double estimateSeconds(kernel::FuncOp kernel,
                         kernel::ScheduleAttrInterface schedule,
                         const Machine &machine) const override {
    auto contraction = cast<kernel::ContractionAttr>(schedule);
    return estimateContractionCycles(*contractionShapeOf(kernel),
                                     contraction.getRows(),
                                     contraction.getVectors(), machine) /
           machine.gigahertz * 1e-9;
  }

  SmallVector<Feature>
  features(kernel::FuncOp kernel,
           kernel::ScheduleAttrInterface) const override {
    ContractionShape shape = *contractionShapeOf(kernel);
    double outer = shape.outer, rows = shape.rows, columns = shape.columns,
           depth = shape.depth;
    return {{"flops", 2 * outer * rows * columns * depth},
            {"outer", outer},
            {"rows", rows},
            {"columns", columns},
            {"depth", depth},
            {"rowStrideBytes", double(shape.rowStrideBytes)},
            {"panelWidth", double(shape.panelWidth)},
            {"isWindowed", double(shape.isWindowed)},
            {"isDepthwise", double(shape.isDepthwise)}};
  }

  LogicalResult emit(kernel::FuncOp kernel,
                     kernel::ScheduleAttrInterface schedule,
                     func::FuncOp function) const override {
    return cpu::emitContractionKernel(
        kernel, cast<kernel::ContractionAttr>(schedule), function);
  }
};

} // namespace

std::unique_ptr<cpu::CpuRoute> cpu::createContractionRoute() {
  return std::make_unique<ContractionRoute>();
}
