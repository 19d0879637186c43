// The route of kernels that compute each element on its own.
#include "lib/Target/PTX/ElementwiseKernel.h"
#include "lib/Target/PTX/Routes.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"

using namespace mlir;
using namespace tessera;

namespace {

constexpr int64_t kAccessBytes = 16;
/// Threads of a block, and accesses of 16 bytes in flight for each.
constexpr int64_t kThreads = 256, kUnroll = 2;

/// Nothing in the kernel combines different elements of one tensor.
bool isElementwise(kernel::FuncOp kernel) {
  return llvm::none_of(kernel.getBody().front(), [](Operation &op) {
    auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
    return linalgOp && linalgOp.getNumReductionLoops() > 0;
  });
}

/// Elements in 16 bytes of the narrowest tensor element type of at least a byte.
int64_t accessLanes(kernel::FuncOp kernel) {
  int64_t lanes = 1;
  for (Type type : kernel.getArgumentTypes())
    if (auto tensor = dyn_cast<RankedTensorType>(type))
      if (unsigned bits = tensor.getElementTypeBitWidth(); bits >= 8)
        lanes = std::max<int64_t>(lanes, kAccessBytes * 8 / bits);
  return lanes;
}

class ElementwiseRoute : public ptx::PtxRoute {
public:
  bool takes(kernel::ScheduleAttrInterface schedule) const override {
    return isa<kernel::RowsAttr>(schedule);
  }

  SmallVector<kernel::ScheduleAttrInterface>
  candidates(kernel::FuncOp kernel, const Machine &,
             std::string &) const override {
    if (!isElementwise(kernel))
      return {};
    int64_t lanes = accessLanes(kernel);
    return {kernel::RowsAttr::get(kernel.getContext(), lanes, kUnroll,
                                  lanes * kUnroll * kThreads)};
  }

  bool admits(kernel::FuncOp kernel, kernel::ScheduleAttrInterface schedule,
              std::string &reason) const override {
    std::optional<std::string> refusal = firstDiagnostic(
        kernel.getContext(), [&] {
          return ptx::checkElementwiseKernel(kernel,
                                             cast<kernel::RowsAttr>(schedule));
        });
    reason = refusal.value_or("");
    return !refusal;
  }

  double estimateSeconds(kernel::FuncOp kernel, kernel::ScheduleAttrInterface,
                         const Machine &) const override {
    return ptx::argumentBytes(kernel) / ptx::kBytesPerSecond;
  }

  SmallVector<Feature>
  features(kernel::FuncOp kernel,
           kernel::ScheduleAttrInterface) const override {
    return {{"bytes", ptx::argumentBytes(kernel)}};
  }

  LogicalResult emit(OpBuilder &builder, kernel::FuncOp kernel,
                     kernel::ScheduleAttrInterface schedule) const override {
    return ptx::emitElementwiseKernel(builder, kernel,
                                      cast<kernel::RowsAttr>(schedule));
  }
};

} // namespace

std::unique_ptr<ptx::PtxRoute> ptx::createElementwiseRoute() {
  return std::make_unique<ElementwiseRoute>();
}
