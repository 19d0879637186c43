// The route of matrix products and convolutions.
#include "lib/CostModel/ContractionSchedule.h"
#include "lib/CostModel/ContractionShapes.h"
#include "lib/CostModel/TileSchedule.h"
#include "lib/Target/CPU/Contraction/ContractionBuilder.h"
#include "lib/Target/CPU/Contraction/ContractionMatcher.h"
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
             std::string &reason) const override {
    std::optional<Contraction> product = contractionIn(kernel);
    if (!product)
      return {};
    auto accumulate = chooseMultiplyAccumulate(*product, machine);
    if (!accumulate) {
      reason = "the machine has no multiply-accumulate for the types of its "
               "product";
      return {};
    }
    auto schedules = candidatesBy(*accumulate, *product, kernel, machine);
    if (!kernel::isTiled(*accumulate))
      return schedules;
    auto vectors =
        candidatesBy(vectorsLike(*accumulate), *product, kernel, machine);
    // Rows or panels that must be copied may be too deep for tiles.
    if (!cpu::refusalOfContraction(
             *product, cast<kernel::ContractionAttr>(schedules.front()))
             .empty())
      return vectors;
    // The system may refuse tiles.
    llvm::append_range(schedules, vectors);
    return schedules;
  }

  bool admits(kernel::FuncOp kernel, kernel::ScheduleAttrInterface schedule,
              std::string &reason) const override {
    std::optional<std::string> refusal =
        firstDiagnostic(kernel.getContext(), [&] {
          return cpu::checkContractionKernel(
              kernel, cast<kernel::ContractionAttr>(schedule));
        });
    reason = refusal.value_or("");
    return !refusal;
  }

  double estimateSeconds(kernel::FuncOp kernel,
                         kernel::ScheduleAttrInterface schedule,
                         const Machine &machine) const override {
    auto contraction = cast<kernel::ContractionAttr>(schedule);
    return estimateContractionCycles(shapeFor(kernel, contraction),
                                     contraction.getRows(),
                                     contraction.getVectors(), machine) /
           machine.gigahertz * 1e-9;
  }

  SmallVector<Feature>
  features(kernel::FuncOp kernel,
           kernel::ScheduleAttrInterface schedule) const override {
    ContractionShape shape =
        shapeFor(kernel, cast<kernel::ContractionAttr>(schedule));
    double outer = shape.outer, rows = shape.rows, columns = shape.columns,
           depth = shape.depth;
    return {{"flops", 2 * outer * rows * columns * depth},
            {"outer", outer},
            {"rows", rows},
            {"columns", columns},
            {"depth", depth},
            {"rowStrideBytes", double(shape.rowStrideBytes)},
            {"panelWidth", double(shape.panelWidth)},
            {"stepLength", double(kernel::stepLengthOf(shape.accumulate))},
            {"isWindowed", double(shape.isWindowed)},
            {"isDepthwise", double(shape.isDepthwise)}};
  }

  std::optional<PanelLayout>
  operandLayout(const Contraction &product,
                const Machine &machine) const override {
    auto accumulate = chooseMultiplyAccumulate(product, machine);
    return accumulate ? std::optional(panelLayoutOf(*accumulate))
                      : std::nullopt;
  }

  LogicalResult emit(kernel::FuncOp kernel,
                     kernel::ScheduleAttrInterface schedule,
                     func::FuncOp function) const override {
    return cpu::emitContractionKernel(
        kernel, cast<kernel::ContractionAttr>(schedule), function);
  }

private:
  static SmallVector<kernel::ScheduleAttrInterface>
  candidatesBy(kernel::MultiplyAccumulate accumulate,
               const Contraction &product, kernel::FuncOp kernel,
               const Machine &machine) {
    return contractionCandidates(kernel.getContext(),
                                 shapeOf(product, kernel, accumulate), machine);
  }
  static ContractionShape shapeFor(kernel::FuncOp kernel,
                                   kernel::ContractionAttr schedule) {
    return shapeOf(*contractionIn(kernel), kernel, schedule.getAccumulate());
  }
};

} // namespace

std::unique_ptr<cpu::CpuRoute> cpu::createContractionRoute() {
  return std::make_unique<ContractionRoute>();
}
