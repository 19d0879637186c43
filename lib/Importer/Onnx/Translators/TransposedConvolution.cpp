// Transposed convolution and unpooling.
#include "lib/Importer/Onnx/Convolving.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

#include "llvm/Support/MathExtras.h"

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

/// [batch, spatial..., channels] with stride - 1 zeros between elements: zeros go
/// behind each element, into dimensions of their own, which then join.
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

/// The transposed convolution of `image` [batch, spatial..., channels]; results
/// of f16 and bf16 are f32, before the bias.
class TransposedConvolution {
public:
  TransposedConvolution(NodeContext &node, Window window, int64_t groups)
      : node(node), window(std::move(window)), groups(groups),
        spatial(this->window.kernel.size()), filterType(node.inputType(1)) {
    Type type = filterType.getElementType();
    sumType = type.isF16() || type.isBF16() ? node.builder.getF32Type() : type;
  }

  FailureOr<Value> build(Value image) {
    return mayUsePhases() ? fromPhases(image) : fromSpreadOut(image);
  }

private:
  int64_t channelsOfGroup() const { return filterType.getDimSize(0) / groups; }
  int64_t outputsOfGroup() const { return filterType.getDimSize(1); }
  bool mayUsePhases() const;
  FailureOr<Value> filterOfPhases(ArrayRef<int64_t> taps);
  FailureOr<Value> fromPhases(Value image);
  FailureOr<Value> joinPhases(Value phases, ArrayRef<int64_t> firsts);
  FailureOr<Value> mirroredFilter();
  FailureOr<Value> fromSpreadOut(Value image);
  Value convolve(Value image, Value filter, ArrayRef<int64_t> low,
                 ArrayRef<int64_t> high, ArrayRef<int64_t> dilations);

  NodeContext &node;
  Window window;
  int64_t groups, spatial;
  RankedTensorType filterType;
  Type sumType;
};

/// Depthwise convolutions have no columns to compute several phases in.
bool TransposedConvolution::mayUsePhases() const {
  auto isOne = [](int64_t value) { return value == 1; };
  return llvm::all_of(window.dilations, isOne) &&
         !llvm::all_of(window.strides, isOne) &&
         (groups == 1 || channelsOfGroup() > 1);
}

Value TransposedConvolution::convolve(Value image, Value filter,
                                      ArrayRef<int64_t> low,
                                      ArrayRef<int64_t> high,
                                      ArrayRef<int64_t> dilations) {
  Shape from = node.shapeOf(image), shape{from[0]};
  auto type = cast<RankedTensorType>(filter.getType());
  for (int64_t i = 0; i < spatial; ++i)
    shape.push_back(from[i + 1] + (low[i] + high[i] -
                                   (type.getDimSize(i) - 1) * dilations[i]));
  shape.push_back(node.constantSize(type.getShape().back()));
  SmallVector<int64_t> ones(spatial, 1);
  return graph::ConvOp::create(node.builder, node.loc,
                               node.typeOf(shape, sumType), image, filter, ones,
                               dilations, low, high, groups);
}

/// [channels, outputs / groups, kernel...] as [taps..., channels / groups,
/// groups * strides... * outputs / groups]: tap t of phase p is element
/// (taps - 1 - t) * stride + p of the kernel, zero behind its end.
FailureOr<Value> TransposedConvolution::filterOfPhases(ArrayRef<int64_t> taps) {
  Value filter = node.input(1);
  Type type = filterType.getElementType();
  AffineExpr zero = node.constantSize(0);
  Shape padded = node.shapeOf(filter), low(padded.size(), zero), high = low;
  for (int64_t i = 0; i < spatial; ++i) {
    int64_t size = taps[i] * window.strides[i];
    padded[i + 2] = node.constantSize(size);
    high[i + 2] = node.constantSize(size - window.kernel[i]);
  }
  if (node.typeOf(padded, type) != filterType)
    filter = tensor::PadOp::create(node.builder, node.loc,
                                   node.typeOf(padded, type), filter,
                                   node.materialize(low), node.materialize(high),
                                   node.scalar(0.0, type), /*nofold=*/false);
  // [groups, channels, outputs, taps and phases alternating]
  Shape apart{node.constantSize(groups), node.constantSize(channelsOfGroup()),
              node.constantSize(outputsOfGroup())};
  SmallVector<int64_t> reversed, order, phaseOrder;
  Shape joined;
  int64_t columns = groups * outputsOfGroup();
  for (int64_t i = 0; i < spatial; ++i) {
    if (taps[i] > 1)
      reversed.push_back(apart.size());
    order.push_back(apart.size());
    phaseOrder.push_back(apart.size() + 1);
    apart.append({node.constantSize(taps[i]),
                  node.constantSize(window.strides[i])});
    joined.push_back(apart[apart.size() - 2]);
    columns *= window.strides[i];
  }
  FailureOr<Value> split = reshapeTo(node, filter, apart);
  if (failed(split))
    return failure();
  if (!reversed.empty())
    split = Value(graph::ReverseOp::create(
        node.builder, node.loc, split->getType(), *split,
        node.builder.getDenseI64ArrayAttr(reversed)));
  order.append({1, 0});
  order.append(phaseOrder);
  order.push_back(2);
  joined.append({node.constantSize(channelsOfGroup()),
                 node.constantSize(columns)});
  return reshapeTo(node, transpose(node, *split, order), joined);
}

/// [batch, positions..., groups * strides... * outputs] as [batch, positions and
/// phases..., groups * outputs], cut to the result, which begins at `firsts`.
FailureOr<Value> TransposedConvolution::joinPhases(Value phases,
                                                   ArrayRef<int64_t> firsts) {
  Shape from = node.shapeOf(phases), apart(from.begin(), from.end() - 1);
  Shape joined{from[0]};
  SmallVector<int64_t> order{0};
  apart.push_back(node.constantSize(groups));
  for (int64_t i = 0; i < spatial; ++i) {
    order.append({i + 1, spatial + 2 + i});
    apart.push_back(node.constantSize(window.strides[i]));
    joined.push_back(from[i + 1] * window.strides[i]);
  }
  order.append({spatial + 1, 2 * spatial + 2});
  apart.push_back(node.constantSize(outputsOfGroup()));
  joined.push_back(node.constantSize(groups * outputsOfGroup()));
  FailureOr<Value> result = reshapeTo(node, phases, apart);
  if (failed(result))
    return failure();
  result = reshapeTo(node, transpose(node, *result, order), joined);
  for (int64_t i = 0; i < spatial && succeeded(result); ++i) {
    AffineExpr size = node.shapeOf(node.input(0))[i + 2] * window.strides[i] +
                      (window.kernel[i] - window.strides[i] - window.low[i] -
                       window.high[i] + window.extra[i]);
    if (auto known = dyn_cast<AffineConstantExpr>(size);
        known && known.getValue() < 0)
      return node.error("the result would have a size of " +
                        Twine(known.getValue()));
    if (firsts[i] != 0 || !node.sizes.areEqual(size, joined[i + 1]))
      result = sliceAlong(node, *result, i + 1, node.constantSize(firsts[i]),
                          size);
  }
  return result;
}

/// Result o = m * stride + p is a sum over x[m - q] * kernel[q * stride + p]: one
/// convolution, of stride 1, computes the phases p as columns of their own (Shi et
/// al., "Is the deconvolution layer the same as a convolutional layer?", 2016).
FailureOr<Value> TransposedConvolution::fromPhases(Value image) {
  SmallVector<int64_t> taps, low, high, firsts, ones(spatial, 1);
  for (int64_t i = 0; i < spatial; ++i) {
    int64_t stride = window.strides[i];
    taps.push_back(llvm::divideCeil(window.kernel[i], stride));
    // Positions in front of the result, and those of its last elements.
    int64_t skipped = std::min(window.low[i] / stride, taps[i] - 1);
    firsts.push_back(window.low[i] - skipped * stride);
    low.push_back(taps[i] - 1 - skipped);
    high.push_back(std::max<int64_t>(
        0, llvm::divideCeilSigned(window.kernel[i] - stride - window.high[i] +
                                      window.extra[i],
                                  stride)));
  }
  FailureOr<Value> filter = filterOfPhases(taps);
  if (failed(filter))
    return failure();
  return joinPhases(convolve(image, *filter, low, high, ones), firsts);
}

/// [channels, outputs / groups, spatial...] as the filter of a convolution the
/// other way: [spatial..., channels / groups, outputs], mirrored.
FailureOr<Value> TransposedConvolution::mirroredFilter() {
  SmallVector<int64_t> dimensions =
      llvm::to_vector(llvm::seq<int64_t>(2, spatial + 2));
  Value mirrored = graph::ReverseOp::create(
      node.builder, node.loc, filterType, node.input(1),
      node.builder.getDenseI64ArrayAttr(dimensions));
  Shape from = node.shapeOf(node.input(1));
  Shape apart{node.constantSize(groups), node.constantSize(channelsOfGroup())};
  apart.append(from.begin() + 1, from.end());
  FailureOr<Value> split = reshapeTo(node, mirrored, apart);
  if (failed(split))
    return failure();
  // [groups, channels, outputs, spatial...] to [spatial..., channels, groups,
  // outputs]
  SmallVector<int64_t> order;
  for (int64_t dimension : dimensions)
    order.push_back(dimension + 1);
  order.append({1, 0, 2});
  Shape joined(from.begin() + 2, from.end());
  joined.push_back(apart[1]);
  joined.push_back(node.constantSize(groups * outputsOfGroup()));
  return reshapeTo(node, transpose(node, *split, order), joined);
}

/// A convolution of the image, spread out by the strides, with the mirrored
/// filter.
FailureOr<Value> TransposedConvolution::fromSpreadOut(Value image) {
  FailureOr<Value> wide = spreadOut(node, image, window.strides);
  FailureOr<Value> filter = mirroredFilter();
  if (failed(wide) || failed(filter))
    return failure();
  SmallVector<int64_t> low, high;
  for (int64_t i = 0; i < spatial; ++i) {
    int64_t reach = (window.kernel[i] - 1) * window.dilations[i];
    int64_t before = reach - window.low[i],
            after = reach - window.high[i] + window.extra[i];
    // Pads of more than the window's reach cut off.
    int64_t cutLow = std::max<int64_t>(-before, 0),
            cutHigh = std::max<int64_t>(-after, 0);
    if (cutLow + cutHigh > 0)
      wide = sliceAlong(node, *wide, i + 1, node.constantSize(cutLow),
                        node.shapeOf(*wide)[i + 1] - (cutLow + cutHigh));
    low.push_back(before + cutLow);
    high.push_back(after + cutHigh);
  }
  return convolve(*wide, *filter, low, high, window.dilations);
}

/// What a convolution with these attributes would have read, from its result.
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
  FailureOr<Value> result =
      TransposedConvolution(node, *window, groups)
          .build(transpose(node, node.input(0), toChannelsLast(rank)));
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
