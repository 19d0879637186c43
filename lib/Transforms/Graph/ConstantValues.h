// Values of small constant tensors, for passes that compute with them.
#ifndef TESSERA_LIB_TRANSFORMS_GRAPH_CONSTANTVALUES_H
#define TESSERA_LIB_TRANSFORMS_GRAPH_CONSTANTVALUES_H

#include "dialects/Graph/IR/Graph.h"

#include "mlir/IR/BuiltinAttributes.h"
#include "llvm/ADT/DenseMap.h"

namespace tessera {

/// Computes tensors of up to `kMostElements` elements that follow from constants
/// and weights by reshapes and elementwise operations with folders. Runs the
/// recipes of weights; a file that cannot be read gives no value: who writes the
/// artifact reports it.
class ConstantValues {
public:
  explicit ConstantValues(mlir::SymbolTable &symbols) : symbols(symbols) {}

  /// Vectors of channels are far below this; a kernel that computes more at run
  /// time is cheap next to what reads it.
  static constexpr int64_t kMostElements = 64 << 10;

  /// The elements of `value`, or null when they are not known. Values are kept:
  /// operations must not change below them.
  mlir::DenseElementsAttr of(mlir::Value value);

private:
  mlir::DenseElementsAttr compute(mlir::Operation *op);
  mlir::DenseElementsAttr read(graph::WeightsOp weights);

  mlir::SymbolTable &symbols;
  llvm::DenseMap<mlir::Value, mlir::DenseElementsAttr> known;
};

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_GRAPH_CONSTANTVALUES_H
