// Axes of the tensors around an attention, followed through what only maps
// indices.
//
// An axis is a run of numbers (batch, heads, queries, keys, ...). Each dimension of
// a tensor is a list of axes, the last one fastest; a dimension of size 1 has none.
// Going back through a transpose permutes the lists, through a reshape cuts and
// joins them; a reshape that cuts through an axis splits it into parts for all
// tensors:
//
//   probabilities        [x, q, k]      x is batch and heads in one
//   before the collapse  [b, h, q, k]   from now on x is (b, h) everywhere
//
// Bringing any of these tensors into another order of axes then needs no knowledge
// of what the exporter wrote.
#ifndef TESSERA_LIB_TRANSFORMS_GRAPH_RAISEATTENTIONAXES_H
#define TESSERA_LIB_TRANSFORMS_GRAPH_RAISEATTENTIONAXES_H

#include "dialects/Graph/IR/SizeAnalysis.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/Builders.h"

namespace tessera {

/// Numbers of axes, slowest first.
using AxisList = llvm::SmallVector<unsigned, 2>;

/// The axes of each dimension of a tensor.
using AxisLabels = llvm::SmallVector<AxisList, 4>;

/// `value` broadcast to `shape`.
mlir::Value createBroadcast(mlir::OpBuilder &builder, mlir::Value value,
                            llvm::ArrayRef<mlir::AffineExpr> shape,
                            graph::SizeAnalysis &sizes);

class AxisMap {
public:
  explicit AxisMap(graph::SizeAnalysis &sizes) : sizes(sizes) {}

  /// A new axis of this size; none for the size 1.
  AxisList add(mlir::AffineExpr size);

  /// The parts that axes have been split into.
  AxisList resolve(llvm::ArrayRef<unsigned> axes) const;
  AxisLabels resolveLabels(llvm::ArrayRef<AxisList> labels) const;

  /// Forgets all axes.
  void reset() { axes.clear(); }

  /// All axes of `labels`, resolved, in order.
  AxisList all(llvm::ArrayRef<AxisList> labels) const;

  mlir::AffineExpr sizeOf(llvm::ArrayRef<unsigned> axes) const;

  /// Goes from `value`, whose dimensions are `labels`, to the operand of the
  /// operation that only maps its indices: a transpose, reshape, type cast, or a
  /// broadcast. Axes that a broadcast repeats are absent below it; with
  /// `allowRepeats` false only broadcasts proven to repeat nothing are passed.
  /// Axes are split only with `allowSplits`. Returns false, and changes nothing,
  /// at any other operation.
  bool stepBack(mlir::Value &value, AxisLabels &labels, bool allowSplits,
                bool allowRepeats);

  /// `value`, whose dimensions are `from`, with the dimensions `to`, of all whose
  /// axes it has some or none: dimensions of which it has none get size 1, or with
  /// `repeat` are broadcast like missing parts of others.
  mlir::Value relayout(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value value, llvm::ArrayRef<AxisList> from,
                       llvm::ArrayRef<AxisList> to, bool repeat);

private:
  struct Axis {
    mlir::AffineExpr size;
    AxisList parts;
  };

  /// The axes of dimensions of `dims` sizes that hold the elements of `axes` in
  /// order; none if that is not proven.
  std::optional<AxisLabels> distribute(AxisList axes,
                                       llvm::ArrayRef<mlir::AffineExpr> dims,
                                       bool allowSplits);
  bool stepThroughReshape(
      llvm::ArrayRef<mlir::ReassociationIndices> groups, mlir::Value source,
      AxisLabels &labels, bool allowSplits);
  bool stepThroughBroadcast(mlir::Value source, mlir::Value result,
                            AxisLabels &labels, bool allowRepeats);

  mlir::Value expand(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value value,
                     llvm::ArrayRef<mlir::ReassociationIndices> groups,
                     llvm::ArrayRef<mlir::AffineExpr> shape);

  graph::SizeAnalysis &sizes;
  llvm::SmallVector<Axis> axes;
};

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_GRAPH_RAISEATTENTIONAXES_H
