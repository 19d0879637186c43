// The match of one attention, from its product with the values back to query,
// key and value.
#ifndef TESSERA_LIB_TRANSFORMS_GRAPH_RAISEATTENTIONMATCH_H
#define TESSERA_LIB_TRANSFORMS_GRAPH_RAISEATTENTIONMATCH_H

#include "dialects/Attention/IR/Attention.h"
#include "lib/Transforms/Graph/RaiseAttentionMasks.h"
#include "lib/Transforms/Graph/RaiseAttentionScores.h"

#include "mlir/IR/PatternMatch.h"

namespace tessera {

/// A tensor and the axes of its dimensions.
struct Labelled {
  mlir::Value value;
  AxisLabels labels;
};

/// One match: from the product with the values to the operands.
class AttentionMatch {
public:
  AttentionMatch(mlir::linalg::LinalgOp product, graph::SizeAnalysis &sizes)
      : product(product), axes(sizes), sizes(sizes) {}

  /// Finds all parts. Fails with `miss` set where a softmax had been found, and
  /// without where there is nothing like an attention.
  mlir::LogicalResult match();
  /// Replaces the product by an attention.sdpa of what a match found.
  void rewrite(mlir::RewriterBase &rewriter);

  AttentionMiss miss;

private:
  mlir::LogicalResult stop(mlir::Operation *op, const llvm::Twine &reason) {
    miss = {op, reason.str()};
    return mlir::failure();
  }

  /// Gives each loop of `op` an axis.
  void labelLoops(mlir::linalg::LinalgOp op,
                  llvm::SmallVectorImpl<AxisList> &loops);
  AxisLabels labelsOf(mlir::AffineMap map, llvm::ArrayRef<AxisList> loops);

  mlir::LogicalResult matchProbabilities(unsigned operand);
  mlir::LogicalResult matchQueryAndKey();
  mlir::LogicalResult groupAxes();
  mlir::LogicalResult checkUses();
  mlir::LogicalResult checkFactors();
  /// Goes on through index maps, constant factors (into `scale`) and widening.
  void followOperand(Labelled &operand);

  mlir::Value buildOperand(mlir::OpBuilder &builder, const Labelled &operand,
                           const AxisLabels &layout, mlir::Type type);
  mlir::Value buildQuery(mlir::OpBuilder &builder,
                         ScoreOperandBuilder &operands, mlir::Type type);
  mlir::Value buildBias(mlir::OpBuilder &builder, ScoreOperandBuilder &operands,
                        const ScoreOperand &bias);
  mlir::Value buildMask(mlir::OpBuilder &builder, ScoreOperandBuilder &operands,
                        const ScoreOperand &mask);
  /// Joins operands of one kind; broadcast first where their shapes differ.
  template <typename Op>
  mlir::Value join(mlir::OpBuilder &builder, ScoreOperandBuilder &operands,
                   llvm::ArrayRef<mlir::Value> parts);

  bool contains(llvm::ArrayRef<unsigned> list, unsigned axis) {
    return llvm::is_contained(list, axis);
  }

  mlir::linalg::LinalgOp product;
  AxisMap axes;
  graph::SizeAnalysis &sizes;
  llvm::SetVector<mlir::Operation *> path;
  Scores scores;
  attention::MaskedRows maskedRows = attention::MaskedRows::Nan;
  Labelled query, key, value;
  AxisLabels resultLabels;
  AxisList keys, depth, columns;
  /// The dimensions of the operation.
  AxisList batch, keyHeads, group, queries;
};

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_GRAPH_RAISEATTENTIONMATCH_H
