// What operators that are expanded to their function bodies require of sizes: a
// body broadcasts and gathers what it is given.
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

/// Scores [batch, classes, d1, ...], labels [batch, d1, ...], weights [classes].
LogicalResult crossEntropy(NodeContext &node) {
  Shape scores = node.shapeOf(node.input(0)), labels = scores;
  if (scores.size() < 2)
    return node.error("expects scores of rank 2 or more");
  labels.erase(labels.begin() + 1);
  if (failed(requireShape(node, node.input(1), labels, "the labels")))
    return failure();
  if (node.input(2) &&
      failed(requireShape(node, node.input(2), {scores[1]}, "the weights")))
    return failure();
  return node.useBody();
}

/// X [batch, heads, length, headDim] or [batch, length, heads * headDim], caches of
/// half of what is rotated: [positions, half] with position_ids [batch, length],
/// else [batch, length, half].
LogicalResult rotaryEmbedding(NodeContext &node) {
  Shape x = node.shapeOf(node.input(0));
  if (x.size() != 3 && x.size() != 4)
    return node.error("expects X of rank 3 or 4");
  int64_t heads = node.integer("num_heads", 0);
  if (x.size() == 3 && heads < 1)
    return node.error("expects num_heads with X of rank 3");
  if (x.size() == 3 &&
      failed(node.requireMultiple(
          x[2], heads, "the last size of X is no multiple of num_heads")))
    return failure();
  AffineExpr headDim = x.size() == 4 ? x[3] : x[2].floorDiv(heads),
             rotated = headDim;
  if (int64_t given = node.integer("rotary_embedding_dim", 0))
    rotated = node.constantSize(given);
  if (failed(node.requireMultiple(rotated, 2,
                                  "an odd number of elements would be rotated")))
    return failure();
  Shape places{x[0], x[x.size() - 2]}, cache = places;
  if (node.input(3)) {
    if (failed(requireShape(node, node.input(3), places, "position_ids")))
      return failure();
    cache = {node.shapeOf(node.input(1))[0]};
  }
  cache.push_back(rotated.floorDiv(2));
  if (failed(requireShape(node, node.input(1), cache, "cos_cache")) ||
      failed(requireShape(node, node.input(2), cache, "sin_cache")))
    return failure();
  return node.useBody();
}

/// theta [N, 2, 3] for size [N, C, H, W], [N, 3, 4] for [N, C, D, H, W].
LogicalResult affineGrid(NodeContext &node) {
  FailureOr<Shape> size = elementSizes(node, node.input(1), "size");
  if (failed(size))
    return failure();
  int64_t spatial = static_cast<int64_t>(size->size()) - 2;
  if (spatial != 2 && spatial != 3)
    return node.error("expects size to have 4 or 5 numbers");
  if (failed(requireShape(node, node.input(0),
                          {(*size)[0], node.constantSize(spatial),
                           node.constantSize(spatial + 1)},
                          "theta")))
    return failure();
  return node.useBody();
}

/// Input [batch, channels, length], weight [channels, 1, k], bias [channels],
/// past_state [batch, channels, k - 1].
LogicalResult causalConvolution(NodeContext &node) {
  Shape x = node.shapeOf(node.input(0)),
        weight = node.shapeOf(node.input(1));
  if (x.size() != 3 || weight.size() != 3)
    return node.error("expects input and weight of rank 3");
  if (failed(requireShape(node, node.input(1),
                          {x[1], node.constantSize(1), weight[2]}, "weight")) ||
      (node.input(2) &&
       failed(requireShape(node, node.input(2), {x[1]}, "bias"))) ||
      (node.input(3) &&
       failed(requireShape(node, node.input(3), {x[0], x[1], weight[2] - 1},
                           "past_state"))))
    return failure();
  return node.useBody();
}

/// A and B of one shape.
LogicalResult swiGlu(NodeContext &node) {
  if (failed(requireShape(node, node.input(1), node.shapeOf(node.input(0)), "B")))
    return failure();
  return node.useBody();
}

} // namespace

void addBodyRequirements(TranslatorTable &table) {
  table.add("NegativeLogLikelihoodLoss", crossEntropy);
  table.add("SoftmaxCrossEntropyLoss", crossEntropy);
  table.add("RotaryEmbedding", rotaryEmbedding);
  table.add("AffineGrid", affineGrid);
  table.add("CausalConvWithState", causalConvolution);
  table.add("SwiGLU", swiGlu);
}

} // namespace tessera::onnx_importer
