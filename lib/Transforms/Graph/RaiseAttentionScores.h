// What lies between softmax and the product of queries and keys.
#ifndef TESSERA_LIB_TRANSFORMS_GRAPH_RAISEATTENTIONSCORES_H
#define TESSERA_LIB_TRANSFORMS_GRAPH_RAISEATTENTIONSCORES_H

#include "lib/Transforms/Graph/RaiseAttentionAxes.h"

#include "llvm/ADT/SetVector.h"

#include <optional>
#include <string>

namespace tessera {

/// Where a match ended and why.
struct AttentionMiss {
  mlir::Operation *op = nullptr;
  std::string reason;
};

/// An operand of the scores with its axes.
struct ScoreOperand {
  mlir::Value value;
  AxisLabels labels;
  /// Of a bias: the factor that it is multiplied with.
  double factor = 1;
  /// Of a mask: whether true hides a key.
  bool inverted = false;
  /// Of a bias: the value where a condition `value` is false (with `inverted`:
  /// true), 0 elsewhere; for a selection of a score or a very low number.
  std::optional<double> elseValue;
};

/// A factor of the scores that is known at run time only: a scalar tensor, or,
/// with `labels`, one of the scores' dimensions, as of a scale for each head.
struct ScoreFactor {
  mlir::Value value;
  bool divides;
  AxisLabels labels;
  mlir::Operation *op;
};

/// The scores as softmax sees them, in terms of a contraction.
struct Scores {
  double scale = 1;
  std::optional<double> softcap;
  /// The number below which the sum of scores and biases is raised to it. It is so
  /// low that only rows of nothing but hidden keys change: -inf becomes a number.
  std::optional<double> floor;
  llvm::SmallVector<ScoreOperand> biases, masks;
  llvm::SmallVector<ScoreFactor> factors;
  /// The product of queries and keys, and the axes of its result.
  mlir::linalg::LinalgOp product;
  AxisLabels labels;
};

/// If `value` has one element only, or repeats one: a tensor of that element.
mlir::Value scalarTensor(mlir::Value value);

/// Whether `op` is a product of two tensors summed into zeros.
bool isPlainContraction(mlir::Operation *op);

/// Walks from `value`, the input of softmax with axes `labels`, to the product.
/// `path` receives the operations passed. Fails at the edge that `miss` names.
mlir::FailureOr<Scores> matchScores(mlir::Value value, AxisLabels labels,
                                    AxisMap &axes,
                                    llvm::SetVector<mlir::Operation *> &path,
                                    AttentionMiss &miss);

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_GRAPH_RAISEATTENTIONSCORES_H
