// Products of swizzled shared-memory slices by wgmma.
#ifndef TESSERA_TARGET_PTX_WARPGROUPPRODUCT_H
#define TESSERA_TARGET_PTX_WARPGROUPPRODUCT_H

#include "lib/Target/PTX/DeviceBuilder.h"

namespace tessera::ptx {

/// 2-byte elements in a row of the 128-byte swizzle.
constexpr int64_t kSwizzleColumns = 64;

/// One consumer warpgroup's share of the product of a slice of a, [rows, depth],
/// and a slice of b, [columns, depth] or [depth, columns], both in shared memory
/// as boxes that are 64 elements wide and 128-byte swizzled.
class WarpgroupProduct {
public:
  struct Slices {
    mlir::Value shared;   // a's slice in stage 0, 1024-byte aligned
    mlir::Value firstRow; // of this warpgroup in the tile, i32
    int64_t sliceA;       // bytes, to b's slice
    int64_t rows, columns, depth;
    int64_t fragments; // of 64 rows, for this warpgroup
    bool isDepthInner; // b is [columns, depth]
    mlir::Type operandType;
  };

  /// Emits the matrix descriptors of stage 0 at the builder's place.
  WarpgroupProduct(DeviceBuilder &b, const Slices &slices);

  /// One struct of columns / 2 f32 for each fragment, without values.
  llvm::SmallVector<mlir::Value>
  undefinedAccumulators(DeviceBuilder &b) const;

  /// Issues the products of the stage `stageOffset` bytes (i32) after the first,
  /// as one wgmma group, into `accumulators`, which it replaces. With
  /// `overwrite` their former values do not count.
  void issue(DeviceBuilder &b, mlir::Value stageOffset,
             llvm::SmallVectorImpl<mlir::Value> &accumulators,
             bool overwrite) const;

  /// Waits for all groups and replaces `accumulators` by values that exist only
  /// after the wait, so that no use can move above it.
  void complete(DeviceBuilder &b,
                llvm::SmallVectorImpl<mlir::Value> &accumulators) const;

private:
  mlir::LLVM::LLVMStructType accumulatorType(DeviceBuilder &b) const;

  Slices slices;
  mlir::Value descriptorA, descriptorB; // i64
};

} // namespace tessera::ptx

#endif // TESSERA_TARGET_PTX_WARPGROUPPRODUCT_H
