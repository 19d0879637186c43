// Turns the body of a kernel or entry into structured operations:
// linalg.generic and linalg.fill, joined by slices, insertions and reshapes.
#ifndef TESSERA_DIALECTS_GRAPH_CONVERSION_STRUCTUREDOPS_H
#define TESSERA_DIALECTS_GRAPH_CONVERSION_STRUCTUREDOPS_H

#include "mlir/IR/Operation.h"

namespace tessera::graph {

/// Rewrites all tensor operations below `root`: graph operations, elementwise
/// arith and math, softmax, unpacking, joins and padding, and named linalg
/// operations. Then joins elementwise producers to their only consumer, and
/// what only moves elements to every consumer; no arithmetic on elements is
/// repeated. Fails when the rewriting does not end.
llvm::LogicalResult convertToStructuredOps(mlir::Operation *root);

} // namespace tessera::graph

#endif // TESSERA_DIALECTS_GRAPH_CONVERSION_STRUCTUREDOPS_H
