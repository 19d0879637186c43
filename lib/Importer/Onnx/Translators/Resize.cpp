// Resize and Upsample: along each axis a gather (nearest) or two (linear), by
// indices and weights that are computed here.
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

/// How one axis is resized.
struct AxisScale {
  int64_t axis, from, to;
  double scale; // as given, or to / from
};

enum class Nearest { Floor, Ceil, RoundPreferFloor, RoundPreferCeil };

struct Method {
  bool isLinear = false;
  StringRef coordinates;
  Nearest nearest = Nearest::RoundPreferFloor;
};

/// The position in the source that element `x` of the result is at.
double sourcePosition(const AxisScale &s, StringRef coordinates, double x) {
  if (coordinates == "asymmetric")
    return x / s.scale;
  // The width before it is rounded down to a number of elements.
  double width = s.scale * s.from;
  if (coordinates == "align_corners")
    return width > 1.0 ? x * (s.from - 1) / (width - 1.0) : 0.0;
  if (coordinates == "pytorch_half_pixel" && s.to <= 1)
    return 0.0;
  double position = (x + 0.5) / s.scale - 0.5;
  if (coordinates == "half_pixel_symmetric")
    position += s.from / 2.0 * (1.0 - s.to / width);
  return position;
}

double nearestPosition(Nearest nearest, double position) {
  switch (nearest) {
  case Nearest::Floor:
    return std::floor(position);
  case Nearest::Ceil:
    return std::ceil(position);
  case Nearest::RoundPreferFloor:
    return std::ceil(position - 0.5);
  case Nearest::RoundPreferCeil:
    return std::floor(position + 0.5);
  }
  llvm_unreachable("covered switch");
}

Value gatherAlong(NodeContext &node, Value tensor, const AxisScale &s,
                  ArrayRef<int64_t> indices) {
  Type i64 = node.builder.getI64Type();
  Value list = arith::ConstantOp::create(
      node.builder, node.loc,
      DenseElementsAttr::get(RankedTensorType::get(s.to, i64), indices));
  Shape shape = node.shapeOf(tensor);
  shape[s.axis] = node.constantSize(s.to);
  Type elementType = cast<RankedTensorType>(tensor.getType()).getElementType();
  return graph::GatherOp::create(node.builder, node.loc,
                                 node.typeOf(shape, elementType), tensor, list,
                                 s.axis);
}

/// low + (high - low) * weight, with one weight for each element of the axis.
FailureOr<Value> interpolate(NodeContext &node, Value low, Value high,
                             const AxisScale &s, ArrayRef<float> weights) {
  auto type = cast<RankedTensorType>(low.getType());
  Value list = arith::ConstantOp::create(
      node.builder, node.loc,
      DenseElementsAttr::get(
          RankedTensorType::get(s.to, node.builder.getF32Type()), weights));
  Shape shape(type.getRank() - s.axis, node.constantSize(1));
  shape[0] = node.constantSize(s.to);
  FailureOr<Value> wide =
      reshapeTo(node, castFloat(node, list, type.getElementType()), shape);
  if (succeeded(wide))
    wide = broadcastTo(node, *wide, node.shapeOf(low));
  if (failed(wide))
    return failure();
  Value difference = node.create<arith::SubFOp>(high, low);
  return node.create<arith::AddFOp>(
      low, node.create<arith::MulFOp>(difference, *wide));
}

FailureOr<Value> resizeAxis(NodeContext &node, Value tensor, const AxisScale &s,
                            const Method &method) {
  SmallVector<int64_t> low, high;
  SmallVector<float> weights;
  auto clamped = [&](double position) {
    return static_cast<int64_t>(
        std::clamp<double>(position, 0.0, static_cast<double>(s.from - 1)));
  };
  for (int64_t x = 0; x < s.to; ++x) {
    double position = sourcePosition(s, method.coordinates, x);
    if (!method.isLinear) {
      low.push_back(clamped(nearestPosition(method.nearest, position)));
      continue;
    }
    double before = std::floor(position);
    low.push_back(clamped(before));
    high.push_back(clamped(before + 1));
    weights.push_back(static_cast<float>(position - before));
  }
  Value first = gatherAlong(node, tensor, s, low);
  if (!method.isLinear)
    return first;
  return interpolate(node, first, gatherAlong(node, tensor, s, high), s,
                     weights);
}

FailureOr<Method> methodOf(NodeContext &node) {
  Method method;
  StringRef mode = node.string("mode", "nearest");
  method.isLinear = mode == "linear" || mode == "bilinear";
  if (!method.isLinear && mode != "nearest")
    return node.error("mode '" + mode +
                      "' is not supported; nearest and linear are");
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

/// The numbers of a constant float tensor.
FailureOr<SmallVector<double>> constantFloats(NodeContext &node, Value tensor) {
  DenseFPElementsAttr constant;
  if (!matchPattern(tensor, m_Constant(&constant)) ||
      constant.getNumElements() > kMaxViewedElements)
    return node.error("scales must be constant");
  SmallVector<double> numbers;
  for (APFloat value : constant.getValues<APFloat>())
    numbers.push_back(value.convertToDouble());
  return numbers;
}

/// Scales or sizes of `axes`; an empty tensor stands for an omitted one.
FailureOr<SmallVector<AxisScale>> scalesOf(NodeContext &node,
                                           ArrayRef<int64_t> axes) {
  SmallVector<double> scales;
  SmallVector<int64_t> sizes;
  bool isOld = node.opType() == "Upsample" || node.version() < 11;
  auto isGiven = [&](unsigned index) {
    return node.input(index) && !(node.inputType(index).hasStaticShape() &&
                                  node.inputType(index).getNumElements() == 0);
  };
  unsigned scalesIndex = isOld ? 1 : 2;
  if (node.opType() == "Upsample" && node.version() < 9) {
    for (float scale : node.numbers("scales"))
      scales.push_back(scale);
  } else if (isGiven(scalesIndex)) {
    auto given = constantFloats(node, node.input(scalesIndex));
    if (failed(given))
      return failure();
    scales = *given;
  } else if (isGiven(3)) {
    auto given = requireConstantIntegers(node, node.input(3), "sizes");
    if (failed(given))
      return failure();
    sizes = *given;
  }
  if (scales.size() + sizes.size() != axes.size())
    return node.error("expects one scale or size for each of " +
                      Twine(axes.size()) + " axes");
  SmallVector<AxisScale> result;
  for (auto [i, axis] : llvm::enumerate(axes)) {
    int64_t from = node.inputType(0).getDimSize(axis);
    if (!scales.empty() && scales[i] == 1.0)
      continue;
    if (ShapedType::isDynamic(from))
      return node.error("needs the size of axis " + Twine(axis) + "; pin it");
    double to = scales.empty() ? sizes[i] : std::floor(from * scales[i]);
    if (!(to >= 1 && to < INT32_MAX) || from < 1)
      return node.error("cannot resize axis " + Twine(axis) + " of size " +
                        Twine(from) + " to " + std::to_string(to));
    int64_t size = static_cast<int64_t>(to);
    result.push_back(
        {axis, from, size, scales.empty() ? to / from : scales[i]});
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
  if (method->isLinear && !isa<FloatType>(type))
    return node.error("linear interpolation of integers is not supported");
  FailureOr<Value> result =
      method->isLinear ? widenToF32(node, node.input(0)) : node.input(0);
  for (const AxisScale &scale : *scales) {
    result = resizeAxis(node, *result, scale, *method);
    if (failed(result))
      return failure();
  }
  node.setOutput(0,
                 method->isLinear ? castFloat(node, *result, type) : *result);
  return success();
}

} // namespace

void addResizeTranslators(TranslatorTable &table) {
  table.add("Resize", resize);
  table.add("Upsample", resize);
}

} // namespace tessera::onnx_importer
