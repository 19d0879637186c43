// Resize and Upsample: along each axis a repetition of elements, a gather
// (nearest), two (linear) or four (cubic), by indices and weights
// (ResizeSources.h).
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/ResizeSources.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

Value gatherAlong(NodeContext &node, Value tensor, const AxisScale &s,
                  Value indices) {
  Shape shape = node.shapeOf(tensor);
  shape[s.axis] = s.to;
  Type elementType = cast<RankedTensorType>(tensor.getType()).getElementType();
  return graph::GatherOp::create(node.builder, node.loc,
                                 node.typeOf(shape, elementType), tensor,
                                 indices, s.axis);
}

/// One weight for each element of the axis, in the shape of `like`.
FailureOr<Value> spreadWeights(NodeContext &node, Value weights,
                               const AxisScale &s, Value like) {
  auto type = cast<RankedTensorType>(like.getType());
  Shape shape(type.getRank() - s.axis, node.constantSize(1));
  shape[0] = s.to;
  FailureOr<Value> wide =
      reshapeTo(node, castFloat(node, weights, type.getElementType()), shape);
  if (succeeded(wide))
    wide = broadcastTo(node, *wide, node.shapeOf(like));
  return wide;
}

/// low + (high - low) * weight
FailureOr<Value> interpolate(NodeContext &node, Value low, Value high,
                             const AxisScale &s, Value weights) {
  FailureOr<Value> wide = spreadWeights(node, weights, s, low);
  if (failed(wide))
    return failure();
  Value difference = node.create<arith::SubFOp>(high, low);
  return node.create<arith::AddFOp>(
      low, node.create<arith::MulFOp>(difference, *wide));
}

/// The sum of the elements at `sources`, each times its weight.
FailureOr<Value> weightedSum(NodeContext &node, Value tensor,
                             const AxisScale &s, const Sources &sources) {
  Value sum;
  for (auto [indices, weights] : llvm::zip(sources.indices, sources.weights)) {
    Value elements = gatherAlong(node, tensor, s, indices);
    FailureOr<Value> wide = spreadWeights(node, weights, s, elements);
    if (failed(wide))
      return failure();
    Value term = node.create<arith::MulFOp>(elements, *wide);
    sum = sum ? node.create<arith::AddFOp>(sum, term) : term;
  }
  return sum;
}

/// The whole number of times that every element is repeated, if that is what
/// the method comes to whatever the size.
std::optional<int64_t> repetitionsOf(const AxisScale &s, const Method &method) {
  if (!s.scale || method.kind != Interpolation::Nearest || *s.scale < 1 || *s.scale > 64 ||
      *s.scale != std::floor(*s.scale) || method.coordinates == "align_corners")
    return std::nullopt;
  auto times = static_cast<int64_t>(*s.scale);
  // Positions move by one with every `times` elements.
  for (int64_t x = 0; x < times; ++x) {
    double position =
        sourcePosition<double>(/*from=*/2, 2.0 * times, times, method.coordinates, x);
    if (std::max(nearestPosition(method.nearest, position), 0.0) != 0)
      return std::nullopt;
    position = sourcePosition<double>(2, 2.0 * times, times, method.coordinates,
                                      times + x);
    if (std::min(nearestPosition(method.nearest, position), 1.0) != 1)
      return std::nullopt;
  }
  // The first and last are limited by the borders, not inner ones.
  double first =
      sourcePosition<double>(3, 3.0 * times, times, method.coordinates, times);
  double last =
      sourcePosition<double>(3, 3.0 * times, times, method.coordinates,
                             2 * times - 1);
  if (nearestPosition(method.nearest, first) != 1 ||
      nearestPosition(method.nearest, last) != 1)
    return std::nullopt;
  return times;
}

/// Every element of the axis `times` times in a row.
FailureOr<Value> repeatAlong(NodeContext &node, Value tensor, int64_t axis,
                             int64_t times) {
  Shape result = node.shapeOf(tensor);
  Value wide = insertUnitDims(node, tensor, {axis + 1});
  Shape shape = node.shapeOf(wide);
  shape[axis + 1] = node.constantSize(times);
  FailureOr<Value> repeated = broadcastTo(node, wide, shape);
  if (failed(repeated))
    return failure();
  result[axis] = result[axis] * times;
  return reshapeTo(node, *repeated, result);
}

FailureOr<Value> resizeAxis(NodeContext &node, Value tensor, const AxisScale &s,
                            const Method &method) {
  if (std::optional<int64_t> times = repetitionsOf(s, method))
    return repeatAlong(node, tensor, s.axis, *times);
  if (failed(node.requireSizes({s.to}, "the result")) ||
      failed(node.requireElements(s.from, s.to, "axis " + Twine(s.axis))))
    return failure();
  Sources sources = sourcesOf(node, s, method);
  if (method.kind == Interpolation::Cubic)
    return weightedSum(node, tensor, s, sources);
  Value first = gatherAlong(node, tensor, s, sources.indices[0]);
  if (method.kind == Interpolation::Nearest)
    return first;
  return interpolate(node, first, gatherAlong(node, tensor, s, sources.indices[1]),
                     s, sources.weights[0]);
}

FailureOr<Method> methodOf(NodeContext &node) {
  Method method;
  StringRef mode = node.string("mode", "nearest");
  if (mode == "linear" || mode == "bilinear")
    method.kind = Interpolation::Linear;
  else if (mode == "cubic")
    method.kind = Interpolation::Cubic;
  else if (mode != "nearest")
    return node.error("mode '" + mode + "' does not exist");
  method.cubicCoefficient = node.number("cubic_coeff_a", -0.75);
  if (method.kind != Interpolation::Nearest && node.integer("exclude_outside", 0))
    return node.error("exclude_outside is not supported");
  if (node.integer("antialias", 0))
    return node.error("antialias is not supported");
  // Before opset 11 there was one way.
  bool isOld = node.version() < 11 || node.opType() == "Upsample";
  method.coordinates =
      isOld ? "asymmetric"
            : node.string("coordinate_transformation_mode", "half_pixel");
  if (!llvm::is_contained({"asymmetric", "align_corners", "half_pixel",
                           "pytorch_half_pixel", "half_pixel_symmetric"},
                          method.coordinates))
    return node.error("coordinate_transformation_mode '" + method.coordinates +
                      "' is not supported");
  StringRef nearest =
      isOld ? "floor" : node.string("nearest_mode", "round_prefer_floor");
  if (nearest == "floor")
    method.nearest = Nearest::Floor;
  else if (nearest == "ceil")
    method.nearest = Nearest::Ceil;
  else if (nearest == "round_prefer_ceil")
    method.nearest = Nearest::RoundPreferCeil;
  else if (nearest != "round_prefer_floor")
    return node.error("nearest_mode '" + nearest + "' does not exist");
  return method;
}

/// `size` times `scale`, a constant or an f32 scalar made of sizes, rounded down,
/// as f32 arithmetic gives it.
AffineExpr scaledSize(NodeContext &node, AffineExpr size, const AxisScale &s) {
  // A multiple of a power of two is exact.
  constexpr int64_t kLargestDivisor = 256;
  for (int64_t divisor = 1; s.scale && divisor <= kLargestDivisor; divisor *= 2) {
    double factor = *s.scale * divisor;
    if (factor == std::floor(factor) && factor >= 1 && factor <= INT32_MAX)
      return (size * static_cast<int64_t>(factor)).floorDiv(divisor);
  }
  Type i64 = node.builder.getI64Type(), f32 = node.builder.getF32Type();
  Value from = node.create<arith::SIToFPOp>(
      f32, node.create<arith::IndexCastOp>(i64, node.materializeIndex(size)));
  Value scale = s.scale ? node.scalar(*s.scale, f32) : s.factor;
  Value to = node.create<math::FloorOp>(node.create<arith::MulFOp>(from, scale));
  return node.sizes.sizeOf(node.create<arith::FPToSIOp>(i64, to));
}

/// How many times `from` the size `to` is, if that is a small whole number.
std::optional<double> wholeScale(NodeContext &node, AffineExpr from,
                                 AffineExpr to) {
  for (int64_t times = 1; times <= 8; ++times)
    if (node.sizes.areEqual(to, from * times))
      return times;
  return std::nullopt;
}

/// Scales or sizes of `axes`; an empty tensor stands for an omitted one.
FailureOr<SmallVector<AxisScale>> scalesOf(NodeContext &node,
                                           ArrayRef<int64_t> axes) {
  SmallVector<Value> scales;
  Shape sizes;
  bool isOld = node.opType() == "Upsample" || node.version() < 11;
  auto isGiven = [&](unsigned index) {
    return node.input(index) && !(node.inputType(index).hasStaticShape() &&
                                  node.inputType(index).getNumElements() == 0);
  };
  unsigned scalesIndex = isOld ? 1 : 2;
  if (node.opType() == "Upsample" && node.version() < 9) {
    for (float scale : node.numbers("scales"))
      scales.push_back(node.scalar(scale, node.builder.getF32Type()));
  } else if (isGiven(scalesIndex)) {
    auto given = elementsOf(node, node.input(scalesIndex));
    if (!given)
      return node.error("scales depend on the model's data; they must be "
                        "computed from shapes and constants");
    scales = *given;
  } else if (isGiven(3)) {
    FailureOr<Shape> given = elementSizes(node, node.input(3), "sizes");
    if (failed(given))
      return failure();
    sizes = *given;
  }
  if (scales.size() + sizes.size() != axes.size())
    return node.error("expects one scale or size for each of " +
                      Twine(axes.size()) + " axes");
  Shape shape = node.shapeOf(node.input(0));
  SmallVector<AxisScale> result;
  for (auto [i, axis] : llvm::enumerate(axes)) {
    AxisScale scale{axis, shape[axis], {}, std::nullopt, {}};
    if (!sizes.empty()) {
      scale.to = sizes[i];
      scale.scale = wholeScale(node, scale.from, scale.to);
    } else {
      FloatAttr constant;
      if (matchPattern(scales[i], m_Constant(&constant)))
        scale.scale = constant.getValueAsDouble();
      else
        scale.factor = scales[i];
      scale.to = scaledSize(node, scale.from, scale);
    }
    if (scale.scale == 1.0)
      continue;
    for (AffineExpr size : {scale.from, scale.to})
      if (auto known = dyn_cast<AffineConstantExpr>(size);
          known && (known.getValue() < 1 || known.getValue() >= INT32_MAX))
        return node.error("cannot resize axis " + Twine(axis) +
                          " from or to size " + Twine(known.getValue()));
    result.push_back(scale);
  }
  return result;
}

LogicalResult resize(NodeContext &node) {
  int64_t rank = node.inputRank(0);
  FailureOr<Method> method = methodOf(node);
  if (failed(method))
    return failure();
  if (node.string("keep_aspect_ratio_policy", "stretch") != "stretch")
    return node.error("keep_aspect_ratio_policy is not supported");
  SmallVector<int64_t> axes = node.integers("axes");
  if (axes.empty())
    axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  for (int64_t &axis : axes) {
    FailureOr<int64_t> normal = node.normalizeAxis(axis, rank);
    if (failed(normal))
      return failure();
    axis = *normal;
  }
  FailureOr<SmallVector<AxisScale>> scales = scalesOf(node, axes);
  if (failed(scales))
    return failure();
  Type type = node.inputType(0).getElementType();
  method->type = type.isF64() ? FloatType(node.builder.getF64Type())
                              : node.builder.getF32Type();
  bool computes = method->kind != Interpolation::Nearest;
  if (computes && !isa<FloatType>(type))
    return node.error("interpolation of integers is not supported");
  FailureOr<Value> result =
      computes ? widenToF32(node, node.input(0)) : node.input(0);
  for (const AxisScale &scale : *scales) {
    result = resizeAxis(node, *result, scale, *method);
    if (failed(result))
      return failure();
  }
  node.setOutput(0, computes ? castFloat(node, *result, type) : *result);
  return success();
}

} // namespace

void addResizeTranslators(TranslatorTable &table) {
  table.add("Resize", resize);
  table.add("Upsample", resize);
}

} // namespace tessera::onnx_importer
