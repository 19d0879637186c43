// The named pipelines between the IR states: the only place that orders passes
// of several folders.
#ifndef TESSERA_LIB_PIPELINE_PIPELINES_H
#define TESSERA_LIB_PIPELINE_PIPELINES_H

#include "mlir/IR/DialectRegistry.h"
#include "mlir/Pass/PassManager.h"

#include <string>

namespace tessera {

/// What the pipelines depend on.
struct PipelineOptions {
  /// 0: the oracle; 1 and more: raised, folded and fused.
  int optimizationLevel = 3;
  /// What products are computed with: a name of lib/CostModel/Precision.h.
  std::string precision = "highest";
};

/// Raises and folds: from the imported graph to the end of the graph state.
void buildGraphPipeline(mlir::OpPassManager &passes,
                        const PipelineOptions &options);

/// Groups into kernels and chooses their schedules for the module's machine: to the
/// end of the kernel state.
void buildKernelPipeline(mlir::OpPassManager &passes,
                         const PipelineOptions &options);

/// Plans storage: to the end of the buffer state.
void buildBufferPipeline(mlir::OpPassManager &passes,
                         const PipelineOptions &options);

/// Emits the kernels' loops for the CPU; what is left is for the LLVM lowering.
void buildCpuPipeline(mlir::OpPassManager &passes,
                      const PipelineOptions &options);

/// Registers the pipelines as tessera-graph, tessera-kernel, tessera-buffer and
/// tessera-cpu, each with the options opt-level, precision and cpu. Without cpu, tessera-kernel
/// leaves the module its machine or gives it x86-64-v3.
void registerPipelines();

/// All passes of Tessera, by name.
void registerPasses();

/// The dialects that the compiler uses.
void registerDialects(mlir::DialectRegistry &registry);

} // namespace tessera

#endif // TESSERA_LIB_PIPELINE_PIPELINES_H
