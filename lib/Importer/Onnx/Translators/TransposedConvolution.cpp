// Transposed convolution and unpooling.
#include "lib/Importer/Onnx/Convolving.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

struct Window {
  SmallVector<int64_t> kernel, strides, dilations, low, high, extra;
};

FailureOr<SmallVector<int64_t>> listOf(NodeContext &node, StringRef name,
                                       size_t length, int64_t otherwise,
                                       int64_t least) {
  SmallVector<int64_t> values = node.integers(name);
  if (values.empty())
    values.assign(length, otherwise);
  if (values.size() != length ||
      llvm::any_of(values, [&](int64_t v) { return v < least; }))
    return node.error("expects '" + name + "' to be " + Twine(length) +
                      " numbers of at least " + Twine(least));
  return values;
}

/// Pads that give the result `wanted` of axis `i`, or ceil(size * stride) with
/// auto_pad.
LogicalResult padToShape(NodeContext &node, Window &window, size_t i,
                         std::optional<int64_t> wanted, bool extraIsHigh) {
  int64_t size = node.inputType(0).getDimSize(i + 2);
  int64_t reach = (window.kernel[i] - 1) * window.dilations[i] + 1;
  // Without output_shape the input's size cancels out.
  int64_t total = reach - window.strides[i] + window.extra[i];
  if (wanted) {
    if (ShapedType::isDynamic(size))
      return node.error("output_shape needs the size of dimension " +
                        Twine(i + 2) + "; pin it");
    total = window.strides[i] * (size - 1) + window.extra[i] + reach - *wanted;
  }
  // Less than nothing is cut off: the result is longer at its end.
  if (total < 0) {
    window.extra[i] -= total;
    total = 0;
  }
  window.low[i] = extraIsHigh ? total / 2 : total - total / 2;
  window.high[i] = total - window.low[i];
  return success();
}

FailureOr<Window> windowOf(NodeContext &node) {
  Window window;
  ArrayRef<int64_t> filter = node.inputType(1).getShape();
  window.kernel.assign(filter.begin() + 2, filter.end());
  size_t spatial = window.kernel.size();
  auto strides = listOf(node, "strides", spatial, 1, 1),
       dilations = listOf(node, "dilations", spatial, 1, 1),
       extra = listOf(node, "output_padding", spatial, 0, 0),
       pads = listOf(node, "pads", 2 * spatial, 0, 0);
  if (failed(strides) || failed(dilations) || failed(extra) || failed(pads))
    return failure();
  window.strides = *strides;
  window.dilations = *dilations;
  window.extra = *extra;
  window.low.assign(pads->begin(), pads->begin() + spatial);
  window.high.assign(pads->begin() + spatial, pads->end());
  StringRef autoPad = node.string("auto_pad", "NOTSET");
  SmallVector<int64_t> shape = node.integers("output_shape");
  // Some exporters give all dimensions.
  if (shape.size() == spatial + 2)
    shape.erase(shape.begin(), shape.begin() + 2);
  if (!shape.empty() && shape.size() != spatial)
    return node.error("expects output_shape to have " + Twine(spatial) +
                      " numbers");
  bool isSame = autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER";
  if (!isSame && autoPad != "NOTSET" && autoPad != "VALID")
    return node.error("auto_pad '" + autoPad + "' does not exist");
  if (isSame || !shape.empty())
    for (size_t i = 0; i < spatial; ++i)
      if (failed(padToShape(node, window, i,
                            shape.empty() ? std::optional<int64_t>()
                                          : shape[i],
                            autoPad == "SAME_UPPER")))
        return failure();
  return window;
}

/// `image` [batch, spatial..., channels] with stride - 1 zeros between elements:
/// zeros go behind each element, into dimensions of their own, which then join.
FailureOr<Value> spreadOut(NodeContext &node, Value image,
                           ArrayRef<int64_t> strides) {
  if (llvm::all_of(strides, [](int64_t stride) { return stride == 1; }))
    return image;
  Type type = getElementTypeOrSelf(image);
  Shape from = node.shapeOf(image), apart{from[0]}, high{node.constantSize(0)},
        padded{from[0]}, joined{from[0]};
  AffineExpr zero = node.constantSize(0), one = node.constantSize(1);
  for (auto [i, stride] : llvm::enumerate(strides)) {
    apart.append({from[i + 1], one});
    high.append({zero, node.constantSize(stride - 1)});
    padded.append({from[i + 1], node.constantSize(stride)});
    joined.push_back(from[i + 1] * stride);
  }
  for (Shape *shape : {&apart, &padded, &joined})
    shape->push_back(from.back());
  high.push_back(zero);
  FailureOr<Value> result = reshapeTo(node, image, apart);
  if (failed(result))
    return failure();
  Shape low(high.size(), zero);
  Value wide = tensor::PadOp::create(
      node.builder, node.loc, node.typeOf(padded, type), *result,
      node.materialize(low), node.materialize(high), node.scalar(0.0, type),
      /*nofold=*/false);
  result = reshapeTo(node, wide, joined);
  // Nothing follows the last element.
  for (auto [i, stride] : llvm::enumerate(strides))
    if (succeeded(result) && stride > 1)
      result = sliceAlong(node, *result, i + 1, zero,
                          joined[i + 1] - (stride - 1));
  return result;
}

/// [channels, outputs / groups, spatial...] as the filter of a convolution the
/// other way: [spatial..., channels / groups, outputs], mirrored.
FailureOr<Value> mirroredFilter(NodeContext &node, int64_t groups) {
  RankedTensorType type = node.inputType(1);
  int64_t rank = type.getRank();
  SmallVector<int64_t> spatial = llvm::to_vector(llvm::seq<int64_t>(2, rank));
  Value mirrored = graph::ReverseOp::create(
      node.builder, node.loc, type, node.input(1),
      node.builder.getDenseI64ArrayAttr(spatial));
  Shape from = node.shapeOf(node.input(1));
  Shape apart{node.constantSize(groups),
              node.constantSize(type.getDimSize(0) / groups)};
  apart.append(from.begin() + 1, from.end());
  FailureOr<Value> split = reshapeTo(node, mirrored, apart);
  if (failed(split))
    return failure();
  // [groups, channels, outputs, spatial...] to [spatial..., channels, groups,
  // outputs]
  SmallVector<int64_t> order;
  for (int64_t axis : spatial)
    order.push_back(axis + 1);
  order.append({1, 0, 2});
  Shape joined(from.begin() + 2, from.end());
  joined.push_back(apart[1]);
  joined.push_back(node.constantSize(groups * type.getDimSize(1)));
  return reshapeTo(node, transpose(node, *split, order), joined);
}

/// What a convolution with these attributes would have read, from its result:
/// a convolution of the input, spread out by the strides, with the mirrored
/// filter.
LogicalResult convTranspose(NodeContext &node) {
  int64_t rank = node.inputRank(0), groups = node.integer("group", 1);
  RankedTensorType filterType = node.inputType(1);
  int64_t channels = node.inputType(0).getDimSize(1);
  if (rank < 3 || filterType.getRank() != rank)
    return node.error("expects input and filter of one rank of at least 3");
  if (!filterType.hasStaticShape())
    return node.error("expects the filter's sizes to be known");
  if (ShapedType::isDynamic(channels))
    channels = filterType.getDimSize(0);
  if (groups < 1 || channels % groups || filterType.getDimSize(0) != channels)
    return node.error("a filter of " + Twine(filterType.getDimSize(0)) +
                      " channels and " + Twine(groups) +
                      " groups do not fit an input of " + Twine(channels) +
                      " channels");
  FailureOr<Window> window = windowOf(node);
  if (failed(window))
    return failure();
  Type type = filterType.getElementType();
  FailureOr<Value> image = spreadOut(
      node, transpose(node, node.input(0), toChannelsLast(rank)),
      window->strides);
  FailureOr<Value> filter = mirroredFilter(node, groups);
  if (failed(image) || failed(filter))
    return failure();
  SmallVector<int64_t> low, high, ones(rank - 2, 1);
  Shape shape{node.shapeOf(*image)[0]};
  for (int64_t i = 0; i < rank - 2; ++i) {
    int64_t reach = (window->kernel[i] - 1) * window->dilations[i];
    int64_t before = reach - window->low[i],
            after = reach - window->high[i] + window->extra[i];
    // Pads of more than the window's reach cut off.
    int64_t cutLow = std::max<int64_t>(-before, 0),
            cutHigh = std::max<int64_t>(-after, 0);
    AffineExpr size = node.shapeOf(*image)[i + 1] - (cutLow + cutHigh);
    if (cutLow + cutHigh > 0)
      image = sliceAlong(node, *image, i + 1, node.constantSize(cutLow), size);
    low.push_back(before + cutLow);
    high.push_back(after + cutHigh);
    shape.push_back(size + (low.back() + high.back() - reach));
  }
  shape.push_back(node.constantSize(groups * filterType.getDimSize(1)));
  Type wide = type.isF16() || type.isBF16() ? node.builder.getF32Type() : type;
  FailureOr<Value> result = Value(graph::ConvOp::create(
      node.builder, node.loc, node.typeOf(shape, wide), *image, *filter, ones,
      window->dilations, low, high, groups));
  if (Value bias = node.input(2))
    result = addBias(node, *result, castFloat(node, bias, wide));
  if (failed(result))
    return failure();
  node.setOutput(0, transpose(node, castFloat(node, *result, type),
                              toChannelsFirst(rank)));
  return success();
}

/// Sizes that the window of pooling had read in full.
FailureOr<Shape> unpooledShape(NodeContext &node) {
  Shape shape = node.shapeOf(node.input(0));
  size_t spatial = node.inputRank(0) - 2;
  auto kernel = listOf(node, "kernel_shape", spatial, 0, 1),
       strides = listOf(node, "strides", spatial, 1, 1),
       pads = listOf(node, "pads", 2 * spatial, 0, 0);
  if (failed(kernel) || failed(strides) || failed(pads))
    return failure();
  for (size_t i = 0; i < spatial; ++i)
    shape[i + 2] = (shape[i + 2] - 1) * (*strides)[i] +
                   ((*kernel)[i] - (*pads)[i] - (*pads)[spatial + i]);
  return shape;
}

/// Elements at the places, counted over all dimensions, that MaxPool found them
/// at; zeros elsewhere, also in what output_shape adds at the ends.
LogicalResult maxUnpool(NodeContext &node) {
  if (node.inputRank(0) < 3)
    return node.error("expects an input of rank 3 or more");
  FailureOr<Shape> shape = unpooledShape(node);
  if (failed(shape))
    return failure();
  Type type = node.inputType(0).getElementType();
  Value zeros =
      node.filled(node.scalar(0.0, type), {productOf(node, *shape)});
  Shape flat{productOf(node, node.shapeOf(node.input(0)))};
  FailureOr<Value> updates = reshapeTo(node, node.input(0), flat),
                   indices = reshapeTo(node, node.input(1), flat);
  if (failed(updates) || failed(indices))
    return failure();
  Value scattered = graph::ScatterPointsOp::create(
      node.builder, node.loc, zeros.getType(), zeros,
      insertUnitDims(node, *indices, 1), *updates,
      node.builder.getDenseI64ArrayAttr({-1}), graph::Combination::Replace,
      /*is_unsigned=*/false);
  FailureOr<Value> result = reshapeTo(node, scattered, *shape);
  if (failed(result))
    return failure();
  if (node.input(2)) {
    FailureOr<Shape> wanted =
        elementSizes(node, node.input(2), "output_shape");
    if (failed(wanted))
      return failure();
    if (wanted->size() != shape->size())
      return node.error("expects output_shape to have " +
                        Twine(shape->size()) + " numbers");
    Shape low(shape->size(), node.constantSize(0)), high = low;
    for (size_t i = 0; i < shape->size(); ++i) {
      high[i] = (*wanted)[i] - (*shape)[i];
      if (auto known = dyn_cast<AffineConstantExpr>(high[i]);
          known && known.getValue() < 0)
        return node.error("output_shape is less than what the window gives "
                          "along axis " +
                          Twine(i));
    }
    result = Value(tensor::PadOp::create(
        node.builder, node.loc, node.typeOf(*wanted, type), *result,
        node.materialize(low), node.materialize(high), node.scalar(0.0, type),
        /*nofold=*/false));
  }
  node.setOutput(0, *result);
  return success();
}

} // namespace

void addTransposedConvolutionTranslators(TranslatorTable &table) {
  table.add("ConvTranspose", convTranspose);
  table.add("MaxUnpool", maxUnpool);
}

} // namespace tessera::onnx_importer
