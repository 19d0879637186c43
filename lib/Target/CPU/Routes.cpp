// Registration of the CPU target's routes.
#include "lib/Target/CPU/Routes.h"

using namespace mlir;
using namespace tessera;

void cpu::registerRoutes(DialectRegistry &registry) {
  registry.addExtension(
      +[](MLIRContext *, kernel::KernelDialect *dialect) {
        auto &routes = KernelRoutes::of(dialect, kTarget);
        if (!routes.empty())
          return;
        routes.push_back(createContractionRoute());
        routes.push_back(createAttentionRoute());
        routes.push_back(createRowRoute());
        routes.push_back(createGenericRoute());
      });
}
