// Folds of operations on tensors that keep sizes which are not known.
//
// A fold may give a constant for a result whose size is not known, as that of two
// equal operands does: no operation could tell its size any more. Where such an
// operation is elementwise, an operand has the size:
//
//   arith.xori %x, %x : tensor<?xi32>
//     ==>  graph.broadcast_to dense<0> sizes(size of %x) : tensor<i32> -> tensor<?xi32>
#ifndef TESSERA_DIALECTS_GRAPH_IR_SIZEKEEPINGFOLDS_H
#define TESSERA_DIALECTS_GRAPH_IR_SIZEKEEPINGFOLDS_H

#include "dialects/Graph/IR/SizeAnalysis.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

#pragma GCC visibility push(default) // as in Graph.h

namespace tessera::graph {

/// As OpBuilder::tryFold, which leaves `results` empty where it changed `op` in
/// place, but without constants of unknown size.
llvm::LogicalResult tryFoldKeepingSizes(mlir::RewriterBase &rewriter,
                                        SizeAnalysis &sizes,
                                        mlir::Operation *op,
                                        llvm::SmallVectorImpl<mlir::Value> &results);

/// Has the greedy driver fold with tryFoldKeepingSizes.
void foldKeepingSizes(mlir::RewritePatternSet &patterns,
                      mlir::GreedyRewriteConfig &config);

} // namespace tessera::graph

#pragma GCC visibility pop

#endif // TESSERA_DIALECTS_GRAPH_IR_SIZEKEEPINGFOLDS_H
