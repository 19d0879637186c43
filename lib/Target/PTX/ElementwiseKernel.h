// Kernels that compute each element of their outputs on its own.
#ifndef TESSERA_TARGET_PTX_ELEMENTWISEKERNEL_H
#define TESSERA_TARGET_PTX_ELEMENTWISEKERNEL_H

#include "dialects/Kernel/IR/Kernel.h"

namespace tessera::ptx {

/// Builds `kernel`, inside the gpu.module that `b` points into, as a kernel whose
/// threads compute `lanes` neighbouring elements of `unroll` places at a time,
/// all loads before the first store. A block computes `taskElements` elements
/// and loops over the output with the grid's stride.
///
/// Where no operation of the body maps indices, tensors are taken as flat
/// arrays; otherwise rows are split into chunks of `lanes` columns. Chunks that
/// would be ragged (the end of a flat array; every chunk, where `lanes` does not
/// divide the columns) are computed element by element.
///
/// Fails as checkElementwiseKernel does.
mlir::LogicalResult emitElementwiseKernel(mlir::OpBuilder &b,
                                          kernel::FuncOp kernel,
                                          kernel::RowsAttr schedule);

/// Whether `kernel` can be built by `schedule`; emits nothing. Fails with a
/// diagnostic at the kernel if `taskElements / (lanes * unroll)` is no thread count (a
/// multiple of 32, at most 1024) or outputs differ in shape, or at the operation that
/// has no element form.
mlir::LogicalResult checkElementwiseKernel(kernel::FuncOp kernel,
                                           kernel::RowsAttr schedule);

} // namespace tessera::ptx

#endif // TESSERA_TARGET_PTX_ELEMENTWISEKERNEL_H
