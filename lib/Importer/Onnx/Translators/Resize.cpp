// Resize and Upsample: along each axis a repetition of elements, a gather
// (nearest) or two (linear), by indices and weights that are computed here or,
// where sizes are not known, at run time.
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

/// How one axis is resized.
struct AxisScale {
  int64_t axis;
  AffineExpr from, to;
  std::optional<double> scale; // as given; else to / from
};

enum class Nearest { Floor, Ceil, RoundPreferFloor, RoundPreferCeil };

struct Method {
  bool isLinear = false;
  StringRef coordinates;
  Nearest nearest = Nearest::RoundPreferFloor;
};

/// The position in the source that element `x` of the result is at.
double sourcePosition(double from, double to, double scale,
                      StringRef coordinates, double x) {
  if (coordinates == "asymmetric")
    return x / scale;
  // The width before it is rounded down to a number of elements.
  double width = scale * from;
  if (coordinates == "align_corners")
    return width > 1.0 ? x * (from - 1) / (width - 1.0) : 0.0;
  if (coordinates == "pytorch_half_pixel" && to <= 1)
    return 0.0;
  double position = (x + 0.5) / scale - 0.5;
  if (coordinates == "half_pixel_symmetric")
    position += from / 2.0 * (1.0 - to / width);
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
                  Value indices) {
  Shape shape = node.shapeOf(tensor);
  shape[s.axis] = s.to;
  Type elementType = cast<RankedTensorType>(tensor.getType()).getElementType();
  return graph::GatherOp::create(node.builder, node.loc,
                                 node.typeOf(shape, elementType), tensor,
                                 indices, s.axis);
}

/// low + (high - low) * weight, with one weight for each element of the axis.
FailureOr<Value> interpolate(NodeContext &node, Value low, Value high,
                             const AxisScale &s, Value weights) {
  auto type = cast<RankedTensorType>(low.getType());
  Shape shape(type.getRank() - s.axis, node.constantSize(1));
  shape[0] = s.to;
  FailureOr<Value> wide =
      reshapeTo(node, castFloat(node, weights, type.getElementType()), shape);
  if (succeeded(wide))
    wide = broadcastTo(node, *wide, node.shapeOf(low));
  if (failed(wide))
    return failure();
  Value difference = node.create<arith::SubFOp>(high, low);
  return node.create<arith::AddFOp>(
      low, node.create<arith::MulFOp>(difference, *wide));
}

/// Where the elements of the result come from: vectors with one element for
/// each. Nearest has only `low`.
struct Sources {
  Value low, high, weights;
};

Sources knownSources(NodeContext &node, int64_t from, int64_t to, double scale,
                     const Method &method) {
  SmallVector<int64_t> low, high;
  SmallVector<float> weights;
  auto clamped = [&](double position) {
    return static_cast<int64_t>(
        std::clamp<double>(position, 0.0, static_cast<double>(from - 1)));
  };
  for (int64_t x = 0; x < to; ++x) {
    double position = sourcePosition(from, to, scale, method.coordinates, x);
    if (!method.isLinear) {
      low.push_back(clamped(nearestPosition(method.nearest, position)));
      continue;
    }
    double before = std::floor(position);
    low.push_back(clamped(before));
    high.push_back(clamped(before + 1));
    weights.push_back(static_cast<float>(position - before));
  }
  auto constant = [&](Type type, auto numbers) {
    return arith::ConstantOp::create(
        node.builder, node.loc,
        DenseElementsAttr::get(RankedTensorType::get(to, type), numbers));
  };
  Type i64 = node.builder.getI64Type();
  Sources sources;
  sources.low = constant(i64, ArrayRef<int64_t>(low));
  if (method.isLinear) {
    sources.high = constant(i64, ArrayRef<int64_t>(high));
    sources.weights =
        constant(node.builder.getF32Type(), ArrayRef<float>(weights));
  }
  return sources;
}

/// As knownSources, computed at run time in f32, as ONNX Runtime does.
class SourcesAtRunTime {
public:
  SourcesAtRunTime(NodeContext &node, const AxisScale &s, const Method &method)
      : node(node), method(method), shape{s.to}, from(number(s.from)),
        to(number(s.to)),
        scale(s.scale ? constant(*s.scale)
                      : node.create<arith::DivFOp>(to, from)) {}

  Sources compute() {
    Value position = positions();
    if (!method.isLinear)
      return {index(nearest(position)), {}, {}};
    Value before = node.create<math::FloorOp>(position);
    return {index(before), index(add(before, all(constant(1)))),
            node.create<arith::SubFOp>(position, before)};
  }

private:
  Value constant(double value) {
    return node.scalar(value, node.builder.getF32Type());
  }
  Value number(AffineExpr size) {
    Value integer = node.create<arith::IndexCastOp>(
        node.builder.getI64Type(), node.materializeIndex(size));
    return node.create<arith::SIToFPOp>(node.builder.getF32Type(), integer);
  }
  Value all(Value scalar) { return node.filled(scalar, shape); }
  Value add(Value a, Value b) { return node.create<arith::AddFOp>(a, b); }
  Value sub(Value a, Value b) { return node.create<arith::SubFOp>(a, b); }
  Value mul(Value a, Value b) { return node.create<arith::MulFOp>(a, b); }
  Value div(Value a, Value b) { return node.create<arith::DivFOp>(a, b); }

  /// The elements' numbers.
  Value numbers() {
    Value iota = graph::IotaOp::create(
        node.builder, node.loc, node.typeOf(shape, node.builder.getI64Type()),
        /*dimension=*/0, node.dynamicSizes(shape));
    return node.create<arith::SIToFPOp>(
        node.typeOf(shape, node.builder.getF32Type()), iota);
  }

  /// sourcePosition of each element.
  Value positions() {
    Value x = numbers(), one = constant(1), half = constant(0.5);
    if (method.coordinates == "asymmetric")
      return div(x, all(scale));
    Value width = mul(scale, from);
    auto orZero = [&](Value size, Value value) {
      Value isMany = node.create<arith::CmpFOp>(arith::CmpFPredicate::OGT, size,
                                                one);
      return node.create<arith::SelectOp>(isMany, value, constant(0));
    };
    if (method.coordinates == "align_corners") {
      // Products first: where the position is whole it is exact.
      Value room = node.create<arith::MaximumFOp>(sub(width, one),
                                                  constant(1e-6));
      return div(mul(x, all(orZero(width, sub(from, one)))), all(room));
    }
    Value position = sub(div(add(x, all(half)), all(scale)), all(half));
    if (method.coordinates == "pytorch_half_pixel")
      return mul(position, all(orZero(to, one)));
    if (method.coordinates == "half_pixel_symmetric")
      return add(position,
                 all(mul(mul(from, half), sub(one, div(to, width)))));
    return position;
  }

  Value nearest(Value position) {
    Value half = all(constant(0.5));
    switch (method.nearest) {
    case Nearest::Floor:
      return node.create<math::FloorOp>(position);
    case Nearest::Ceil:
      return node.create<math::CeilOp>(position);
    case Nearest::RoundPreferFloor:
      return node.create<math::CeilOp>(sub(position, half));
    case Nearest::RoundPreferCeil:
      return node.create<math::FloorOp>(add(position, half));
    }
    llvm_unreachable("covered switch");
  }

  /// `position`, whole numbers, as indices of the source.
  Value index(Value position) {
    Value last = sub(from, constant(1));
    Value inside = node.create<arith::MinimumFOp>(
        node.create<arith::MaximumFOp>(position, all(constant(0))), all(last));
    return node.create<arith::FPToSIOp>(
        node.typeOf(shape, node.builder.getI64Type()), inside);
  }

  NodeContext &node;
  const Method &method;
  Shape shape;
  Value from, to, scale;
};

/// The whole number of times that every element is repeated, if that is what
/// the method comes to whatever the size.
std::optional<int64_t> repetitionsOf(const AxisScale &s, const Method &method) {
  if (!s.scale || method.isLinear || *s.scale < 1 || *s.scale > 64 ||
      *s.scale != std::floor(*s.scale) || method.coordinates == "align_corners")
    return std::nullopt;
  auto times = static_cast<int64_t>(*s.scale);
  // Positions move by one with every `times` elements.
  for (int64_t x = 0; x < times; ++x) {
    double position =
        sourcePosition(/*from=*/2, 2.0 * times, times, method.coordinates, x);
    if (std::max(nearestPosition(method.nearest, position), 0.0) != 0)
      return std::nullopt;
    position = sourcePosition(2, 2.0 * times, times, method.coordinates,
                              times + x);
    if (std::min(nearestPosition(method.nearest, position), 1.0) != 1)
      return std::nullopt;
  }
  // The first and last are limited by the borders, not inner ones.
  double first =
      sourcePosition(3, 3.0 * times, times, method.coordinates, times);
  double last =
      sourcePosition(3, 3.0 * times, times, method.coordinates, 2 * times - 1);
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
  auto from = dyn_cast<AffineConstantExpr>(s.from);
  auto to = dyn_cast<AffineConstantExpr>(s.to);
  Sources sources;
  if (from && to) {
    double scale = s.scale ? *s.scale
                           : static_cast<double>(to.getValue()) / from.getValue();
    sources =
        knownSources(node, from.getValue(), to.getValue(), scale, method);
  } else {
    sources = SourcesAtRunTime(node, s, method).compute();
  }
  Value first = gatherAlong(node, tensor, s, sources.low);
  if (!method.isLinear)
    return first;
  return interpolate(node, first, gatherAlong(node, tensor, s, sources.high), s,
                     sources.weights);
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

/// `size` times `scale`, rounded down; null where only a known size could be.
AffineExpr scaledSize(NodeContext &node, AffineExpr size, double scale) {
  if (auto known = dyn_cast<AffineConstantExpr>(size))
    return node.constantSize(
        static_cast<int64_t>(std::floor(known.getValue() * scale)));
  // A quotient of small numbers in f32.
  constexpr int64_t kLargestDivisor = 256;
  for (int64_t divisor = 1; divisor <= kLargestDivisor; ++divisor) {
    double factor = std::round(scale * divisor);
    if (factor < 1 || factor > INT32_MAX)
      continue;
    if (static_cast<float>(factor / divisor) == static_cast<float>(scale))
      return (size * static_cast<int64_t>(factor)).floorDiv(divisor);
  }
  return {};
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
  SmallVector<double> scales;
  Shape sizes;
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
    AxisScale scale{axis, shape[axis], {}, std::nullopt};
    if (!sizes.empty()) {
      scale.to = sizes[i];
      scale.scale = wholeScale(node, scale.from, scale.to);
    } else {
      scale.scale = scales[i];
      scale.to = scaledSize(node, scale.from, scales[i]);
    }
    if (scale.scale == 1.0)
      continue;
    if (!scale.to)
      return node.error("needs the size of axis " + Twine(axis) +
                        ", which is scaled by " + std::to_string(scales[i]) +
                        "; pin it");
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
