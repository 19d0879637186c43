// The pipelines of the CPU target.
#include "lib/Target/CPU/Pipelines.h"
#include "lib/Target/CPU/Passes.h"

#include "mlir/Conversion/AffineToStandard/AffineToStandard.h"
#include "mlir/Conversion/MathToFuncs/MathToFuncs.h"
#include "mlir/Conversion/MathToLLVM/MathToLLVM.h"
#include "mlir/Conversion/MathToLibm/MathToLibm.h"
#include "mlir/Conversion/SCFToControlFlow/SCFToControlFlow.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/MemRef/Transforms/Passes.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Transforms/Passes.h"

using namespace mlir;

namespace tessera::cpu {

void buildLowerToLLVM(OpPassManager &manager,
                      const LowerToLLVMOptions &options) {
  auto &functions = manager.nest<func::FuncOp>();
  functions.addPass(createLowerVectors({options.avx2}));
  functions.addPass(createExpandMath());
  // After LowerVectors, whose contractions leave arithmetic on vectors.
  functions.addPass(createExpandNarrowFloats({options.f16c}));
  // Integer powers become loops in functions of their own.
  manager.addPass(createConvertMathToFuncs());
  auto &lowered = manager.nest<func::FuncOp>();
  // Before lowering affine: leaves address computations in it.
  lowered.addPass(createExpandReshapes());
  lowered.addPass(memref::createExpandStridedMetadataPass());
  lowered.addPass(createLowerAffinePass());
  // After all that makes divisions.
  lowered.addPass(createGuardDivisions());
  lowered.addPass(createCanonicalizerPass());
  lowered.addPass(createCSEPass());
  lowered.addPass(createSCFToControlFlowPass());
  manager.addPass(createLowerEntries());
  // What LLVM has an intrinsic for (math.fma, math.sqrt, ...) is no call; log1p is
  // one, as log(1 + x) loses what is small.
  ConvertMathToLLVMPassOptions math;
  math.approximateLog1p = false;
  manager.addNestedPass<func::FuncOp>(createConvertMathToLLVMPass(math));
  manager.addPass(createConvertMathToLibmPass());
  manager.addPass(createConvertKernelToLLVM());
  // Takes memref descriptors apart: bodies then capture pointers and sizes.
  auto &inLlvm = manager.nest<LLVM::LLVMFuncOp>();
  inLlvm.addPass(createCanonicalizerPass());
  inLlvm.addPass(createCSEPass());
  manager.addPass(createOutlineParallelLoops());
}

void registerPipelines() {
  PassPipelineRegistration<LowerToLLVMOptions>(
      "cpu-lower-to-llvm", "Lower functions on memrefs to the LLVM dialect",
      [](OpPassManager &manager, const LowerToLLVMOptions &options) {
        buildLowerToLLVM(manager, options);
      });
}

} // namespace tessera::cpu
