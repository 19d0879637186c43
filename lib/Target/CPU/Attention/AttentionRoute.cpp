// The route of attention.
#include "lib/CostModel/AttentionSchedule.h"
#include "lib/CostModel/AttentionShapes.h"
#include "lib/Target/CPU/Attention/AttentionBuilder.h"
#include "lib/Target/CPU/Routes.h"

using namespace mlir;
using namespace tessera;

namespace {

class AttentionRoute : public cpu::CpuRoute {
public:
  bool takes(kernel::ScheduleAttrInterface schedule) const override {
    return isa<kernel::AttentionAttr>(schedule);
  }

  SmallVector<kernel::ScheduleAttrInterface>
  candidates(kernel::FuncOp kernel, const Machine &machine,
             std::string &reason) const override {
    std::optional<AttentionShape> shape = attentionShapeOf(kernel);
    if (!shape)
      return {};
    if (std::optional<kernel::AttentionAttr> schedule =
            chooseAttentionSchedule(kernel.getContext(), *shape, machine))
      return {*schedule};
    reason = "a head is too long for the scratch of a task";
    return {};
  }

  bool admits(kernel::FuncOp kernel, kernel::ScheduleAttrInterface schedule,
              std::string &reason) const override {
    std::optional<std::string> refusal =
        firstDiagnostic(kernel.getContext(), [&] {
          return cpu::checkAttentionKernel(
              kernel, cast<kernel::AttentionAttr>(schedule));
        });
    reason = refusal.value_or("");
    return !refusal;
  }

  double estimateSeconds(kernel::FuncOp kernel,
                         kernel::ScheduleAttrInterface schedule,
                         const Machine &machine) const override {
    return estimateAttentionCycles(*attentionShapeOf(kernel),
                                   cast<kernel::AttentionAttr>(schedule),
                                   machine) /
           machine.gigahertz * 1e-9;
  }

  SmallVector<Feature>
  features(kernel::FuncOp kernel,
           kernel::ScheduleAttrInterface) const override {
    AttentionShape shape = *attentionShapeOf(kernel);
    double heads = shape.heads, rows = shape.rows, keys = shape.keys;
    return {{"flops", 2 * heads * rows * keys * (shape.headDim + shape.valueDim)},
            {"heads", heads},
            {"rows", rows},
            {"keys", keys},
            {"headDim", double(shape.headDim)},
            {"valueDim", double(shape.valueDim)}};
  }

  LogicalResult emit(kernel::FuncOp kernel,
                     kernel::ScheduleAttrInterface schedule,
                     func::FuncOp function) const override {
    return cpu::emitAttentionKernel(
        kernel, cast<kernel::AttentionAttr>(schedule), function);
  }
};

} // namespace

std::unique_ptr<cpu::CpuRoute> cpu::createAttentionRoute() {
  return std::make_unique<AttentionRoute>();
}
