// The stages of a kernel with reductions: what each pass over the rows computes.
//
// All reductions of such a kernel remove the same dimensions of tensors of the
// same sizes, the iteration space. A row is what one set of the kept indices
// selects. The level of a value is the number of reductions on the longest way
// to it; the pass of number n can compute values of level n, because the
// reductions below are then finished:
//
//   %m = max %x                 pass 0: max
//   %e = exp(%x - %m)           level 1
//   %s = sum %e                 pass 1: sum, and e is stored
//   %r = 1 / %s                 once a row, before pass 2
//   yield %e * %r               pass 2: output
//
// A pass stores what is costly and wanted by a later pass, in the row of an
// output or in scratch, and outputs that it computes anyway.
#ifndef TESSERA_TARGET_CPU_ROWSTAGES_H
#define TESSERA_TARGET_CPU_ROWSTAGES_H

#include "lib/Target/CPU/Rows/RowCombiner.h"
#include "lib/Target/CPU/Rows/RowKernel.h"

namespace tessera::cpu {

struct RowReduction {
  mlir::Value input, result;
  Combiner combiner;
};

/// A value of the body that a pass stores and later passes load.
struct StoredRow {
  mlir::Value value;
  /// The output whose row holds it; -1: scratch.
  int64_t output = -1;
};

struct RowPass {
  llvm::SmallVector<RowReduction> reductions;
  /// Numbers of the outputs that this pass stores.
  llvm::SmallVector<int64_t> outputs;
  llvm::SmallVector<StoredRow> stored;
};

/// A value that is the same for all elements of a row: the source of a broadcast
/// along the reduced dimensions.
struct RowValue {
  mlir::Value value;
  int64_t level;
};

struct RowStages {
  /// A tensor of the iteration space's sizes.
  mlir::Value space;
  llvm::SmallVector<int64_t> kept, reduced;
  llvm::SmallVector<RowPass> passes;
  llvm::SmallVector<RowValue> rowValues;
  /// The broadcasts along rows.
  llvm::SmallVector<mlir::Value> repetitions;
  /// Outputs with one element for each row, and outputs that have nothing to do
  /// with the reductions.
  llvm::SmallVector<int64_t> rowOutputs, otherOutputs;

  int64_t rank() const { return kept.size() + reduced.size(); }
  bool isReduced(int64_t dimension) const {
    return llvm::is_contained(reduced, dimension);
  }
  bool reducesLast() const { return isReduced(rank() - 1); }
  /// Whether a row is contiguous: all dimensions from the first reduced one on
  /// are reduced, or 1.
  bool hasContiguousRows() const;
  /// Whether lanes lie along the rows, and not across.
  bool hasLanesAlongRows() const {
    return reducesLast() || hasContiguousRows();
  }

  /// The dimension of the space that dimension `dimension` of a row value is;
  /// `ofRank` is its rank: all dimensions, or the kept ones only.
  int64_t spaceDimension(int64_t ofRank, int64_t dimension) const;
};

/// Whether the kernel has reductions.
bool hasReductions(kernel::FuncOp kernel);

/// Replaces linalg.softmax by its two reductions. f16 and bf16 are computed in
/// f32; a row of -inf gives NaN, as in ONNX.
void expandSoftmax(kernel::FuncOp kernel);

/// The stages of the kernel; fails with a diagnostic where its reductions do not
/// fit together.
mlir::FailureOr<RowStages> findStages(kernel::FuncOp kernel);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_ROWSTAGES_H
