// The generic route: a kernel as loops made from linalg, for any body. It is
// the fallback of the other routes and the oracle of their tests, so it is
// simple before it is fast: every structured operation becomes one parallel
// loop nest.
#ifndef TESSERA_TARGET_CPU_GENERICKERNEL_H
#define TESSERA_TARGET_CPU_GENERICKERNEL_H

#include "dialects/Kernel/IR/Kernel.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace mlir {
class DialectRegistry;
} // namespace mlir

namespace tessera::cpu {

/// Largest intermediate that a kernel keeps on the stack, in bytes.
constexpr int64_t kStackBytes = 64 * 1024;

/// Fills the body of `function` (context pointer, one memref for each tensor of
/// `kernel`, then its sizes) with loops that compute `kernel`. Rewrites the
/// body of `kernel` on the way. Fails with a diagnostic where an operation has
/// no structured form, or when the kernel needs an intermediate that is not of
/// static size or exceeds kStackBytes (kernel-split-generic takes such kernels
/// apart).
mlir::LogicalResult emitGenericKernel(kernel::FuncOp kernel,
                                      mlir::func::FuncOp function);

/// Registers the bufferization interfaces that the generic route needs.
void registerGenericKernelInterfaces(mlir::DialectRegistry &registry);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_GENERICKERNEL_H
