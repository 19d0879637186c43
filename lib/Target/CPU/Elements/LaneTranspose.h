// Blocks of elements that are transposed in registers.
#ifndef TESSERA_TARGET_CPU_LANETRANSPOSE_H
#define TESSERA_TARGET_CPU_LANETRANSPOSE_H

#include "mlir/IR/Builders.h"

namespace tessera::cpu {

/// Masks of the two shuffles (a, b) of a round of distance `distance`: each takes
/// blocks of that many lanes in turn from a and b, the low or the high ones.
std::pair<llvm::SmallVector<int64_t>, llvm::SmallVector<int64_t>>
exchangeOfDistance(int64_t lanes, int64_t distance);

/// Transposes `rows`, as many vectors as they have lanes, a power of two. Elements of
/// 32 bits by shuffles that are one instruction each: blocks of 4 x 4 within 128 bits,
/// then the blocks among each other.
///
///   a0 a1 ..      a0 b0 ..
///   b0 b1 ..  ==> a1 b1 ..
void transposeLanes(mlir::OpBuilder &builder, mlir::Location loc,
                    mlir::MutableArrayRef<mlir::Value> rows);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_LANETRANSPOSE_H
