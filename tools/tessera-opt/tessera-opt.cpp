// tessera-opt: runs passes and named pipelines on MLIR text, for tests and for
// people who read what a pass does.
#include "dialects/Graph/Conversion/Passes.h"
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Kernel/IR/Kernel.h"
#include "lib/Target/CPU/Passes.h"
#include "lib/Transforms/Buffer/Passes.h"
#include "lib/Transforms/Graph/Passes.h"
#include "lib/Transforms/Kernel/Passes.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"

int main(int argc, char **argv) {
  mlir::registerAllPasses();
  tessera::graph::registerGraphConversionPasses();
  tessera::registerGraphTransformsPasses();
  tessera::registerKernelTransformsPasses();
  tessera::registerBufferTransformsPasses();
  tessera::cpu::registerTargetCPUPasses();
  mlir::DialectRegistry registry;
  mlir::registerAllDialects(registry);
  mlir::registerAllExtensions(registry);
  registry.insert<tessera::graph::GraphDialect, tessera::kernel::KernelDialect>();
  return mlir::asMainReturnCode(
      mlir::MlirOptMain(argc, argv, "Tessera pass driver\n", registry));
}
