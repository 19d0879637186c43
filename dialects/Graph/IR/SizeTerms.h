// The terms and factors of expressions of sizes.
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

/// Appends the factors of a product; `expression` itself if it is none.
inline void appendFactors(mlir::AffineExpr expression,
                          llvm::SmallVectorImpl<mlir::AffineExpr> &factors) {
  if (expression.getKind() != mlir::AffineExprKind::Mul) {
    factors.push_back(expression);
    return;
  }
  auto binary = mlir::cast<mlir::AffineBinaryOpExpr>(expression);
  appendFactors(binary.getLHS(), factors);
  appendFactors(binary.getRHS(), factors);
}

} // namespace tessera::graph

#endif // TESSERA_DIALECTS_GRAPH_IR_SIZETERMS_H
