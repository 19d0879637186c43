// Normalised expressions of sizes: which tensors' dimensions are equal, and what
// a size is in terms of the model's named sizes.
//
// A size is an affine (or semi-affine: products and quotients of symbols)
// expression over symbols. Symbol i stands for `symbols()[i]`: a named size of the
// module, an index argument of a kernel, or an index value or tensor dimension
// that the analysis cannot look through. Two sizes are equal when the difference
// of their expressions simplifies to zero:
//
//   %n = graph.size @seq                      s0
//   %m = arith.muli %n, %c2                   s0 * 2
//   tensor.empty(%m) : tensor<?x4xf32>        (s0 * 2, 4)
//   tensor.collapse_shape of it               (s0 * 8)
//
// Nothing is stored in the IR; build the analysis where it is needed.
#ifndef TESSERA_DIALECTS_GRAPH_IR_SIZEANALYSIS_H
#define TESSERA_DIALECTS_GRAPH_IR_SIZEANALYSIS_H

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/BuiltinAttributes.h"
#include "mlir/IR/Value.h"
#include "llvm/ADT/DenseMap.h"
#include "llvm/ADT/SmallVector.h"

namespace mlir {
class OpBuilder;
} // namespace mlir

namespace tessera::graph {

class SizeAnalysis {
public:
  explicit SizeAnalysis(mlir::MLIRContext *context) : context(context) {}

  /// What a symbol of the expressions stands for.
  struct Symbol {
    /// The `graph.symbol`, or null.
    mlir::FlatSymbolRefAttr name;
    /// Where there is no name: an index (or integer) value, or a tensor with
    /// `dimension`.
    mlir::Value value;
    int64_t dimension = -1;
  };

  /// Expression of an index or integer value.
  mlir::AffineExpr sizeOf(mlir::Value value);

  /// Expression of dimension `dimension` of a ranked tensor.
  mlir::AffineExpr dimOf(mlir::Value tensor, int64_t dimension);

  /// Expressions of all dimensions of a ranked tensor.
  llvm::SmallVector<mlir::AffineExpr> dimsOf(mlir::Value tensor);

  /// Expression of an attribute or value.
  mlir::AffineExpr sizeOf(mlir::OpFoldResult size);

  /// Whether two expressions are proven equal.
  bool areEqual(mlir::AffineExpr a, mlir::AffineExpr b);

  /// Whether both tensors are proven to have the same sizes.
  bool haveSameSizes(mlir::Value a, mlir::Value b);

  /// Expression of the number of elements.
  mlir::AffineExpr elementCountOf(mlir::Value tensor);

  /// Emits the value of `expression`: a constant, `graph.size`, `tensor.dim` and
  /// `arith` operations on them. The symbols' values must dominate the builder's
  /// insertion point.
  mlir::OpFoldResult materialize(mlir::OpBuilder &builder, mlir::Location loc,
                                 mlir::AffineExpr expression);

  llvm::ArrayRef<Symbol> symbols() const { return symbolList; }

private:
  mlir::AffineExpr symbolFor(mlir::FlatSymbolRefAttr name);
  mlir::AffineExpr opaque(mlir::Value value, int64_t dimension = -1);
  mlir::AffineExpr computeSize(mlir::Value value);
  mlir::AffineExpr computeDim(mlir::Value tensor, int64_t dimension);
  mlir::AffineExpr argumentDim(mlir::BlockArgument argument, int64_t dimension);
  mlir::AffineExpr simplify(mlir::AffineExpr expression);

  mlir::MLIRContext *context;
  llvm::SmallVector<Symbol> symbolList;
  llvm::DenseMap<mlir::Attribute, unsigned> namedSymbols;
  llvm::DenseMap<std::pair<mlir::Value, int64_t>, mlir::AffineExpr> known;
};

} // namespace tessera::graph

#endif // TESSERA_DIALECTS_GRAPH_IR_SIZEANALYSIS_H
