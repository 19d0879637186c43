// Kernels of elementwise work, data movement and reductions over the same rows.
#ifndef TESSERA_TARGET_CPU_ROWEMITTER_H
#define TESSERA_TARGET_CPU_ROWEMITTER_H

#include "dialects/Kernel/IR/Kernel.h"

namespace mlir::func {
class FuncOp;
} // namespace mlir::func

namespace tessera::cpu {

/// Writes the body of `function` (context pointer, a memref for each tensor
/// argument of `kernel`, an index for each of its symbols; its block ends in
/// func.return). f16 and bf16 reductions accumulate in f32. Tasks and the order of
/// additions depend on sizes only. May change the kernel's body. Fails with a
/// diagnostic at the operation that has no row form, where checkRowKernel does.
mlir::LogicalResult emitRowKernel(kernel::FuncOp kernel,
                                  kernel::RowsAttr schedule,
                                  mlir::func::FuncOp function);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_ROWEMITTER_H
