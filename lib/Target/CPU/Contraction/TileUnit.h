// The instructions of the tile unit (AMX): tiles of 16 rows of 64 bytes, and no other
// shape, because a register has one shape in a function.
#ifndef TESSERA_TARGET_CPU_TILEUNIT_H
#define TESSERA_TARGET_CPU_TILEUNIT_H

#include "mlir/IR/Builders.h"

namespace tessera::cpu {

/// Rows of a tile, and bytes of one of its rows.
constexpr int64_t kTileRows = 16, kTileRowBytes = 64;

/// Where the rows of a tile are: `address` in bytes, an index, and bytes from one row
/// to the next.
struct TileAddress {
  mlir::Value address, rowBytes;
};

/// The address of an element of `memref`, in bytes, as an index.
mlir::Value addressOf(mlir::OpBuilder &builder, mlir::Location loc,
                      mlir::Value memref, mlir::ArrayRef<mlir::Value> indices);

/// Bytes from an element of `memref` to the next one of `dimension`.
mlir::Value strideBytes(mlir::OpBuilder &builder, mlir::Location loc,
                        mlir::Value memref, int64_t dimension);

/// A tile of `element`. `isStreamed`: it will not be read again soon, and is to leave
/// what is in the L1 cache there.
mlir::Value loadTile(mlir::OpBuilder &builder, mlir::Location loc,
                     const TileAddress &from, mlir::Type element,
                     bool isStreamed);

/// A tile of 16 x 16 zeros, of f32 or i32.
mlir::Value zeroTile(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Type element);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_TILEUNIT_H
