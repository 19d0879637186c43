// The order of the PTX passes.
#include "lib/Target/PTX/Passes.h"

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace tessera::ptx {

void buildPtxPipeline(OpPassManager &manager) {
  manager.addPass(createEmitKernels());
  OpPassManager &device = manager.nest<gpu::GPUModuleOp>();
  // Builders repeat index arithmetic and element values freely.
  device.addPass(createCanonicalizerPass());
  device.addPass(createCSEPass());
  device.addPass(createLowerDeviceModules());
  device.addPass(createCSEPass());
  manager.addPass(createToText());
}

void registerPtxPipeline() {
  PassPipelineRegistration<> pipeline(
      "ptx-pipeline", "Turn scheduled kernel.funcs into a gpu.binary of PTX",
      [](OpPassManager &manager) { buildPtxPipeline(manager); });
}

} // namespace tessera::ptx
