// The passes over one row, or over a vector of rows, of a kernel with
// reductions: what does not depend on the order of the loops around them.
#ifndef TESSERA_TARGET_CPU_ROWPASSES_H
#define TESSERA_TARGET_CPU_ROWPASSES_H

#include "lib/Target/CPU/Rows/RowStages.h"

namespace tessera::cpu {

/// Rows that are computed together: one, or as many as there are lanes, side by
/// side along the last dimension.
struct RowGroup {
  /// For each dimension of the space the index; null for reduced ones.
  llvm::SmallVector<mlir::Value> indices;
  int64_t lanes = 1;
  mlir::Value mask;
  /// What is known of these rows: the results of finished passes and the values
  /// that are the same within a row.
  struct Known {
    mlir::Value tensor;
    ElementEmitter::Source source;
    bool isLinear = false;
  };
  llvm::SmallVector<Known> known;
};

class RowPasses {
public:
  using State = llvm::SmallVector<mlir::Value>;

  RowPasses(RowKernel &rows, const RowStages &stages)
      : rows(rows), stages(stages) {}

  /// Puts what passes store, and no output's row can hold, on the stack: at most
  /// 64 KiB, `columns` elements for each set of reduced indices. What does not
  /// fit is computed again.
  void allocateScratch(mlir::OpBuilder &builder, int64_t columns);

  /// Emits what pass `number` needs once for each row.
  mlir::LogicalResult begin(mlir::OpBuilder &builder, RowGroup &group,
                            int64_t number);

  /// Neutral accumulators of the pass's reductions.
  State start(mlir::OpBuilder &builder, int64_t number, int64_t lanes);

  /// Emits what the pass computes from the elements at `place` (all dimensions
  /// of the space): stores, and the accumulators after them.
  mlir::FailureOr<State> step(mlir::OpBuilder &builder, const RowGroup &group,
                              int64_t number, const LanePlace &place,
                              mlir::ValueRange state);

  State merge(mlir::OpBuilder &builder, int64_t number, mlir::ValueRange a,
              mlir::ValueRange b);

  /// Emits the pass over `ranges` of the reduced dimensions, of which the last is
  /// read by steps of `stepElements`. `body` takes accumulators, one set of the
  /// pass's or several, through a part of the ranges. Where sums are long the parts
  /// are blocks (see Combiner), whose results are joined in totals:
  ///
  ///   sum over [0, 300) x [0, 40)  ==>  t = 0
  ///                                     for block [i, i + 1) x [0, 40):
  ///                                       t += sum over the block
  mlir::FailureOr<State> emitBlocks(
      mlir::OpBuilder &builder, int64_t number,
      mlir::ArrayRef<IndexRange> ranges, int64_t stepElements,
      mlir::ValueRange start,
      llvm::function_ref<mlir::FailureOr<State>(
          mlir::OpBuilder &, mlir::ArrayRef<IndexRange>, mlir::ValueRange)>
          body);

  /// Accumulators of any number of sets as totals.
  State widen(mlir::OpBuilder &builder, int64_t number,
              mlir::ValueRange state);

  /// Takes the accumulators at the end of the pass as the results of its
  /// reductions.
  mlir::LogicalResult finish(mlir::OpBuilder &builder, RowGroup &group,
                             int64_t number, mlir::ValueRange state);

  /// Stores the outputs that have one element for each row.
  mlir::LogicalResult storeRowOutputs(mlir::OpBuilder &builder,
                                      RowGroup &group);

  /// Joins lanes, which have elements of one row.
  State acrossLanes(mlir::OpBuilder &builder, int64_t number,
                    mlir::ValueRange state);

  bool isEmpty(int64_t number) const;

  /// From now on, if everything is elementwise and several dimensions are
  /// reduced, the elements of a row are read by position: `indices` in calls of
  /// `step` is that in the row which `setRow` gave, counted from its first
  /// element's.
  void readLinearly();
  bool isLinear() const { return linear; }
  void flattenOutputs(mlir::OpBuilder &builder);
  void setRow(mlir::Value firstPosition) { rowStart = firstPosition; }

private:
  /// Number of accumulators of one set.
  size_t setWidth(int64_t number) const;
  /// Where the elements at `indices` of a stored value are.
  struct Place {
    mlir::Value memref;
    llvm::SmallVector<mlir::Value> indices;
  };
  std::optional<Place> placeOf(mlir::OpBuilder &builder,
                               const StoredRow &stored,
                               mlir::ArrayRef<mlir::Value> indices);
  void bindKnown(const RowGroup &group);
  void bindStored(int64_t number, mlir::ArrayRef<mlir::Value> indices,
                  int64_t lanes, mlir::Value mask);
  /// The elements of a value of the rows; `dimensions`: those of the space.
  mlir::FailureOr<mlir::Value> emitOfRows(mlir::OpBuilder &builder,
                                          const RowGroup &group,
                                          mlir::Value value,
                                          mlir::ArrayRef<int64_t> dimensions);
  void know(RowGroup &group, mlir::Value tensor,
            mlir::ArrayRef<int64_t> dimensions, mlir::Value value);
  mlir::Value indicesOf(mlir::OpBuilder &builder, const Combiner &combiner,
                        mlir::Value first, int64_t lanes);
  RowKernel &rows;
  const RowStages &stages;
  /// Broadcasts of a value of the rows.
  llvm::SmallVector<mlir::Value> repetitionsOf(mlir::Value value);
  mlir::Value outputMemref(int64_t number);

  bool linear = false;
  mlir::Value rowStart;
  llvm::SmallVector<mlir::Value> flatOutputs;
  llvm::DenseMap<mlir::Value, mlir::Value> scratch;
  int64_t scratchColumns = 0;
};

/// Kernels whose reductions include the last dimension: lanes lie along the
/// rows.
mlir::LogicalResult emitRowReductions(RowKernel &rows, mlir::OpBuilder &builder,
                                      const RowStages &stages);

/// Kernels whose reductions keep the last dimension: lanes lie across the rows.
mlir::LogicalResult emitColumnReductions(RowKernel &rows,
                                         mlir::OpBuilder &builder,
                                         const RowStages &stages);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_ROWPASSES_H
