// The terms of expressions of sizes.
#ifndef TESSERA_DIALECTS_GRAPH_IR_SIZETERMS_H
#define TESSERA_DIALECTS_GRAPH_IR_SIZETERMS_H

#include "mlir/IR/AffineExpr.h"
#include "llvm/ADT/SmallVector.h"

namespace tessera::graph {

/// Appends what `expression` is the sum of; itself if it is no sum.
inline void appendTerms(mlir::AffineExpr expression,
                        llvm::SmallVectorImpl<mlir::AffineExpr> &terms) {
  if (expression.getKind() != mlir::AffineExprKind::Add) {
    terms.push_back(expression);
    return;
  }
  auto binary = mlir::cast<mlir::AffineBinaryOpExpr>(expression);
  appendTerms(binary.getLHS(), terms);
  appendTerms(binary.getRHS(), terms);
}

} // namespace tessera::graph

#endif // TESSERA_DIALECTS_GRAPH_IR_SIZETERMS_H
