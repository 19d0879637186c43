// Whether kernels are equal but for their names.
#ifndef TESSERA_TRANSFORMS_KERNEL_IDENTICALKERNELS_H
#define TESSERA_TRANSFORMS_KERNEL_IDENTICALKERNELS_H

#include "dialects/Kernel/IR/Kernel.h"

namespace tessera {

/// Equal for kernels that are identical; which values the operands are is left
/// to the comparison.
llvm::hash_code hashOfKernel(kernel::FuncOp kernel);

/// Whether the kernels have the same body and attributes; names and locations do
/// not count.
bool areIdenticalKernels(kernel::FuncOp a, kernel::FuncOp b);

} // namespace tessera

#endif // TESSERA_TRANSFORMS_KERNEL_IDENTICALKERNELS_H
