// Biases and masks of an attention on the axes that they depend on.
#ifndef TESSERA_LIB_TRANSFORMS_GRAPH_RAISEATTENTIONMASKS_H
#define TESSERA_LIB_TRANSFORMS_GRAPH_RAISEATTENTIONMASKS_H

#include "lib/Transforms/Graph/RaiseAttentionAxes.h"

namespace tessera {

/// Rebuilds operands of the scores, dimension by dimension of `layout` (batch,
/// heads, queries, keys), with size 1 where they depend on nothing. What an
/// exporter computed on queries x keys although it depends on keys only is
/// computed on keys:
///
///   %a = arith.andi %true, %mask_of_keys_broadcast : tensor<2x1x128x128xi1>
///   arith.select %a, 0, -inf                        ==>  tensor<2x1x1x128xf32>
class ScoreOperandBuilder {
public:
  ScoreOperandBuilder(mlir::OpBuilder &builder, mlir::Location loc,
                      AxisMap &axes, graph::SizeAnalysis &sizes,
                      AxisLabels layout)
      : builder(builder), loc(loc), axes(axes), sizes(sizes),
        layout(std::move(layout)) {}

  /// `value`, whose dimensions are `labels`.
  mlir::Value build(mlir::Value value, AxisLabels labels);

  /// Broadcasts `values`, of rank 4, to their common shape.
  void broadcastTogether(llvm::SmallVectorImpl<mlir::Value> &values);

  /// The axes that `value` depends on, `depth` operations above what was asked for.
  AxisList dependencies(mlir::Value value, AxisLabels labels,
                        unsigned depth = 0);

private:
  /// Goes back through index maps as far as no axis must be split for it.
  void followMaps(mlir::Value &value, AxisLabels &labels);

  mlir::OpBuilder &builder;
  mlir::Location loc;
  AxisMap &axes;
  graph::SizeAnalysis &sizes;
  AxisLabels layout;
};

/// Whether all elements are proven to be true, by the bounds of integers: counters
/// are not negative.
bool isAlwaysTrue(mlir::Value condition);

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_GRAPH_RAISEATTENTIONMASKS_H
