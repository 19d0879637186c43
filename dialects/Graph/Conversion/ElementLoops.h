// What the conversions to linalg share: destinations, and loops over all
// elements of a result whose body computes one element from its indices.
#ifndef TESSERA_DIALECTS_GRAPH_CONVERSION_ELEMENTLOOPS_H
#define TESSERA_DIALECTS_GRAPH_CONVERSION_ELEMENTLOOPS_H

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"

namespace tessera::graph {

/// A `tensor.empty` of the sizes that `op` reifies for its only result, with
/// the result's type or its shape and another element type. Fails when the
/// sizes cannot be reified.
mlir::FailureOr<mlir::Value>
createDestination(mlir::OpBuilder &builder,
                  mlir::ReifyRankedShapedTypeOpInterface op,
                  mlir::Type elementType = {});

/// The size of dimension `dimension` as an index value.
mlir::Value createSize(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value tensor, int64_t dimension);

/// Computes the element at `indices`, one value for each dimension.
using ElementBody = llvm::function_ref<mlir::Value(
    mlir::OpBuilder &, mlir::Location, mlir::ArrayRef<mlir::Value> indices)>;

/// A linalg.generic without inputs that gives each element of `destination` the
/// value of `body`.
mlir::Value createElementLoop(mlir::OpBuilder &builder, mlir::Location loc,
                              mlir::Value destination, ElementBody body);

/// The values of linalg.index for `count` loops, at the builder's place in a
/// body.
llvm::SmallVector<mlir::Value> createIndices(mlir::OpBuilder &builder,
                                             mlir::Location loc, int64_t count);

} // namespace tessera::graph

#endif // TESSERA_DIALECTS_GRAPH_CONVERSION_ELEMENTLOOPS_H
