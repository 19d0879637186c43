// tessera-translate: reads compiled kernels out of MLIR text, for tests and for
// people who read generated code.
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Kernel/IR/Kernel.h"
#include "lib/Target/PTX/Passes.h"

#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/InitAllDialects.h"
#include "mlir/Tools/mlir-opt/MlirOptMain.h"
#include "mlir/Tools/mlir-translate/MlirTranslateMain.h"
#include "mlir/Tools/mlir-translate/Translation.h"

static void registerDialects(mlir::DialectRegistry &registry) {
  mlir::registerAllDialects(registry);
  registry
      .insert<tessera::graph::GraphDialect, tessera::kernel::KernelDialect>();
}

int main(int argc, char **argv) {
  mlir::TranslateFromMLIRRegistration ptx(
      "gpu-binary-to-ptx", "print the PTX text of gpu.binary operations",
      [](mlir::Operation *op, llvm::raw_ostream &os) {
        return tessera::ptx::printPtx(mlir::cast<mlir::ModuleOp>(op), os);
      },
      registerDialects);
  mlir::TranslateFromMLIRRegistration launches(
      "gpu-binary-to-launches",
      "print what a host needs to launch gpu.binary kernels, as JSON",
      [](mlir::Operation *op, llvm::raw_ostream &os) {
        return tessera::ptx::printLaunches(mlir::cast<mlir::ModuleOp>(op), os);
      },
      registerDialects);
  return mlir::asMainReturnCode(
      mlir::mlirTranslateMain(argc, argv, "Tessera translation tool\n"));
}
