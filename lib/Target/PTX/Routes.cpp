// Registration of the PTX target's routes.
#include "lib/Target/PTX/Routes.h"

#include "lib/CostModel/TypicalSizes.h"

using namespace mlir;
using namespace tessera;

double ptx::argumentBytes(kernel::FuncOp kernel) {
  TypicalSizes sizes(kernel);
  double bytes = 0;
  for (BlockArgument argument : kernel.getBody().front().getArguments()) {
    auto type = dyn_cast<RankedTensorType>(argument.getType());
    if (!type)
      continue;
    double elements = 1;
    for (int64_t dimension = 0; dimension < type.getRank(); ++dimension)
      elements *= sizes.of(argument, dimension);
    bytes += elements * llvm::divideCeil(type.getElementTypeBitWidth(), 8);
  }
  return bytes;
}

void ptx::registerRoutes(DialectRegistry &registry) {
  registry.addExtension(
      +[](MLIRContext *, kernel::KernelDialect *dialect) {
        auto &routes = KernelRoutes::of(dialect, kTarget);
        if (!routes.empty())
          return;
        routes.push_back(createWarpgroupRoute());
        routes.push_back(createElementwiseRoute());
      });
}
