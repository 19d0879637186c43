// Transposed convolutions: by phases, or of an image spread out by zeros.
#include "lib/Importer/Onnx/TransposedConvolution.h"
#include "lib/Importer/Onnx/Shaping.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

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

/// Phases [first, first + count) of a result along an axis, which `taps` elements
/// of the kernel each contribute to.
struct Phases {
  int64_t first, count, taps;
};

/// The transposed convolution of `image` [batch, spatial..., channels]; results
/// of f16 and bf16 are f32, before the bias.
class TransposedConvolution {
public:
  TransposedConvolution(NodeContext &node, TransposedWindow window, int64_t groups)
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
  SmallVector<Phases> phasesOf(int64_t axis) const;
  FailureOr<Value> filterOf(ArrayRef<Phases> phases);
  FailureOr<Value> computePhases(Value image, ArrayRef<Phases> phases);
  FailureOr<Value> concatPhases(Value image, SmallVector<Phases> &chosen);
  FailureOr<Value> fromPhases(Value image);
  FailureOr<Value> mirroredFilter();
  FailureOr<Value> fromSpreadOut(Value image);
  Value convolve(Value image, Value filter, ArrayRef<int64_t> low,
                 ArrayRef<int64_t> high, ArrayRef<int64_t> dilations);

  NodeContext &node;
  TransposedWindow window;
  int64_t groups, spatial;
  /// Of the convolutions that compute phases: zeros around the image.
  SmallVector<int64_t> skipped, high;
  RankedTensorType filterType;
  Type sumType;
};

/// Elements of one row of a kernel whose size is a multiple of the stride belong
/// to the phases in turn, equally many to each; else each phase is alone.
SmallVector<Phases> TransposedConvolution::phasesOf(int64_t axis) const {
  int64_t kernel = window.kernel[axis], stride = window.strides[axis];
  if (kernel % stride == 0)
    return {{0, stride, kernel / stride}};
  SmallVector<Phases> phases;
  for (int64_t phase = 0; phase < stride; ++phase)
    phases.push_back({phase, 1, llvm::divideCeilSigned(kernel - phase, stride)});
  return phases;
}

/// Depthwise convolutions have no columns to compute several phases in.
bool TransposedConvolution::mayUsePhases() const {
  constexpr int64_t kMostConvolutions = 16;
  auto isOne = [](int64_t value) { return value == 1; };
  int64_t convolutions = 1;
  for (int64_t i = 0; i < spatial && convolutions <= kMostConvolutions; ++i)
    convolutions *= phasesOf(i).size();
  return llvm::all_of(window.dilations, isOne) &&
         !llvm::all_of(window.strides, isOne) &&
         (groups == 1 || channelsOfGroup() > 1) &&
         convolutions <= kMostConvolutions;
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
/// groups * phases... * outputs / groups]: tap t of phase p is element
/// (taps - 1 - t) * stride + p of the kernel.
FailureOr<Value> TransposedConvolution::filterOf(ArrayRef<Phases> phases) {
  Value filter = node.input(1);
  // [groups, channels, outputs, taps and phases alternating]
  Shape apart{node.constantSize(groups), node.constantSize(channelsOfGroup()),
              node.constantSize(outputsOfGroup())};
  Shape joined;
  SmallVector<int64_t> reversed, order, phaseOrder;
  int64_t columns = groups * outputsOfGroup();
  for (auto [i, axis] : llvm::enumerate(phases)) {
    if (axis.count < window.strides[i])
      filter = sliceWithin(node, filter, i + 2, node.constantSize(axis.first),
                           node.constantSize(axis.taps), window.strides[i]);
    if (axis.taps > 1)
      reversed.push_back(apart.size());
    order.push_back(apart.size());
    phaseOrder.push_back(apart.size() + 1);
    joined.push_back(node.constantSize(axis.taps));
    apart.append({joined.back(), node.constantSize(axis.count)});
    columns *= axis.count;
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

/// [batch, positions and phases alternating..., groups * outputs]
FailureOr<Value>
TransposedConvolution::computePhases(Value image, ArrayRef<Phases> phases) {
  Shape from = node.shapeOf(image), wanted{from[0]}, apart{from[0]};
  SmallVector<int64_t> low, order{0}, ones(spatial, 1);
  for (auto [i, axis] : llvm::enumerate(phases)) {
    low.push_back(axis.taps - 1 - skipped[i]);
    apart.push_back(from[i + 1] + (high[i] - skipped[i]));
    wanted.append({apart.back(), node.constantSize(axis.count)});
    order.append({static_cast<int64_t>(i) + 1,
                  spatial + 2 + static_cast<int64_t>(i)});
  }
  wanted.push_back(node.constantSize(groups * outputsOfGroup()));
  if (llvm::any_of(phases, [](const Phases &axis) { return axis.taps == 0; }))
    return node.filled(node.scalar(0.0, sumType), wanted);
  FailureOr<Value> filter = filterOf(phases);
  if (failed(filter))
    return failure();
  // [batch, positions..., groups * phases... * outputs]
  Value columns = convolve(image, *filter, low, high, ones);
  apart.push_back(node.constantSize(groups));
  for (const Phases &axis : phases)
    apart.push_back(node.constantSize(axis.count));
  apart.push_back(node.constantSize(outputsOfGroup()));
  order.append({spatial + 1, 2 * spatial + 2});
  FailureOr<Value> split = reshapeTo(node, columns, apart);
  if (failed(split))
    return failure();
  return reshapeTo(node, transpose(node, *split, order), wanted);
}

/// As computePhases, of all phases along the axes that `chosen` says nothing of.
FailureOr<Value>
TransposedConvolution::concatPhases(Value image,
                                    SmallVector<Phases> &chosen) {
  int64_t axis = chosen.size();
  if (axis == spatial)
    return computePhases(image, chosen);
  SmallVector<Value> parts;
  for (const Phases &phases : phasesOf(axis)) {
    chosen.push_back(phases);
    FailureOr<Value> part = concatPhases(image, chosen);
    chosen.pop_back();
    if (failed(part))
      return failure();
    parts.push_back(*part);
  }
  if (parts.size() == 1)
    return parts.front();
  return Value(tensor::ConcatOp::create(node.builder, node.loc, 2 + 2 * axis,
                                        parts));
}

/// Result o = m * stride + p is a sum over x[m - q] * kernel[q * stride + p]:
/// convolutions of stride 1 compute the phases p as columns of their own (Shi et
/// al., "Is the deconvolution layer the same as a convolutional layer?", 2016).
FailureOr<Value> TransposedConvolution::fromPhases(Value image) {
  Shape from = node.shapeOf(image), joined{from[0]}, sizes;
  for (int64_t i = 0; i < spatial; ++i) {
    int64_t stride = window.strides[i], beyond = window.kernel[i] - stride -
                                                 window.high[i] + window.extra[i];
    int64_t leastTaps = window.kernel[i] / stride;
    skipped.push_back(std::clamp<int64_t>(window.low[i] / stride, 0,
                                          std::max<int64_t>(leastTaps - 1, 0)));
    high.push_back(
        std::max<int64_t>(0, llvm::divideCeilSigned(beyond, stride)));
    joined.push_back((from[i + 1] + (high[i] - skipped[i])) * stride);
    sizes.push_back(from[i + 1] * stride + (beyond - window.low[i]));
    if (auto known = dyn_cast<AffineConstantExpr>(sizes.back());
        known && known.getValue() < 0)
      return node.error("the result would have a size of " +
                        Twine(known.getValue()));
  }
  joined.push_back(node.constantSize(groups * outputsOfGroup()));
  SmallVector<Phases> chosen;
  FailureOr<Value> result = concatPhases(image, chosen);
  if (failed(result))
    return failure();
  result = reshapeTo(node, *result, joined);
  for (int64_t i = 0; i < spatial && succeeded(result); ++i) {
    int64_t first = window.low[i] - skipped[i] * window.strides[i];
    if (first != 0 || !node.sizes.areEqual(sizes[i], joined[i + 1]))
      result = sliceAlong(node, *result, i + 1, node.constantSize(first),
                          sizes[i]);
  }
  return result;
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

} // namespace

FailureOr<Value> transposedConvolution(NodeContext &node, Value image,
                                       TransposedWindow window,
                                       int64_t groups) {
  return TransposedConvolution(node, std::move(window), groups).build(image);
}

} // namespace tessera::onnx_importer
