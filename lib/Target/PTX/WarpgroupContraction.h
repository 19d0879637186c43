// Matrix products for Hopper's warpgroup matrix unit (wgmma, sm_90a).
#ifndef TESSERA_TARGET_PTX_WARPGROUPCONTRACTION_H
#define TESSERA_TARGET_PTX_WARPGROUPCONTRACTION_H

#include "lib/Target/PTX/ContractionKernel.h"

namespace tessera::ptx {

/// Shared memory that a thread block may use on sm_90, bytes.
constexpr int64_t kMaxSharedBytes = 227 * 1024;

/// Dynamic shared memory of the kernel that emitWarpgroupContraction builds for
/// `schedule` and 2-byte operands: the ring, the epilogue's buffers, barriers.
int64_t sharedMemoryBytes(kernel::WarpgroupContractionAttr schedule);

/// Builds `kernel`, inside the gpu.module that `b` points into, as one persistent
/// device function:
///
/// - One thread of warpgroup 0 walks the block's tiles and copies `depth` deep
///   slices of both operands into a ring of `stages` stages by tensor copies.
/// - The `consumers` other warpgroups own `rows / consumers` rows of the tile
///   each, accumulate in f32 registers by wgmma and give the stage back one
///   step later, when the hardware has read it. With `pingPong` two of them take
///   whole tiles in turn, so that the epilogue of one runs beside the products
///   of the other.
/// - The epilogue is the kernel body from the product to the yielded value,
///   emitted on accumulator fragments; the result goes by stmatrix into swizzled
///   shared memory and from there by a tensor copy into the output, which clips
///   ragged edges. Edges of the operands read zero.
///
/// Tiles are visited column by column inside groups of `rasterRows` row tiles,
/// so that blocks running together share operands in the L2 cache.
///
/// The device function takes the tensor maps of a, b and the output, then the
/// addresses of the epilogue's inputs, then the symbols; its `kernel.device_launch`
/// attribute says so. Rows of the operands and the output must be a multiple of
/// 16 bytes and the contracted dimension at least 1: the host checks both when
/// it encodes the tensor maps.
///
/// Fails as checkWarpgroupContraction does.
mlir::LogicalResult
emitWarpgroupContraction(mlir::OpBuilder &b, kernel::FuncOp kernel,
                         kernel::WarpgroupContractionAttr schedule);

/// Whether `kernel` can be built by `schedule`; emits nothing. Fails as
/// readContractionKernel does, with a diagnostic at the kernel if the schedule does
/// not fit the device, or at the operation of the epilogue that has no element form.
mlir::LogicalResult
checkWarpgroupContraction(kernel::FuncOp kernel,
                          kernel::WarpgroupContractionAttr schedule);

} // namespace tessera::ptx

#endif // TESSERA_TARGET_PTX_WARPGROUPCONTRACTION_H
