// Operators that select, join and reorder elements.
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

LogicalResult transposeNode(NodeContext &node) {
  int64_t rank = node.inputRank(0);
  SmallVector<int64_t> permutation = node.integers("perm");
  if (!node.hasAttribute("perm"))
    permutation = llvm::to_vector(llvm::reverse(llvm::seq<int64_t>(0, rank)));
  if (static_cast<int64_t>(permutation.size()) != rank ||
      !isPermutationVector(permutation))
    return node.error("perm is no permutation of " + Twine(rank) +
                      " dimensions");
  Value input = node.input(0);
  RankedTensorType type = node.inputType(0);
  // Exporters write the pads of Pad so.
  if (type.getElementType().isInteger() && hasElements(input)) {
    SmallVector<int64_t> strides = computeStrides(type.getShape());
    node.setOutput(
        0, rearrangeElements(
               node, input, applyPermutation(type.getShape(), permutation),
               [&](ArrayRef<int64_t> index) {
                 int64_t position = 0;
                 for (auto [at, from] : llvm::zip(index, permutation))
                   position += at * strides[from];
                 return position;
               }));
    return success();
  }
  node.setOutput(0, transpose(node, input, permutation));
  return success();
}

/// Leaves out inputs without an element along `axis`, but for one: partial rotary
/// embeddings of the whole head join it with nothing.
void dropEmpty(SmallVectorImpl<Value> &inputs, int64_t axis) {
  Value first = inputs.front();
  llvm::erase_if(inputs, [&](Value input) {
    return cast<RankedTensorType>(input.getType()).getDimSize(axis) == 0;
  });
  if (inputs.empty())
    inputs.push_back(first);
}

/// The list of all integers of constant lists; null if one is not constant.
Value joinedConstants(NodeContext &node, ArrayRef<Value> lists) {
  SmallVector<Attribute> elements;
  for (Value list : lists) {
    std::optional<DenseElementsAttr> constant = constantList(list);
    if (!constant || !constant->getElementType().isInteger())
      return {};
    llvm::append_range(elements, constant->getValues<Attribute>());
  }
  auto type = RankedTensorType::get(
      elements.size(),
      cast<RankedTensorType>(lists.front().getType()).getElementType());
  return arith::ConstantOp::create(node.builder, node.loc,
                                   DenseElementsAttr::get(type, elements));
}

LogicalResult concat(NodeContext &node) {
  int64_t rank = node.inputRank(0);
  FailureOr<int64_t> axis = node.normalizeAxis(node.integer("axis", 0), rank);
  if (failed(axis))
    return failure();
  SmallVector<Value> inputs, scalars;
  bool viewed = rank == 1;
  Shape common;
  for (unsigned i = 0; i < node.inputCount(); ++i) {
    Value input = node.input(i);
    if (!input || node.inputRank(i) != rank)
      return node.error("expects inputs of one rank, but input " + Twine(i) +
                        " has another");
    Shape shape = node.shapeOf(input);
    common.resize(rank);
    for (int64_t d = 0; d < rank; ++d) {
      AffineExpr &known = common[d];
      if (known && d != *axis &&
          failed(node.requireEqual(known, shape[d],
                                   "the inputs' sizes of dimension " +
                                       Twine(d))))
        return failure();
      if (!known || isa<AffineConstantExpr>(shape[d]))
        known = shape[d];
    }
    viewed &= hasElements(input);
    inputs.push_back(input);
  }
  dropEmpty(inputs, *axis);
  if (inputs.size() == 1) {
    node.setOutput(0, inputs.front());
    return success();
  }
  for (Value input : viewed ? ArrayRef<Value>(inputs) : ArrayRef<Value>())
    scalars.append(*elementsOf(node, input));
  if (viewed && scalars.size() <= kMaxViewedElements) {
    node.setOutput(0, fromElements(node, scalars,
                                   {static_cast<int64_t>(scalars.size())},
                                   node.inputType(0).getElementType()));
    return success();
  }
  if (Value list = joinedConstants(node, inputs)) {
    node.setOutput(0, list);
    return success();
  }
  for (AffineExpr &size : common)
    size = node.sizes.resolve(size);
  common[*axis] = node.constantSize(0);
  for (Value input : inputs)
    common[*axis] = common[*axis] + node.shapeOf(input)[*axis];
  node.setOutput(0, tensor::ConcatOp::create(
                        node.builder, node.loc,
                        node.typeOf(common, node.inputType(0).getElementType()),
                        *axis, inputs));
  return success();
}

/// Sizes of the parts of an axis of size `total`: given (attribute before opset 13,
/// input from then on), or equal, the last one smaller. Together they are `total`.
FailureOr<Shape> splitSizes(NodeContext &node, AffineExpr total) {
  SmallVector<int64_t> given = node.integers("split");
  if (Value input = node.version() >= 13 ? node.input(1) : Value()) {
    FailureOr<SmallVector<int64_t>> constant =
        requireConstantIntegers(node, input, "the list of split sizes");
    if (failed(constant))
      return failure();
    given = *constant;
  }
  Shape sizes;
  if (!given.empty()) {
    AffineExpr sum = node.constantSize(0);
    for (int64_t size : given) {
      if (size < 0)
        return node.error("a part has the size " + Twine(size));
      sizes.push_back(node.constantSize(size));
      sum = sum + size;
    }
    if (failed(node.requireEqual(sum, total,
                                 "the sum of the parts and the split axis")))
      return failure();
    return sizes;
  }
  int64_t parts = node.integer("num_outputs", node.outputCount());
  if (parts != node.outputCount() || parts == 0)
    return node.error("expects num_outputs to be the number of outputs");
  // Since opset 18 the last part may be smaller.
  if (node.version() < 18 &&
      failed(node.requireMultiple(total, parts,
                                  "the axis has no " + Twine(parts) +
                                      " equal parts")))
    return failure();
  AffineExpr part = total.ceilDiv(parts), last = total - part * (parts - 1);
  sizes.assign(parts, part);
  sizes.back() = last;
  if (failed(node.requireAtMost(node.constantSize(0), last,
                                "there are fewer elements than parts")))
    return failure();
  return sizes;
}

LogicalResult split(NodeContext &node) {
  FailureOr<int64_t> axis =
      node.normalizeAxis(node.integer("axis", 0), node.inputRank(0));
  if (failed(axis))
    return failure();
  FailureOr<Shape> sizes =
      splitSizes(node, node.shapeOf(node.input(0))[*axis]);
  if (failed(sizes))
    return failure();
  if (sizes->size() != node.outputCount())
    return node.error("expects " + Twine(sizes->size()) +
                      " outputs by its sizes but got " +
                      Twine(node.outputCount()));
  AffineExpr offset = node.constantSize(0);
  for (auto [i, size] : llvm::enumerate(*sizes)) {
    node.setOutput(i,
                   sliceWithin(node, node.input(0), *axis, offset, size));
    offset = offset + size;
  }
  return success();
}

LogicalResult gather(NodeContext &node) {
  int64_t rank = node.inputRank(0), indexRank = node.inputRank(1);
  FailureOr<int64_t> axis = node.normalizeAxis(node.integer("axis", 0), rank);
  if (failed(axis))
    return failure();
  Value data = node.input(0), indices = node.input(1);
  Shape shape = node.shapeOf(data);
  int64_t length = node.inputType(0).getDimSize(*axis);
  std::optional<SmallVector<int64_t>> constant = constantIntegers(indices);
  if (constant && !ShapedType::isDynamic(length))
    for (int64_t &index : *constant) {
      if (index < -length || index >= length)
        return node.error("index " + Twine(index) + " is outside of axis " +
                          Twine(*axis) + " of size " + Twine(length));
      index += index < 0 ? length : 0;
    }
  if (constant && hasElements(data)) {
    ArrayRef<int64_t> from = node.inputType(0).getShape(),
                      at = node.inputType(1).getShape();
    SmallVector<int64_t> taken(from.take_front(*axis));
    llvm::append_range(taken, at);
    llvm::append_range(taken, from.drop_front(*axis + 1));
    SmallVector<int64_t> strides = computeStrides(from),
                         atStrides = computeStrides(at);
    node.setOutput(
        0, rearrangeElements(node, data, taken, [&](ArrayRef<int64_t> index) {
          SmallVector<int64_t> source(index.take_front(*axis));
          ArrayRef<int64_t> chosen = index.slice(*axis, indexRank);
          source.push_back((*constant)[linearize(chosen, atStrides)]);
          llvm::append_range(source, index.drop_front(*axis + indexRank));
          return linearize(source, strides);
        }));
    return success();
  }
  AffineExpr size = shape[*axis];
  if (constant && !constant->empty()) {
    auto [least, most] = std::minmax_element(constant->begin(), constant->end());
    for (AffineExpr needed :
         {node.constantSize(-*least), node.constantSize(*most + 1)})
      if (failed(node.requireAtMost(needed, size,
                                    "an index is outside of axis " +
                                        Twine(*axis))))
        return failure();
  }
  // One constant index is a slice.
  if (constant && constant->size() == 1) {
    int64_t index = constant->front();
    AffineExpr offset =
        index < 0 ? shape[*axis] + index : node.constantSize(index);
    Value slice = sliceWithin(node, data, *axis, offset, node.constantSize(1));
    if (indexRank == 0)
      slice = dropDims(node, slice, *axis);
    for (int64_t i = 1; i < indexRank; ++i)
      slice = insertUnitDims(node, slice, *axis);
    node.setOutput(0, slice);
    return success();
  }
  if (failed(node.requireElements(size,
                                  productOf(node, node.shapeOf(indices)),
                                  "axis " + Twine(*axis))))
    return failure();
  Shape result(shape.begin(), shape.begin() + *axis);
  result.append(node.shapeOf(indices));
  result.append(shape.begin() + *axis + 1, shape.end());
  node.setOutput(0, graph::GatherOp::create(
                        node.builder, node.loc,
                        node.typeOf(result, node.inputType(0).getElementType()),
                        data, indices, *axis));
  return success();
}

/// `indices` [..., rank of the index] as one index into the first dimensions
/// `sizes` of the data, of which the first `batchDims` are those of `indices`:
/// negative ones count from the end, and each that is outside is clamped.
FailureOr<Value> linearIndices(NodeContext &node, Value indices,
                               ArrayRef<AffineExpr> sizes, int64_t batchDims) {
  Shape shape = node.shapeOf(indices);
  int64_t last = shape.size() - 1;
  shape.pop_back();
  Type type = cast<RankedTensorType>(indices.getType()).getElementType();
  auto sizeLike = [&](AffineExpr size) {
    Value scalar = arith::IndexCastOp::create(node.builder, node.loc, type,
                                              node.materializeIndex(size));
    return node.filled(scalar, shape);
  };
  Value linear;
  for (auto [i, size] : llvm::enumerate(sizes)) {
    Value index;
    int64_t component = static_cast<int64_t>(i) - batchDims;
    if (component < 0) {
      index = graph::IotaOp::create(node.builder, node.loc,
                                    node.typeOf(shape, type), i,
                                    node.dynamicSizes(shape));
    } else {
      index = sliceAlong(node, indices, last, node.constantSize(component),
                         node.constantSize(1));
      FailureOr<Value> dropped = reshapeTo(node, index, shape);
      if (failed(dropped))
        return failure();
      Value isNegative = node.create<arith::CmpIOp>(
          arith::CmpIPredicate::slt, *dropped, node.filled(0, *dropped));
      Value wrapped = node.create<arith::AddIOp>(*dropped, sizeLike(size));
      index = node.create<arith::SelectOp>(isNegative, wrapped, *dropped);
      // The gather itself clamps what is the index alone.
      if (sizes.size() > 1) {
        index = node.create<arith::MinSIOp>(index, sizeLike(size - 1));
        index = node.create<arith::MaxSIOp>(index, node.filled(0, index));
      }
    }
    if (linear)
      linear = node.create<arith::MulIOp>(linear, sizeLike(size));
    linear = linear ? node.create<arith::AddIOp>(linear, index) : index;
  }
  return linear;
}

/// The dimensions that an index points into become one, and so does the index.
LogicalResult gatherNd(NodeContext &node) {
  int64_t rank = node.inputRank(0), batchDims = node.integer("batch_dims", 0);
  int64_t indexRank = node.inputRank(1);
  int64_t depth =
      indexRank == 0 ? 0 : node.inputType(1).getDimSize(indexRank - 1);
  if (ShapedType::isDynamic(depth))
    return node.error("the last size of the indices is not known");
  if (batchDims < 0 || batchDims >= indexRank || depth < 1 ||
      batchDims + depth > rank)
    return node.error("expects indices into at most " + Twine(rank) +
                      " dimensions");
  Shape data = node.shapeOf(node.input(0)),
        result = node.shapeOf(node.input(1));
  result.pop_back();
  AffineExpr reads = productOf(node, result);
  for (int64_t i = 0; i < batchDims; ++i)
    if (failed(node.requireEqual(
            data[i], result[i],
            "the sizes of data and indices along batch dimension " + Twine(i))))
      return failure();
  for (int64_t i = batchDims; i < batchDims + depth; ++i)
    if (failed(node.requireElements(data[i], reads, "axis " + Twine(i))))
      return failure();
  ArrayRef<AffineExpr> indexed = ArrayRef(data).take_front(batchDims + depth);
  Shape joined{productOf(node, indexed)};
  joined.append(data.begin() + batchDims + depth, data.end());
  FailureOr<Value> flat = reshapeTo(node, node.input(0), joined);
  FailureOr<Value> indices =
      linearIndices(node, node.input(1), indexed, batchDims);
  if (failed(flat) || failed(indices))
    return failure();
  result.append(data.begin() + batchDims + depth, data.end());
  node.setOutput(0, graph::GatherOp::create(
                        node.builder, node.loc,
                        node.typeOf(result, node.inputType(0).getElementType()),
                        *flat, *indices, 0));
  return success();
}

/// repeats[i] copies along dimension i: [n, m] -> [1, n, 1, m] -> broadcast ->
/// collapse.
LogicalResult tile(NodeContext &node) {
  FailureOr<Shape> repeats = elementSizes(node, node.input(1), "repeats");
  if (failed(repeats))
    return failure();
  Shape from = node.shapeOf(node.input(0)), apart, repeated, result;
  if (repeats->size() != from.size())
    return node.error("expects " + Twine(from.size()) + " repeats but got " +
                      Twine(repeats->size()));
  if (failed(node.requireSizes(*repeats, "the list of repeats")))
    return failure();
  for (auto [size, count] : llvm::zip(from, *repeats)) {
    apart.append({node.constantSize(1), size});
    repeated.append({count, size});
    result.push_back(size * count);
  }
  FailureOr<Value> value = reshapeTo(node, node.input(0), apart);
  if (succeeded(value))
    value = broadcastTo(node, *value, repeated);
  if (succeeded(value))
    value = reshapeTo(node, *value, result);
  if (failed(value))
    return failure();
  node.setOutput(0, *value);
  return success();
}

/// Reshapes to `apart`, transposes, reshapes to `result`.
LogicalResult rearrange(NodeContext &node, const Shape &apart,
                        ArrayRef<int64_t> permutation, const Shape &result) {
  FailureOr<Value> value = reshapeTo(node, node.input(0), apart);
  if (succeeded(value))
    value = reshapeTo(node, transpose(node, *value, permutation), result);
  if (failed(value))
    return failure();
  node.setOutput(0, *value);
  return success();
}

LogicalResult depthToSpace(NodeContext &node) {
  int64_t block = node.integer("blocksize", 0);
  int64_t channels = node.inputRank(0) == 4 ? node.inputType(0).getDimSize(1)
                                            : ShapedType::kDynamic;
  if (block <= 0 || channels < 0 || channels % (block * block))
    return node.error("expects an input of rank 4 with channels divisible by "
                      "blocksize squared");
  Shape s = node.shapeOf(node.input(0));
  AffineExpr b = node.constantSize(block),
             c = node.constantSize(channels / (block * block));
  Shape result{s[0], c, s[2] * block, s[3] * block};
  if (node.string("mode", "DCR") == "CRD")
    return rearrange(node, {s[0], c, b, b, s[2], s[3]}, {0, 1, 4, 2, 5, 3},
                     result);
  return rearrange(node, {s[0], b, b, c, s[2], s[3]}, {0, 3, 4, 1, 5, 2},
                   result);
}

LogicalResult spaceToDepth(NodeContext &node) {
  int64_t block = node.integer("blocksize", 0);
  if (block <= 0 || node.inputRank(0) != 4)
    return node.error("expects an input of rank 4 and a positive blocksize");
  Shape s = node.shapeOf(node.input(0));
  for (int64_t axis : {2, 3})
    if (failed(node.requireMultiple(
            s[axis], block, "height and width must be divisible by blocksize")))
      return failure();
  AffineExpr b = node.constantSize(block);
  AffineExpr h = s[2].floorDiv(block), w = s[3].floorDiv(block);
  SmallVector<int64_t> order{0, 3, 5, 1, 2, 4};
  if (node.string("mode", "DCR") == "CRD")
    order = {0, 1, 3, 5, 2, 4};
  return rearrange(node, {s[0], s[1], h, b, w, b}, order,
                   {s[0], s[1] * (block * block), h, w});
}

} // namespace

void addDataMovementTranslators(TranslatorTable &table) {
  table.add("Transpose", transposeNode);
  table.add("Concat", concat);
  table.add("Split", split);
  table.add("Gather", gather);
  table.add("GatherND", gatherNd);
  table.add("Tile", tile);
  table.add("DepthToSpace", depthToSpace);
  table.add("SpaceToDepth", spaceToDepth);
}

} // namespace tessera::onnx_importer
