// Convolution. Graph operations are channels-last, so transposes go around them.
#include "lib/Importer/Onnx/Convolving.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"
#include "lib/Importer/Onnx/Windows.h"

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

/// `image` with the window's pads of unknown size around it, of its zero point.
static Value padByZeroPoint(NodeContext &node, const Window &window,
                            Value image, Value zeroPoint) {
  if (window.sizedLow.empty())
    return image;
  Value pad = zeroPoint
                  ? node.create<tensor::ExtractOp>(zeroPoint, ValueRange())
                  : node.scalarInteger(0, getElementTypeOrSelf(image));
  Shape low(2, node.constantSize(0)), high = low;
  llvm::append_range(low, window.sizedLow);
  llvm::append_range(high, window.sizedHigh);
  return padWithConstant(node, image, low, high, pad);
}

/// The convolution of `input` and `filter`, channels last, of result `shape`.
static Value convolveChannelsLast(NodeContext &node, const Window &window,
                                  Value input, Value filter, const Shape &shape,
                                  const QuantizedFactors *quantized) {
  int64_t groups = node.integer("group", 1);
  Type type = getElementTypeOrSelf(filter);
  if (quantized)
    return quantization::ConvOp::create(
        node.builder, node.loc, node.typeOf(shape, node.builder.getI32Type()),
        input, filter, quantized->lhsZero, quantized->rhsZero, quantized->bias,
        quantized->lhsFormat, quantized->rhsFormat, window.strides,
        window.dilations, window.low, window.high, groups);
  Type wide = type.isF16() || type.isBF16() ? Type(node.builder.getF32Type())
                                            : type;
  return graph::ConvOp::create(node.builder, node.loc, node.typeOf(shape, wide),
                               input, filter, window.strides, window.dilations,
                               window.low, window.high, groups,
                               /*unsigned_input=*/false);
}

FailureOr<Value> convolve(NodeContext &node, Value image, Value weights,
                          const QuantizedFactors *quantized) {
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
    // In the type that says so, also where the size is computed of others.
    Shape shape = node.shapeOf(image);
    shape[1] = node.constantSize(channels);
    FailureOr<Value> known = broadcastTo(node, image, shape);
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
  image = quantized
              ? padByZeroPoint(node, *window, image, quantized->lhsZero)
              : padBySizes(node, *window, image);
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
  return convolveChannelsLast(node, *window, input, filter, shape, quantized);
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

} // namespace

void addConvolutionTranslators(TranslatorTable &table) {
  table.add("Conv", conv);
}

} // namespace tessera::onnx_importer
