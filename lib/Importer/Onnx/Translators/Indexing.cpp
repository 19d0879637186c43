// Operators that read and write elements at places that other tensors say, and
// that order elements.
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

/// For each dimension of data the dimension of the space it follows; `axis`
/// follows the index vectors.
SmallVector<int64_t> followAllBut(int64_t axis, int64_t rank) {
  SmallVector<int64_t> dimensions = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  dimensions[axis] = -1;
  return dimensions;
}

/// Reports indices that are constant and outside of `axis` of the input 0.
LogicalResult checkConstantIndices(NodeContext &node, Value indices,
                                   int64_t axis) {
  int64_t size = node.inputType(0).getDimSize(axis);
  std::optional<SmallVector<int64_t>> constant = constantIntegers(indices);
  if (!constant || ShapedType::isDynamic(size))
    return success();
  for (int64_t index : *constant)
    if (index < -size || index >= size)
      return node.error("index " + Twine(index) + " is outside of axis " +
                        Twine(axis) + " of size " + Twine(size));
  return success();
}

Value gatherPoints(NodeContext &node, Value data, Value indices,
                   ArrayRef<int64_t> dimensions, const Shape &shape) {
  Type type = cast<RankedTensorType>(data.getType()).getElementType();
  return graph::GatherPointsOp::create(node.builder, node.loc,
                                       node.typeOf(shape, type), data, indices,
                                       dimensions, node.dynamicSizes(shape));
}

/// Indices follow the data along all dimensions but `axis`: they may be fewer.
LogicalResult checkIndexSizes(NodeContext &node, int64_t axis) {
  Shape data = node.shapeOf(node.input(0));
  Shape indices = node.shapeOf(node.input(1));
  for (int64_t i = 0, e = data.size(); i < e; ++i) {
    auto size = dyn_cast<AffineConstantExpr>(data[i]);
    auto count = dyn_cast<AffineConstantExpr>(indices[i]);
    if (i == axis)
      continue;
    if (size && count && count.getValue() > size.getValue())
      return node.error("expects at most " + Twine(size.getValue()) +
                        " indices along dimension " + Twine(i) + " but got " +
                        Twine(count.getValue()));
    if (failed(node.requireAtMost(
            indices[i], data[i],
            "has more indices than elements along dimension " + Twine(i))))
      return failure();
  }
  return success();
}

/// result[.., i, ..] = data[.., indices[.., i, ..], ..] along `axis`.
LogicalResult gatherElements(NodeContext &node) {
  int64_t rank = node.inputRank(0);
  FailureOr<int64_t> axis = node.normalizeAxis(node.integer("axis", 0), rank);
  if (failed(axis))
    return failure();
  if (node.inputRank(1) != rank)
    return node.error("expects indices of rank " + Twine(rank) + " but got " +
                      Twine(node.inputRank(1)));
  if (failed(checkIndexSizes(node, *axis)) ||
      failed(checkConstantIndices(node, node.input(1), *axis)))
    return failure();
  Shape shape = node.shapeOf(node.input(1));
  if (failed(node.requireElements(node.shapeOf(node.input(0))[*axis],
                                  productOf(node, shape),
                                  "axis " + Twine(*axis))))
    return failure();
  Value vectors = insertUnitDims(node, node.input(1), rank);
  node.setOutput(0, gatherPoints(node, node.input(0), vectors,
                                 followAllBut(*axis, rank), shape));
  return success();
}

/// Which dimension of the updates of ScatterND each of data follows: the first
/// ones the components of the index vectors in input 1, the others those behind
/// the vectors' place. Where the number of components is unknown the ranks say it.
FailureOr<SmallVector<int64_t>> pointDimensions(NodeContext &node) {
  int64_t rank = node.inputRank(0), indexRank = node.inputRank(1);
  if (indexRank == 0)
    return node.error("expects indices of rank at least 1");
  int64_t fromRanks = indexRank - 1 + rank - node.inputRank(2);
  int64_t components = node.inputType(1).getShape().back();
  if (ShapedType::isDynamic(components))
    components = std::max<int64_t>(fromRanks, 0);
  if (components > rank)
    return node.error("expects index vectors of at most " + Twine(rank) +
                      " components but got " + Twine(components));
  if (components != fromRanks)
    return node.error("expects updates of rank " +
                      Twine(indexRank - 1 + rank - components) + " but got " +
                      Twine(node.inputRank(2)));
  Shape data = node.shapeOf(node.input(0));
  Shape indices = node.shapeOf(node.input(1));
  Shape updates = node.shapeOf(node.input(2));
  if (failed(node.requireEqual(indices.back(), node.constantSize(components),
                               "the number of components and what the ranks "
                               "leave")))
    return failure();
  Shape expected(llvm::drop_end(indices));
  expected.append(data.begin() + components, data.end());
  for (auto [i, size] : llvm::enumerate(expected))
    if (failed(node.requireEqual(updates[i], size,
                                 "the size of updates along dimension " +
                                     Twine(i) + " and what the other inputs say")))
      return failure();
  SmallVector<int64_t> dimensions(components, -1);
  for (int64_t i = components; i < rank; ++i)
    dimensions.push_back(indexRank - 1 + i - components);
  return dimensions;
}

/// Scatters `updates` into `data`; booleans as bytes, which is what they are in
/// storage.
FailureOr<Value> scatterPoints(NodeContext &node, Value data, Value indices,
                               Value updates, ArrayRef<int64_t> dimensions,
                               graph::Combination combination) {
  Type type = cast<RankedTensorType>(data.getType()).getElementType();
  Type i8 = node.builder.getI8Type();
  if (type.isInteger(1)) {
    data = castElements(node, data, /*fromUnsigned=*/true, i8, false);
    updates = castElements(node, updates, /*fromUnsigned=*/true, i8, false);
  }
  Value result = graph::ScatterPointsOp::create(
      node.builder, node.loc, data.getType(), data, indices, updates,
      dimensions, combination, node.isUnsigned());
  if (type.isInteger(1))
    result = castElements(node, result, /*fromUnsigned=*/true, type, false);
  return result;
}

FailureOr<graph::Combination> combinationOf(NodeContext &node) {
  StringRef name = node.string("reduction", "none");
  if (name == "mul")
    return graph::Combination::Multiply;
  if (name == "none")
    return graph::Combination::Replace;
  if (std::optional<graph::Combination> found =
          graph::symbolizeCombination(name);
      found && name != "replace" && name != "multiply")
    return *found;
  return node.error("reduction '" + name + "' does not exist");
}

LogicalResult scatterElements(NodeContext &node) {
  int64_t rank = node.inputRank(0);
  FailureOr<int64_t> axis = node.normalizeAxis(node.integer("axis", 0), rank);
  FailureOr<graph::Combination> combination = combinationOf(node);
  if (failed(axis) || failed(combination))
    return failure();
  if (node.inputRank(1) != rank || node.inputRank(2) != rank)
    return node.error("expects indices and updates of rank " + Twine(rank));
  if (failed(checkIndexSizes(node, *axis)) ||
      failed(checkConstantIndices(node, node.input(1), *axis)) ||
      failed(requireSameSizes(node, 1, 2)))
    return failure();
  FailureOr<Value> indices =
      broadcastTo(node, node.input(1), node.shapeOf(node.input(2)));
  if (failed(indices))
    return failure();
  FailureOr<Value> result = scatterPoints(
      node, node.input(0), insertUnitDims(node, *indices, rank), node.input(2),
      followAllBut(*axis, rank), *combination);
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

LogicalResult scatterND(NodeContext &node) {
  FailureOr<SmallVector<int64_t>> dimensions = pointDimensions(node);
  FailureOr<graph::Combination> combination = combinationOf(node);
  if (failed(dimensions) || failed(combination))
    return failure();
  // A last size that was unknown is the number of components.
  SmallVector<int64_t> sizes(node.inputType(1).getShape());
  sizes.back() = llvm::count(*dimensions, -1);
  Value indices = node.create<tensor::CastOp>(
      node.inputType(1).clone(sizes), node.input(1));
  FailureOr<Value> result = scatterPoints(node, node.input(0), indices,
                                          node.input(2), *dimensions,
                                          *combination);
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

/// Input `index`, a vector along dimension `axis` of `shape`, in that shape.
FailureOr<Value> spreadVector(NodeContext &node, unsigned index, int64_t axis,
                              const Shape &shape) {
  if (node.inputRank(index) != 1)
    return node.error("expects input " + Twine(index) + " to have rank 1");
  if (failed(node.requireEqual(node.shapeOf(node.input(index)).front(),
                               shape[axis],
                               "the length of input " + Twine(index) +
                                   " and the batch")))
    return failure();
  Value vector = castElements(node, node.input(index), false,
                              node.builder.getI64Type(), false);
  for (int64_t i = axis + 1, e = shape.size(); i < e; ++i)
    vector = insertUnitDims(node, vector, i - axis);
  return broadcastTo(node, vector, shape);
}

/// New elements of a cache, written from write_indices on along an axis; with
/// mode circular what reaches beyond the end goes on at the front.
LogicalResult tensorScatter(NodeContext &node) {
  int64_t rank = node.inputRank(0);
  FailureOr<int64_t> axis = node.normalizeAxis(node.integer("axis", -2), rank);
  StringRef mode = node.string("mode", "linear");
  if (failed(axis))
    return failure();
  if (*axis == 0 || node.inputRank(1) != rank ||
      (mode != "linear" && mode != "circular"))
    return node.error("expects an axis behind the batch, an update of rank " +
                      Twine(rank) + ", and mode linear or circular");
  Shape space = node.shapeOf(node.input(1));
  if (failed(requireSameSizes(node, 0, 1, *axis)) ||
      failed(node.requireAtMost(space[*axis], node.shapeOf(node.input(0))[*axis],
                                "the update is longer than the cache")))
    return failure();
  space.truncate(*axis + 1);
  Value place = iota(node, space, node.builder.getI64Type(), *axis);
  if (node.input(2)) {
    FailureOr<Value> first = spreadVector(node, 2, 0, space);
    if (failed(first))
      return failure();
    place = node.create<arith::AddIOp>(place, *first);
  }
  if (mode == "circular") {
    AffineExpr size = node.shapeOf(node.input(0))[*axis];
    Value length = node.filled(
        node.create<arith::IndexCastOp>(node.builder.getI64Type(),
                                        node.materializeIndex(size)),
        space);
    place = node.create<arith::RemSIOp>(place, length);
  }
  FailureOr<Value> result = scatterPoints(
      node, node.input(0), insertUnitDims(node, place, space.size()),
      node.input(1), followAllBut(*axis, rank), graph::Combination::Replace);
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

/// The first sequence_lens[b] elements along time_axis in reverse order.
LogicalResult reverseSequence(NodeContext &node) {
  int64_t rank = node.inputRank(0);
  int64_t time = node.integer("time_axis", 0),
          batch = node.integer("batch_axis", 1);
  if (rank < 2 || time < 0 || time > 1 || batch != 1 - time)
    return node.error("expects time_axis and batch_axis to be 0 and 1 or 1 and "
                      "0");
  Shape space = node.shapeOf(node.input(0));
  Shape shape = space;
  space.truncate(2);
  FailureOr<Value> length = spreadVector(node, 1, batch, space);
  if (failed(length))
    return failure();
  // More elements than there are are all.
  Type i64 = node.builder.getI64Type();
  Value all = node.filled(node.create<arith::IndexCastOp>(
                              i64, node.materializeIndex(space[time])),
                          space);
  length = node.create<arith::MinSIOp>(*length, all);
  Value index = iota(node, space, i64, time);
  Value mirrored = node.create<arith::SubIOp>(
      node.create<arith::SubIOp>(*length, node.filled(1.0, *length)), index);
  Value isReversed = node.create<arith::CmpIOp>(arith::CmpIPredicate::slt,
                                                index, *length);
  Value source = node.create<arith::SelectOp>(isReversed, mirrored, index);
  node.setOutput(0, gatherPoints(node, node.input(0),
                                 insertUnitDims(node, source, 2),
                                 followAllBut(time, rank), shape));
  return success();
}

/// The number of elements: attribute before opset 10, input from then on.
FailureOr<AffineExpr> topCount(NodeContext &node, int64_t axis) {
  AffineExpr count = node.constantSize(node.integer("k", 0));
  if (node.version() >= 10) {
    FailureOr<Shape> given = elementSizes(node, node.input(1), "k");
    if (failed(given))
      return failure();
    if (given->size() != 1)
      return node.error("expects k to have one element");
    count = given->front();
  }
  int64_t size = node.inputType(0).getDimSize(axis);
  if (auto constant = dyn_cast<AffineConstantExpr>(count))
    if (constant.getValue() < 0 ||
        (!ShapedType::isDynamic(size) && constant.getValue() > size))
      return node.error("k is " + Twine(constant.getValue()) +
                        " but axis " + Twine(axis) + " has " + Twine(size) +
                        " elements");
  if (failed(node.requireSizes({count}, "the result")))
    return failure();
  return count;
}

LogicalResult topK(NodeContext &node) {
  int64_t rank = node.inputRank(0);
  FailureOr<int64_t> axis = node.normalizeAxis(node.integer("axis", -1), rank);
  if (failed(axis))
    return failure();
  FailureOr<AffineExpr> count = topCount(node, *axis);
  if (failed(count))
    return failure();
  Shape shape = node.shapeOf(node.input(0));
  if (failed(node.requireAtMost(*count, shape[*axis],
                                "k is more than the axis has elements")))
    return failure();
  shape[*axis] = *count;
  bool isLargest = node.integer("largest", 1) != 0;
  Value indices = graph::TopIndicesOp::create(
      node.builder, node.loc, node.typeOf(shape, node.builder.getI64Type()),
      node.input(0), isLargest ? graph::Extremum::Max : graph::Extremum::Min,
      *axis, node.isUnsigned(), node.dynamicSizes(shape));
  node.setOutput(0, gatherPoints(node, node.input(0),
                                 insertUnitDims(node, indices, rank),
                                 followAllBut(*axis, rank), shape));
  if (node.hasOutput(1))
    node.setOutput(1, indices);
  return success();
}

} // namespace

void addIndexingTranslators(TranslatorTable &table) {
  table.add("GatherElements", gatherElements);
  table.add("Scatter", scatterElements);
  table.add("ScatterElements", scatterElements);
  table.add("ScatterND", scatterND);
  table.add("TensorScatter", tensorScatter);
  table.add("ReverseSequence", reverseSequence);
  table.add("TopK", topK);
}

} // namespace tessera::onnx_importer
