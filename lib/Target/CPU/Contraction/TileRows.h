// How rows are cut into register tiles.
#ifndef TESSERA_TARGET_CPU_TILEROWS_H
#define TESSERA_TARGET_CPU_TILEROWS_H

#include "mlir/IR/Builders.h"

namespace tessera::cpu {

/// Row counts of the tiles that `rows` rows are cut into: `tileRows` each, but
/// the last tile and a remainder share their rows evenly (13 = 7 + 6 for 12).
llvm::SmallVector<int64_t> cutRows(int64_t rows, int64_t tileRows);

/// Row counts of the tiles of `rows` rows (may be dynamic) that are cut into equal
/// blocks of at most `mostRows`, in whole tiles.
llvm::SmallVector<int64_t> tileRowCounts(int64_t rows, int64_t mostRows,
                                         int64_t tileRows);

/// Emits `body` once for each of `cases`, the values that `rows` can have.
mlir::LogicalResult
forEachRowCount(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value rows,
                mlir::ArrayRef<int64_t> cases,
                llvm::function_ref<mlir::LogicalResult(int64_t rows)> body);

/// Rows [first, first + count), in tiles of `tileRows`.
struct RowRange {
  mlir::Value first, count;
  int64_t tileRows;
};

/// Emits a loop over the tiles of `range`, cut as by cutRows, and in it `body`
/// once for each of `cases`, the row counts that tiles can have. `body` emits at
/// `builder`, for a tile of `rows` rows from `row` on.
mlir::LogicalResult
forEachRowTile(mlir::OpBuilder &builder, mlir::Location loc,
               const RowRange &range, mlir::ArrayRef<int64_t> cases,
               llvm::function_ref<mlir::LogicalResult(int64_t rows,
                                                      mlir::Value row)>
                   body);

/// As forEachRowTile, but what full tiles leave is cut into powers of two, each
/// emitted once: a fraction of the code for all counts (1 + 2 + 4 + 8 rows, not 1
/// to 13), but what all rows read is read by up to three tiles more. `restDivisor`,
/// which divides `tileRows`, is known to divide what is left.
mlir::LogicalResult forEachRowTileOfFewCounts(
    mlir::OpBuilder &builder, mlir::Location loc, const RowRange &range,
    int64_t restDivisor,
    llvm::function_ref<mlir::LogicalResult(int64_t rows, mlir::Value row)>
        body);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_TILEROWS_H
