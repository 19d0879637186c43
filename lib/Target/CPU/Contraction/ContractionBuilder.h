// Kernels for matrix products and convolutions: a tile of the result in
// registers, column panels of one operand, rows of the other.
#ifndef TESSERA_TARGET_CPU_CONTRACTIONBUILDER_H
#define TESSERA_TARGET_CPU_CONTRACTIONBUILDER_H

#include "dialects/Kernel/IR/Kernel.h"

namespace mlir::func {
class FuncOp;
} // namespace mlir::func

namespace tessera::cpu {

/// Writes the body of `function` (context pointer, a memref for each tensor
/// argument of `kernel`, an index for each of its symbols; its block ends in
/// func.return) for a kernel whose schedule is #kernel.contraction. Accumulates
/// in f32. Fails with a diagnostic at the kernel or its root when there is no
/// root this builder knows.
mlir::LogicalResult emitContractionKernel(kernel::FuncOp kernel,
                                          mlir::func::FuncOp function);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_CONTRACTIONBUILDER_H
