// Kernels for attention: a running softmax over blocks of keys, so that no buffer
// of queries x keys arises.
#ifndef TESSERA_TARGET_CPU_ATTENTIONBUILDER_H
#define TESSERA_TARGET_CPU_ATTENTIONBUILDER_H

#include "dialects/Kernel/IR/Kernel.h"

namespace mlir::func {
class FuncOp;
} // namespace mlir::func

namespace tessera::cpu {

/// Whether the builder takes `kernel` by `schedule`; fails with a diagnostic at the
/// kernel or its root where there is no attention.sdpa, it has a part that the builder
/// lacks, or its scratch does not fit a task.
mlir::LogicalResult checkAttentionKernel(kernel::FuncOp kernel,
                                         kernel::AttentionAttr schedule);

/// Writes the body of `function` (context pointer, a memref for each tensor
/// argument of `kernel`, an index for each of its symbols; its block ends in
/// func.return). Computes in f32. Fails as checkAttentionKernel does.
mlir::LogicalResult emitAttentionKernel(kernel::FuncOp kernel,
                                        kernel::AttentionAttr schedule,
                                        mlir::func::FuncOp function);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_ATTENTIONBUILDER_H
