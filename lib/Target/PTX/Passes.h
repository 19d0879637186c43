// Passes and the pipeline from kernel.func to PTX text.
#ifndef TESSERA_TARGET_PTX_PASSES_H
#define TESSERA_TARGET_PTX_PASSES_H

#include "mlir/Dialect/GPU/IR/GPUDialect.h"
#include "mlir/Pass/Pass.h"

namespace tessera::ptx {

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "lib/Target/PTX/Passes.h.inc"

/// Adds the passes from scheduled kernel.funcs to gpu.binary.
void buildPtxPipeline(mlir::OpPassManager &manager);

/// Registers that pipeline as `ptx-pipeline`.
void registerPtxPipeline();

/// Writes the PTX text of the module's gpu.binary operations, as ptx-to-text
/// made them. Fails with a diagnostic if there is none.
mlir::LogicalResult printPtx(mlir::ModuleOp module, llvm::raw_ostream &os);

/// Writes what the host needs to launch the kernels of the module's gpu.binary
/// operations, as a JSON object by kernel name: `threads`, `shared_bytes`,
/// `output`, `tile_rows`, `tile_columns`, `blocks_per_processor` and
/// `parameters` (see KernelLaunch.h).
mlir::LogicalResult printLaunches(mlir::ModuleOp module, llvm::raw_ostream &os);

} // namespace tessera::ptx

#endif // TESSERA_TARGET_PTX_PASSES_H
