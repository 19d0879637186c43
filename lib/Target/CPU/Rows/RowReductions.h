// Reductions along the last dimension: lanes lie along the rows.
//
// Tasks are whole rows. Each pass goes once over the row in strips of `unroll`
// vectors, each with its own accumulators, which are joined as a balanced tree
// at the end of the pass:
//
//   y = x - mean(x)  ==>  for each row i of the task:
//                           a0..a3 = 0
//                           for j in steps of 4 vectors:     pass 0
//                             ak += x[i, j + k * lanes ..]
//                           m = across lanes((a0 + a1) + (a2 + a3)) / n
//                           for j in steps of 4 vectors:     pass 1
//                             y[i, j ..] = x[i, j ..] - m
//
// Where everything is elementwise, several reduced dimensions are read as one, by
// row-major position.
#ifndef TESSERA_TARGET_CPU_ROWREDUCTIONS_H
#define TESSERA_TARGET_CPU_ROWREDUCTIONS_H

#include "lib/Target/CPU/Rows/RowPasses.h"

namespace tessera::cpu {

class RowReductions {
public:
  /// `sizes`: of the space.
  RowReductions(RowKernel &rows, const RowStages &stages,
                mlir::ArrayRef<mlir::Value> sizes)
      : rows(rows), stages(stages), passes(rows, stages), sizes(sizes) {}

  /// Whether lanes can lie along the rows: they end in a dimension that is
  /// longer than 1, or can be read by position.
  bool readsRows();

  mlir::LogicalResult emit(mlir::OpBuilder &builder);

protected:
  mlir::Location loc() { return rows.loc; }
  llvm::SmallVector<mlir::Value> sizesOf(mlir::ArrayRef<int64_t> dimensions) {
    return llvm::map_to_vector(dimensions,
                               [&](int64_t d) { return sizes[d]; });
  }

  /// `last`: the number of rows.
  mlir::LogicalResult emitRow(mlir::OpBuilder &builder, mlir::Value row,
                              mlir::Value last);

  /// The pass over the reduced dimensions, of which the first goes over `first`: its
  /// accumulators, joined across lanes.
  mlir::FailureOr<RowPasses::State> emitPass(mlir::OpBuilder &builder,
                                             const RowGroup &group,
                                             int64_t number, IndexRange first);

  RowKernel &rows;
  const RowStages &stages;
  RowPasses passes;
  llvm::SmallVector<mlir::Value> sizes;

private:
  /// The pass over `ranges` of the reduced dimensions behind those that `indices`
  /// has indices of.
  mlir::FailureOr<RowPasses::State>
  emitRanges(mlir::OpBuilder &builder, const RowGroup &group, int64_t number,
             mlir::ArrayRef<mlir::Value> indices,
             mlir::ArrayRef<IndexRange> ranges);
  /// Brings the elements at `column` and what follows in a vector, of the row
  /// `ahead`, near: of all tensors of the space that are loaded or stored.
  void prefetch(mlir::OpBuilder &builder, mlir::Value column, int64_t vector);

  /// Indices of the row that the first pass prefetches; empty: none.
  llvm::SmallVector<mlir::Value> ahead;
  /// The arguments that have the sizes of the space.
  llvm::SmallVector<int64_t> prefetched;
};

/// Few rows, each of which is split into parts for several threads.
mlir::LogicalResult emitLongRows(RowKernel &rows, mlir::OpBuilder &builder,
                                 const RowStages &stages,
                                 mlir::ArrayRef<mlir::Value> sizes);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_ROWREDUCTIONS_H
