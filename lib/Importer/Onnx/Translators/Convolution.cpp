// Convolution and pooling. Graph operations are channels-last, so transposes go
// around them.
#include "dialects/Graph/IR/WindowSizes.h"
#include "lib/Importer/Onnx/Convolving.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Reducing.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;

namespace tessera::onnx_importer {

SmallVector<int64_t> toChannelsLast(int64_t rank) {
  SmallVector<int64_t> permutation{0};
  for (int64_t i = 2; i < rank; ++i)
    permutation.push_back(i);
  permutation.push_back(1);
  return permutation;
}

SmallVector<int64_t> toChannelsFirst(int64_t rank) {
  SmallVector<int64_t> permutation{0, rank - 1};
  for (int64_t i = 1; i < rank - 1; ++i)
    permutation.push_back(i);
  return permutation;
}

namespace {

/// Attributes of a window over the spatial dimensions.
struct Window {
  SmallVector<int64_t> kernel, strides, dilations, low, high;
  /// Pads that depend on sizes unknown at compile time, or empty; they go around
  /// the image before the window does, whose own pads they are not part of.
  Shape sizedLow, sizedHigh;
};

/// Pads such that the result's size is ceil(size / stride).
void padToSame(NodeContext &node, Window &window, bool extraIsLow) {
  Shape image = node.shapeOf(node.input(0));
  for (size_t i = 0; i < window.kernel.size(); ++i) {
    AffineExpr size = image[i + 2];
    int64_t reach = window.dilations[i] * (window.kernel[i] - 1) + 1;
    int64_t stride = window.strides[i];
    AffineExpr total = node.constantSize(reach - 1);
    if (stride != 1) // less what the last stride does not reach
      total = (size.ceilDiv(stride) - 1) * stride + reach - size;
    if (reach < stride)
      total = reach == 1 ? node.constantSize(0) : atLeastZero(node, total);
    if (std::optional<int64_t> known = constantOf(total)) {
      window.low[i] = extraIsLow ? *known - *known / 2 : *known / 2;
      window.high[i] = *known - window.low[i];
      continue;
    }
    if (window.sizedLow.empty())
      window.sizedLow = window.sizedHigh =
          Shape(window.kernel.size(), node.constantSize(0));
    AffineExpr half = total.floorDiv(2);
    window.sizedLow[i] = extraIsLow ? total - half : half;
    window.sizedHigh[i] = total - window.sizedLow[i];
  }
}

/// `image` [batch, channels, spatial...] with the window's pads of unknown size
/// around it, which `reduction` over the window ignores.
Value padBySizes(NodeContext &node, const Window &window, Value image,
                 Reduction reduction = Reduction::Sum) {
  if (window.sizedLow.empty())
    return image;
  Value fill = neutralOf(node, reduction, getElementTypeOrSelf(image),
                         node.isUnsigned());
  Shape low(2, node.constantSize(0)), high = low;
  llvm::append_range(low, window.sizedLow);
  llvm::append_range(high, window.sizedHigh);
  return padWithConstant(node, image, low, high, fill);
}

FailureOr<Window> windowOf(NodeContext &node, ArrayRef<int64_t> kernel) {
  size_t spatial = node.inputRank(0) - 2;
  Window window;
  window.kernel.assign(kernel.begin(), kernel.end());
  auto list = [&](StringRef name, size_t length, int64_t otherwise,
                  int64_t least) -> FailureOr<SmallVector<int64_t>> {
    SmallVector<int64_t> values = node.integers(name);
    if (values.empty())
      values.assign(length, otherwise);
    if (values.size() != length ||
        llvm::any_of(values, [&](int64_t v) { return v < least; }))
      return node.error("expects '" + name + "' to be " + Twine(length) +
                        " numbers of at least " + Twine(least));
    return values;
  };
  auto strides = list("strides", spatial, 1, 1);
  auto dilations = list("dilations", spatial, 1, 1);
  auto pads = list("pads", 2 * spatial, 0, 0);
  if (failed(strides) || failed(dilations) || failed(pads))
    return failure();
  if (kernel.size() != spatial ||
      llvm::any_of(kernel, [](int64_t size) { return size < 1; }))
    return node.error("expects a kernel of " + Twine(spatial) +
                      " known sizes of at least 1");
  window.strides = *strides;
  window.dilations = *dilations;
  window.low.assign(pads->begin(), pads->begin() + spatial);
  window.high.assign(pads->begin() + spatial, pads->end());
  StringRef autoPad = node.string("auto_pad", "NOTSET");
  if (autoPad == "SAME_UPPER" || autoPad == "SAME_LOWER") {
    padToSame(node, window, autoPad == "SAME_LOWER");
  } else if (autoPad == "VALID") {
    window.low.assign(spatial, 0);
    window.high.assign(spatial, 0);
  } else if (autoPad != "NOTSET") {
    return node.error("auto_pad '" + autoPad + "' does not exist");
  }
  return window;
}

/// Spatial sizes after the window: floor((size + pads - reach) / stride) + 1,
/// or as ONNX pooling rounds up with `ceilMode`.
FailureOr<Shape> windowedSizes(NodeContext &node, const Shape &input,
                               const Window &window, bool ceilMode) {
  Shape sizes;
  for (size_t i = 0; i < window.kernel.size(); ++i) {
    AffineExpr size = input[i + 2];
    int64_t reach = window.dilations[i] * (window.kernel[i] - 1);
    AffineExpr room = size + (window.low[i] + window.high[i] - reach - 1);
    if (auto constant = dyn_cast<AffineConstantExpr>(size)) {
      int64_t least = ceilMode ? 1 - window.strides[i] : 0;
      if (cast<AffineConstantExpr>(room).getValue() < least)
        return node.error("the window is larger than the padded dimension " +
                          Twine(i + 2));
      sizes.push_back(node.constantSize(graph::windowOutputSize(
          constant.getValue(), window.kernel[i], window.strides[i],
          window.dilations[i], window.low[i], window.high[i], ceilMode)));
    } else {
      sizes.push_back(graph::windowOutputSize(
          size, window.kernel[i], window.strides[i], window.dilations[i],
          window.low[i], window.high[i], ceilMode));
    }
  }
  return sizes;
}

} // namespace

FailureOr<Value> addBias(NodeContext &node, Value tensor, Value bias) {
  if (failed(requireShape(node, bias, {node.shapeOf(tensor).back()},
                          "the bias")))
    return failure();
  FailureOr<Value> wide = broadcastTo(node, bias, node.shapeOf(tensor));
  if (failed(wide))
    return failure();
  return isa<FloatType>(getElementTypeOrSelf(tensor))
             ? node.create<arith::AddFOp>(tensor, *wide)
             : node.create<arith::AddIOp>(tensor, *wide);
}

FailureOr<Value> convolve(NodeContext &node, Value image, Value weights) {
  int64_t rank = node.inputRank(0);
  auto filterType = cast<RankedTensorType>(weights.getType());
  if (rank < 3 || filterType.getRank() != rank)
    return node.error("expects input and filter of one rank of at least 3");
  int64_t groups = node.integer("group", 1);
  int64_t channels = node.inputType(0).getDimSize(1);
  int64_t outputs = filterType.getDimSize(0);
  if (!filterType.hasStaticShape())
    return node.error("expects the filter's sizes to be known");
  if (ShapedType::isDynamic(channels)) {
    channels = filterType.getDimSize(1) * groups;
    if (failed(node.requireEqual(node.shapeOf(image)[1],
                                 node.constantSize(channels),
                                 "channels of input and filter")))
      return failure();
    // In the type that says so.
    FailureOr<Value> known = broadcastTo(node, image, node.shapeOf(image));
    if (failed(known))
      return failure();
    image = *known;
  }
  if (groups < 1 || channels % groups || outputs % groups ||
      filterType.getDimSize(1) != channels / groups)
    return node.error("a filter of " + Twine(filterType.getDimSize(1)) +
                      " channels and " + Twine(groups) +
                      " groups do not fit an input of " + Twine(channels) +
                      " channels");
  FailureOr<Window> window =
      windowOf(node, filterType.getShape().drop_front(2));
  if (failed(window))
    return failure();
  Type type = filterType.getElementType();
  image = padBySizes(node, *window, image);
  FailureOr<Shape> spatial =
      windowedSizes(node, node.shapeOf(image), *window, /*ceilMode=*/false);
  if (failed(spatial))
    return failure();

  Value input = transpose(node, image, toChannelsLast(rank));
  // [outputs, channels, spatial...] to [spatial..., channels, outputs]
  SmallVector<int64_t> filterOrder =
      llvm::to_vector(llvm::seq<int64_t>(2, rank));
  filterOrder.append({1, 0});
  Value filter = transpose(node, weights, filterOrder);
  Shape shape{node.shapeOf(input)[0]};
  shape.append(*spatial);
  shape.push_back(node.constantSize(outputs));
  Type wide = type.isF16() || type.isBF16() ? node.builder.getF32Type() : type;
  return Value(graph::ConvOp::create(
      node.builder, node.loc, node.typeOf(shape, wide), input, filter,
      window->strides, window->dilations, window->low, window->high, groups));
}

namespace {

LogicalResult conv(NodeContext &node) {
  FailureOr<Value> result = convolve(node, node.input(0), node.input(1));
  if (succeeded(result) && node.input(2))
    result = addBias(
        node, *result,
        castFloat(node, node.input(2), getElementTypeOrSelf(*result)));
  if (failed(result))
    return failure();
  Type type = node.inputType(1).getElementType();
  node.setOutput(0, transpose(node, castFloat(node, *result, type),
                              toChannelsFirst(node.inputRank(0))));
  return success();
}

/// `image` [batch, channels, spatial...] through the window, channels-last.
FailureOr<Value> poolBy(NodeContext &node, Value image, graph::PoolKind kind,
                        const Window &window) {
  bool ceilMode = node.integer("ceil_mode", 0) != 0;
  Shape from = node.shapeOf(image);
  FailureOr<Shape> spatial = windowedSizes(node, from, window, ceilMode);
  if (failed(spatial))
    return failure();
  Shape shape{from[0]};
  shape.append(*spatial);
  shape.push_back(from[1]);
  Type type = getElementTypeOrSelf(image);
  return Value(graph::PoolOp::create(
      node.builder, node.loc, node.typeOf(shape, type),
      transpose(node, image, toChannelsLast(from.size())), kind, window.kernel,
      window.strides, window.dilations, window.low, window.high, ceilMode));
}

/// The average of what is inside of the image, where pads depend on sizes: that of
/// the padded image over that of ones.
FailureOr<Value> averageBySizes(NodeContext &node, const Window &window) {
  Value image = widenToF32(node, node.input(0));
  Type type = getElementTypeOrSelf(image);
  Shape ones = node.shapeOf(image);
  ones[0] = ones[1] = node.constantSize(1);
  auto average = [&](Value of) {
    return poolBy(node, padBySizes(node, window, of),
                  graph::PoolKind::AverageWithPadding, window);
  };
  FailureOr<Value> sum = average(image),
                   count = average(node.filled(node.scalar(1.0, type), ones));
  if (failed(sum) || failed(count))
    return failure();
  count = broadcastTo(node, *count, node.shapeOf(*sum));
  if (failed(count))
    return failure();
  return castFloat(node, node.create<arith::DivFOp>(*sum, *count),
                   node.inputType(0).getElementType());
}

/// Unsigned integers as signed ones in the same order, and back: pools compare
/// signed ones. Others as they are.
Value flipOrder(NodeContext &node, Value x) {
  if (!node.isUnsigned())
    return x;
  unsigned bits = getElementTypeOrSelf(x).getIntOrFloatBitWidth();
  return node.create<arith::XOrIOp>(
      x, node.filled(-std::ldexp(1.0, bits - 1), x));
}

LogicalResult pool(NodeContext &node, graph::PoolKind kind) {
  if (node.inputRank(0) < 3)
    return node.error("expects an input of rank 3 or more");
  if (node.hasOutput(1))
    return node.error("output Indices is not supported; remove it");
  if (node.integer("storage_order", 0))
    return node.error("storage_order 1 is not supported");
  FailureOr<Window> window = windowOf(node, node.integers("kernel_shape"));
  if (failed(window))
    return failure();
  Reduction reduction =
      kind == graph::PoolKind::Max ? Reduction::Max : Reduction::Sum;
  FailureOr<Value> result =
      kind == graph::PoolKind::Average && !window->sizedLow.empty()
          ? averageBySizes(node, *window)
          : poolBy(node,
                   flipOrder(node, padBySizes(node, *window, node.input(0),
                                              reduction)),
                   kind, *window);
  if (failed(result))
    return failure();
  node.setOutput(0, transpose(node, flipOrder(node, *result),
                              toChannelsFirst(node.inputRank(0))));
  return success();
}

/// (sum of |x|^p)^(1/p) over each window. The padding is part of the tensor, so
/// that a mean over full windows, times their size, is the sum.
LogicalResult lpPool(NodeContext &node) {
  int64_t rank = node.inputRank(0);
  double p = static_cast<double>(node.integer("p", 2));
  Type type = node.inputType(0).getElementType();
  if (rank < 3 || p < 1)
    return node.error("expects an input of rank 3 or more and p of at least 1");
  FailureOr<Window> window = windowOf(node, node.integers("kernel_shape"));
  if (failed(window))
    return failure();
  Value x = padBySizes(node, *window, widenToF32(node, node.input(0)));
  Shape from = node.shapeOf(x);
  FailureOr<Shape> spatial = windowedSizes(
      node, from, *window, node.integer("ceil_mode", 0) != 0);
  if (failed(spatial))
    return failure();
  x = transpose(node, x, toChannelsLast(rank));
  x = node.create<math::AbsFOp>(x);
  x = node.create<math::PowFOp>(x, node.filled(p, x));
  Type wide = getElementTypeOrSelf(x);
  Shape low(rank, node.constantSize(0)), high = low;
  double count = 1;
  for (auto [i, size] : llvm::enumerate(*spatial)) {
    // The last window's end; what lies behind it is not read.
    AffineExpr end = (size - 1) * window->strides[i] +
                     (window->dilations[i] * (window->kernel[i] - 1) + 1);
    low[i + 1] = node.constantSize(window->low[i]);
    AffineExpr missing = atLeastZero(node, end - from[i + 2] - window->low[i]);
    high[i + 1] = missing;
    count *= static_cast<double>(window->kernel[i]);
  }
  x = padWithConstant(node, x, low, high, node.scalar(0.0, wide));
  Shape shape{from[0]};
  shape.append(*spatial);
  shape.push_back(from[1]);
  SmallVector<int64_t> none(window->kernel.size(), 0);
  Value mean = graph::PoolOp::create(
      node.builder, node.loc, node.typeOf(shape, wide), x,
      graph::PoolKind::AverageWithPadding, window->kernel, window->strides,
      window->dilations, none, none, /*ceil_mode=*/false);
  Value sum = node.create<arith::MulFOp>(mean, node.filled(count, mean));
  Value norm = node.create<math::PowFOp>(sum, node.filled(1.0 / p, sum));
  node.setOutput(0, transpose(node, castFloat(node, norm, type),
                              toChannelsFirst(rank)));
  return success();
}

LogicalResult maxPool(NodeContext &node) {
  return pool(node, graph::PoolKind::Max);
}

LogicalResult averagePool(NodeContext &node) {
  return pool(node, node.integer("count_include_pad", 0)
                        ? graph::PoolKind::AverageWithPadding
                        : graph::PoolKind::Average);
}

/// Reduces all spatial dimensions; they stay with size 1.
FailureOr<SmallVector<int64_t>> spatialAxes(NodeContext &node) {
  if (node.inputRank(0) < 3)
    return node.error("expects an input of rank 3 or more");
  return llvm::to_vector(llvm::seq<int64_t>(2, node.inputRank(0)));
}

LogicalResult globalMaxPool(NodeContext &node) {
  FailureOr<SmallVector<int64_t>> axes = spatialAxes(node);
  if (failed(axes))
    return failure();
  node.setOutput(0, reduce(node, Reduction::Max, node.input(0), *axes,
                           /*keepDims=*/true, node.isUnsigned()));
  return success();
}

LogicalResult globalAveragePool(NodeContext &node) {
  FailureOr<SmallVector<int64_t>> axes = spatialAxes(node);
  if (failed(axes))
    return failure();
  Value mean = reduceMean(node, widenToF32(node, node.input(0)), *axes,
                          /*keepDims=*/true);
  node.setOutput(0, castFloat(node, mean, node.inputType(0).getElementType()));
  return success();
}

} // namespace

void addConvolutionTranslators(TranslatorTable &table) {
  table.add("Conv", conv);
  table.add("MaxPool", maxPool);
  table.add("AveragePool", averagePool);
  table.add("LpPool", lpPool);
  table.add("GlobalMaxPool", globalMaxPool);
  table.add("GlobalAveragePool", globalAveragePool);
}

} // namespace tessera::onnx_importer
