// Greedy rewriting that ends even where patterns turn in a circle.
#ifndef TESSERA_LIB_TRANSFORMS_GRAPH_LIMITEDREWRITES_H
#define TESSERA_LIB_TRANSFORMS_GRAPH_LIMITEDREWRITES_H

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/PatternMatch.h"

namespace tessera {

/// Applies patterns that move operations past each other until none matches, or
/// for a number of rewrites far above what a chain of operations needs. Every
/// rewrite leaves valid IR, so after that many the model still compiles; a
/// warning says that `what` ("transposes") were still moving.
void applyLimitedRewrites(mlir::func::FuncOp function,
                          mlir::RewritePatternSet patterns, llvm::StringRef what);

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_GRAPH_LIMITEDREWRITES_H
