// Conversions of the graph dialect, as passes and as patterns.
#ifndef TESSERA_DIALECTS_GRAPH_CONVERSION_PASSES_H
#define TESSERA_DIALECTS_GRAPH_CONVERSION_PASSES_H

#include "mlir/Pass/Pass.h"

namespace mlir {
class RewritePatternSet;
} // namespace mlir

namespace tessera::graph {

#define GEN_PASS_DECL
#include "dialects/Graph/Conversion/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "dialects/Graph/Conversion/Passes.h.inc"

/// graph.broadcast_to, reshape, iota, gather, reverse.
void populateShapesToLinalg(mlir::RewritePatternSet &patterns);

/// graph.conv and graph.pool.
void populateWindowsToLinalg(mlir::RewritePatternSet &patterns);

/// graph.gather_points and graph.scatter_points.
void populatePointsToLinalg(mlir::RewritePatternSet &patterns);

/// graph.top_indices and graph.cumulative.
void populateOrderToLoops(mlir::RewritePatternSet &patterns);

/// graph.arg_reduce.
void populateReductionsToLinalg(mlir::RewritePatternSet &patterns);

} // namespace tessera::graph

#endif // TESSERA_DIALECTS_GRAPH_CONVERSION_PASSES_H
