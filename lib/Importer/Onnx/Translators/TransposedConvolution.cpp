// Transposed convolution and unpooling.
#include "lib/Importer/Onnx/Convolving.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TransposedConvolution.h"
#include "lib/Importer/Onnx/TranslatorTable.h"
#include "lib/Importer/Onnx/Windows.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

/// Axes along which the whole result is computed, and `size` elements of it are taken
/// when the input's size is known: pads that output_shape asks for.
struct Cut {
  size_t axis;
  AffineExpr size;
};

/// Pads that give the result `wanted` of axis `i`, or ceil(size * stride) with
/// auto_pad.
void padToShape(NodeContext &node, TransposedWindow &window, size_t i,
                std::optional<int64_t> wanted, bool extraIsHigh,
                SmallVectorImpl<Cut> &cuts) {
  int64_t size = node.inputType(0).getDimSize(i + 2);
  int64_t reach = (window.kernel[i] - 1) * window.dilations[i] + 1;
  // Without output_shape the input's size cancels out.
  int64_t total = reach - window.strides[i] + window.extra[i];
  if (wanted && ShapedType::isDynamic(size)) {
    window.low[i] = window.high[i] = 0;
    cuts.push_back({i, node.constantSize(*wanted)});
    return;
  }
  if (wanted)
    total = window.strides[i] * (size - 1) + window.extra[i] + reach - *wanted;
  // Less than nothing is cut off: the result is longer at its end.
  if (total < 0) {
    window.extra[i] -= total;
    total = 0;
  }
  window.low[i] = extraIsHigh ? total / 2 : total - total / 2;
  window.high[i] = total - window.low[i];
}

/// The elements of `image`, channels last, that `cut` keeps: as padToShape, of a size
/// that is not known.
Value cutToShape(NodeContext &node, Value image, const Cut &cut,
                 bool extraIsHigh) {
  int64_t axis = cut.axis + 1;
  AffineExpr zero = node.constantSize(0);
  Shape shape = node.shapeOf(image), low(shape.size(), zero), high = low;
  high[axis] = atLeastZero(node, cut.size - shape[axis]);
  Value padded =
      padWithConstant(node, image, low, high,
                      node.scalar(0.0, getElementTypeOrSelf(image)));
  AffineExpr total = atLeastZero(node, shape[axis] - cut.size);
  AffineExpr offset = extraIsHigh ? total.floorDiv(2) : total.ceilDiv(2);
  return sliceAlong(node, padded, axis, offset, cut.size);
}

FailureOr<TransposedWindow> windowOf(NodeContext &node,
                                     SmallVectorImpl<Cut> &cuts) {
  TransposedWindow window;
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
      padToShape(node, window, i,
                 shape.empty() ? std::optional<int64_t>() : shape[i],
                 autoPad == "SAME_UPPER", cuts);
  return window;
}

/// What a convolution with these attributes would have read, from its result.
LogicalResult convTranspose(NodeContext &node) {
  int64_t rank = node.inputRank(0), groups = node.integer("group", 1);
  RankedTensorType filterType = node.inputType(1);
  int64_t channels = node.inputType(0).getDimSize(1);
  Value image = node.input(0);
  if (rank < 3 || filterType.getRank() != rank)
    return node.error("expects input and filter of one rank of at least 3");
  if (!filterType.hasStaticShape())
    return node.error("expects the filter's sizes to be known");
  if (ShapedType::isDynamic(channels)) {
    channels = filterType.getDimSize(0);
    if (failed(node.requireEqual(node.shapeOf(image)[1],
                                 node.constantSize(channels),
                                 "channels of input and filter")))
      return failure();
    // In the type that says so, also where the size is computed of others.
    Shape shape = node.shapeOf(image);
    shape[1] = node.constantSize(channels);
    FailureOr<Value> known = broadcastTo(node, image, shape);
    if (failed(known))
      return failure();
    image = *known;
  }
  if (groups < 1 || channels % groups || filterType.getDimSize(0) != channels)
    return node.error("a filter of " + Twine(filterType.getDimSize(0)) +
                      " channels and " + Twine(groups) +
                      " groups do not fit an input of " + Twine(channels) +
                      " channels");
  SmallVector<Cut> cuts;
  FailureOr<TransposedWindow> window = windowOf(node, cuts);
  if (failed(window))
    return failure();
  FailureOr<Value> result =
      transposedConvolution(
          node, transpose(node, image, toChannelsLast(rank)), *window, groups);
  if (failed(result))
    return failure();
  for (const Cut &cut : cuts)
    if (succeeded(result))
      result = cutToShape(node, *result, cut,
                          node.string("auto_pad", "NOTSET") == "SAME_UPPER");
  if (failed(result))
    return failure();
  if (Value bias = node.input(2))
    result = addBias(node, *result,
                     castFloat(node, bias, getElementTypeOrSelf(*result)));
  if (failed(result))
    return failure();
  node.setOutput(0, transpose(node, castFloat(node, *result,
                                              filterType.getElementType()),
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
  if (failed(shape) || failed(requireSameSizes(node, 0, 1)))
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
      if (failed(node.requireAtMost((*shape)[i], (*wanted)[i],
                                    "output_shape is less than what the window "
                                    "gives along axis " +
                                        Twine(i))))
        return failure();
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
