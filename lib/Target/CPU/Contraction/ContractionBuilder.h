// Kernels for matrix products and convolutions: a tile of the result in
// registers, column panels of one operand, rows of the other.
#ifndef TESSERA_TARGET_CPU_CONTRACTIONBUILDER_H
#define TESSERA_TARGET_CPU_CONTRACTIONBUILDER_H

#include "dialects/Kernel/IR/Kernel.h"

namespace mlir::func {
class FuncOp;
} // namespace mlir::func

namespace tessera::cpu {

/// Whether the builder takes `kernel`; fails with a diagnostic at the kernel or its
/// root.
mlir::LogicalResult checkContractionKernel(kernel::FuncOp kernel);

/// Writes the body of `function` (context pointer, a memref for each tensor
/// argument of `kernel`, an index for each of its symbols; its block ends in
/// func.return). Accumulates in f32. Fails as checkContractionKernel does.
mlir::LogicalResult emitContractionKernel(kernel::FuncOp kernel,
                                          kernel::ContractionAttr schedule,
                                          mlir::func::FuncOp function);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_CONTRACTIONBUILDER_H
