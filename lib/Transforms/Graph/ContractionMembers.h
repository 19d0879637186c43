// Contractions of one operand that may become one: their weights, what follows
// them column by column, and who reads the results.
#ifndef TESSERA_LIB_TRANSFORMS_GRAPH_CONTRACTIONMEMBERS_H
#define TESSERA_LIB_TRANSFORMS_GRAPH_CONTRACTIONMEMBERS_H

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace tessera {

/// A contraction [rows..., K] x [K, N] with a weight, and what follows it
/// column by column.
struct ContractionMember {
  mlir::linalg::LinalgOp product;
  graph::WeightOp weight;
  mlir::tensor::EmptyOp destination;
  /// Elementwise operations on the product and vectors of columns; null: this
  /// member has no such step, but others add something.
  llvm::SmallVector<mlir::Operation *> steps;

  /// `op` as a member without steps, if it is such a contraction.
  static std::optional<ContractionMember> of(mlir::linalg::LinalgOp op);

  mlir::Value lhs() { return product.getDpsInputs()[0]; }
  int64_t columns() { return destination.getType().getShape().back(); }
  /// What the last step gives.
  mlir::Value result();
  /// The next step: the only user of the result, if it is such an operation.
  mlir::Operation *next();
  /// The operand of step `step` that is no result of the product; null if none.
  mlir::Value vectorOf(unsigned step);
  /// Whether both can be columns of one contraction.
  bool isLike(ContractionMember &other);
};

/// What a value of a product's shape repeats in each row: a weight of `columns`
/// elements or a splat. Null if it is none.
mlir::Value repeatedVector(mlir::Value value, int64_t columns);

/// Adds a step that all members take; false if there is none. One that adds a
/// vector may be missing: x + -0.0 is x.
bool extend(llvm::MutableArrayRef<ContractionMember> members);

/// Whether only kernels that map indices read `value`: attention, joins, and
/// elementwise work or reductions of a split or transposed view. What reads the
/// value as it is would have been computed in the product's kernel.
bool isReadInParts(mlir::Value value);

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_GRAPH_CONTRACTIONMEMBERS_H
