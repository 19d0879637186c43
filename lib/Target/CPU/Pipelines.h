// The pipelines of the CPU target.
#ifndef TESSERA_TARGET_CPU_PIPELINES_H
#define TESSERA_TARGET_CPU_PIPELINES_H

#include "mlir/Pass/PassManager.h"
#include "mlir/Pass/PassOptions.h"

namespace tessera::cpu {

struct LowerToLLVMOptions
    : mlir::PassPipelineOptions<LowerToLLVMOptions> {
  Option<bool> avx2{*this, "avx2",
                    llvm::cl::desc("The CPU has AVX2"),
                    llvm::cl::init(true)};
  Option<bool> f16c{*this, "f16c",
                    llvm::cl::desc("The CPU converts between f16 and f32"),
                    llvm::cl::init(true)};
};

/// From the functions on memrefs that cpu-emit-kernels leaves to the LLVM
/// dialect. `kernel.entry` and `graph.weights` stay for the artifact's table.
void buildLowerToLLVM(mlir::OpPassManager &manager,
                      const LowerToLLVMOptions &options = {});

/// Registers `cpu-lower-to-llvm`.
void registerPipelines();

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_PIPELINES_H
