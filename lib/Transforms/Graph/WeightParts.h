// What is computed from weights and constants alone, as parts with recipes.
#ifndef TESSERA_LIB_TRANSFORMS_GRAPH_WEIGHTPARTS_H
#define TESSERA_LIB_TRANSFORMS_GRAPH_WEIGHTPARTS_H

#include "dialects/Graph/IR/Graph.h"

#include "llvm/ADT/DenseMap.h"

namespace tessera {

/// The recipe step that `op`, on its first operand alone, stands for: a transpose, a
/// reversal, a slice or a reshape. Null if it is none or a number is not known.
mlir::Attribute viewStepOf(mlir::Operation *op);

/// A value that follows from weights and constants.
struct WeightPart {
  /// Null: it does not, or some operation on the way has no recipe step.
  graph::PartAttr part;
  /// Bytes of what it is made of, where each time counts.
  int64_t storedBytes = 0;
  /// Operations on the way.
  int64_t steps = 0;
  /// Whether there are weights, or constants of several numbers, among what it is
  /// made of.
  bool readsWeights = false;

  explicit operator bool() const { return static_cast<bool>(part); }
};

class WeightParts {
public:
  explicit WeightParts(mlir::SymbolTable &symbols) : symbols(symbols) {}

  /// A recipe names an operand again wherever it is used; beyond so many steps it is
  /// no longer read at once.
  static constexpr int64_t kMostSteps = 64;
  /// What would be larger than so many times that which it is made of, an outer product
  /// say, is computed from it in less time than it is read in.
  static constexpr int64_t kMostGrowth = 8;

  /// Values are kept: operations must not change below them.
  WeightPart of(mlir::Value value);

  /// Whether `value` follows from weights of less than a third of its bytes, as
  /// dequantized ones do.
  bool isNarrow(mlir::Value value);

private:
  WeightPart compute(mlir::Operation *op);
  WeightPart joined(mlir::Operation *op);
  WeightPart elementwise(mlir::Operation *op);
  /// The parts of all operands of `op`; none if one is unknown.
  llvm::SmallVector<WeightPart> operandsOf(mlir::Operation *op);

  mlir::SymbolTable &symbols;
  llvm::DenseMap<mlir::Value, WeightPart> known;
};

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_GRAPH_WEIGHTPARTS_H
