// What the patterns that move transposes share.
#ifndef TESSERA_LIB_TRANSFORMS_GRAPH_TRANSPOSEPATTERNS_H
#define TESSERA_LIB_TRANSFORMS_GRAPH_TRANSPOSEPATTERNS_H

#include "mlir/IR/PatternMatch.h"

namespace tessera {

/// Transpose of `value`: dimension i of the result is permutation[i] of it. A
/// splat constant gives a splat constant.
mlir::Value transposed(mlir::PatternRewriter &rewriter, mlir::Location loc,
                       mlir::Value value, mlir::ArrayRef<int64_t> permutation);

bool isIdentity(mlir::ArrayRef<int64_t> permutation);

/// Whether an operation of the model computes the value: it is no argument,
/// weight or constant.
bool isComputed(mlir::Value value);

/// Whether `value` is a broadcast of far fewer elements, as of a bias: transposes
/// move above it. Below others they move on with the elements: those that repeat
/// each element a few times and those that may be none, which depends on sizes.
bool isNarrowBroadcast(mlir::Value value);

/// Patterns that move transposes below operations that only move elements:
/// collapse, expand, concat, pad, slice, gather, wide broadcasts.
void populateSinkTransposesBelowMovement(mlir::RewritePatternSet &patterns);

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_GRAPH_TRANSPOSEPATTERNS_H
