// Which kernels the row emitter takes.
#ifndef TESSERA_TARGET_CPU_ROWCHECK_H
#define TESSERA_TARGET_CPU_ROWCHECK_H

#include "dialects/Kernel/IR/Kernel.h"

namespace tessera::cpu {

/// Fails with a diagnostic at the operation that has no row form.
mlir::LogicalResult checkRowKernel(kernel::FuncOp kernel);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_ROWCHECK_H
