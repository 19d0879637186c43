/// Broadcasting, reshaping and transposing, with sizes as expressions.
#ifndef TESSERA_IMPORTER_ONNX_SHAPING_H
#define TESSERA_IMPORTER_ONNX_SHAPING_H

#include "lib/Importer/Onnx/NodeContext.h"

#include <optional>

namespace tessera::onnx_importer {

/// The size if it is known.
std::optional<int64_t> constantOf(mlir::AffineExpr size);

/// The shape that ONNX's broadcasting (NumPy's rules) gives `shapes` together;
/// fails with a report if two known sizes contradict. Where no expression
/// proves two sizes equal the result is the one that is not 1, found at run
/// time.
mlir::FailureOr<Shape> broadcastShapes(NodeContext &node,
                                       llvm::ArrayRef<Shape> shapes);

/// `tensor` in `shape`, to which it broadcasts: itself if its sizes are proven
/// to be these, else a `graph.broadcast_to`, which checks at run time what is
/// not proven.
mlir::FailureOr<mlir::Value> broadcastTo(NodeContext &node, mlir::Value tensor,
                                         const Shape &shape);

/// Makes sure that a tensor of `from` broadcasts to `to`, of as many dimensions
/// or more: each size is 1 or the same.
mlir::LogicalResult requireBroadcasts(NodeContext &node, const Shape &from,
                                      const Shape &to);

/// Makes sure that inputs `a` and `b` have one shape, but for dimension `except`.
mlir::LogicalResult requireSameSizes(NodeContext &node, unsigned a, unsigned b,
                                     int64_t except = -1);

/// Makes sure that `tensor`, which `what` describes, has the sizes `shape` that
/// the node's other inputs and attributes say.
mlir::LogicalResult requireShape(NodeContext &node, mlir::Value tensor,
                                 const Shape &shape, const llvm::Twine &what);

/// Brings all tensors to their common shape.
mlir::LogicalResult
broadcastTogether(NodeContext &node,
                  llvm::SmallVectorImpl<mlir::Value> &tensors);

/// `tensor` in `shape`, row-major. Collapse and expand operations where the
/// expressions prove them, else `graph.reshape`, checked at run time. Fails
/// with a report if the known numbers of elements differ.
mlir::FailureOr<mlir::Value> reshapeTo(NodeContext &node, mlir::Value tensor,
                                       const Shape &shape);

/// Dimension i of the result is `permutation[i]` of `tensor`.
mlir::Value transpose(NodeContext &node, mlir::Value tensor,
                      llvm::ArrayRef<int64_t> permutation);

/// `tensor` with sizes of 1 inserted, so that these `axes` (increasing) of the
/// result are new; and its inverse, where the axes have size 1.
mlir::Value insertUnitDims(NodeContext &node, mlir::Value tensor,
                           llvm::ArrayRef<int64_t> axes);
mlir::Value dropDims(NodeContext &node, mlir::Value tensor,
                     llvm::ArrayRef<int64_t> axes);

/// `size` elements from `offset` on along `axis`, at distance `step`, which the
/// tensor has whatever its sizes are.
mlir::Value sliceWithin(NodeContext &node, mlir::Value tensor, int64_t axis,
                        mlir::AffineExpr offset, mlir::AffineExpr size,
                        int64_t step = 1);

/// `size` elements from `offset`, which is not negative, on along `axis`; an error of
/// the node or of the run where the tensor does not have them.
mlir::Value sliceAlong(NodeContext &node, mlir::Value tensor, int64_t axis,
                       mlir::AffineExpr offset, mlir::AffineExpr size);

/// `low` and `high` elements `fill` around `tensor`, a number for each axis.
mlir::Value padWithConstant(NodeContext &node, mlir::Value tensor,
                            const Shape &low, const Shape &high,
                            mlir::Value fill);

/// The elements of `shape` are their index along `dimension`.
mlir::Value iota(NodeContext &node, const Shape &shape, mlir::Type elementType,
                 int64_t dimension);

/// The larger one of `size` and 0.
mlir::AffineExpr atLeastZero(NodeContext &node, mlir::AffineExpr size);

/// The product of sizes [begin, end) of `shape`.
mlir::AffineExpr productOf(NodeContext &node, llvm::ArrayRef<mlir::AffineExpr>);

} // namespace tessera::onnx_importer

#endif
