// Indices and weights of resized axes; see the header.
#include "lib/Importer/Onnx/ResizeSources.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;

namespace tessera::onnx_importer {

template <typename Float>
Float sourcePosition(Float from, Float to, Float scale, StringRef coordinates,
                     Float x) {
  if (coordinates == "asymmetric")
    return x / scale;
  // The width before it is rounded down to a number of elements.
  Float width = scale * from;
  // Products first: where the position is whole it is exact.
  if (coordinates == "align_corners")
    return width > 1 ? x * (from - 1) / (width - 1) : 0;
  if (coordinates == "pytorch_half_pixel" && to <= 1)
    return 0;
  Float half = 0.5, position = (x + half) / scale - half;
  if (coordinates == "half_pixel_symmetric")
    position += from * half * (1 - to / width);
  return position;
}

template <typename Float> Float nearestPosition(Nearest nearest, Float position) {
  switch (nearest) {
  case Nearest::Floor:
    return std::floor(position);
  case Nearest::Ceil:
    return std::ceil(position);
  case Nearest::RoundPreferFloor:
    return std::ceil(position - Float(0.5));
  case Nearest::RoundPreferCeil:
    return std::floor(position + Float(0.5));
  }
  llvm_unreachable("covered switch");
}

template double sourcePosition(double, double, double, StringRef, double);
template double nearestPosition(Nearest, double);

namespace {

/// The first and last place that is read, counted from the one before a position.
std::pair<int64_t, int64_t> tapsOf(const Method &method) {
  return method.kind == Interpolation::Cubic ? std::pair(-1, 2)
                                             : std::pair(0, 1);
}

/// The weight of an element at distance `x` from 0 to 2 (Keys, Cubic convolution
/// interpolation, 1981).
template <typename Float> Float cubicWeight(Float a, Float x) {
  return x <= 1 ? ((a + 2) * x - (a + 3)) * x * x + 1
                : ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
}

/// The sources by arithmetic in `Float`, which is `method.type`.
template <typename Float>
Sources knownSources(NodeContext &node, int64_t from, int64_t to,
                     std::optional<double> givenScale, const Method &method) {
  Float scale = givenScale ? Float(*givenScale) : Float(to) / Float(from);
  SmallVector<SmallVector<int64_t>> indices;
  SmallVector<SmallVector<Float>> weights;
  auto append = [](auto &lists, size_t number, auto value) {
    lists.resize(std::max(lists.size(), number + 1));
    lists[number].push_back(value);
  };
  auto clamped = [&](Float position) {
    return static_cast<int64_t>(
        std::clamp<Float>(position, 0, static_cast<Float>(from - 1)));
  };
  for (int64_t x = 0; x < to; ++x) {
    Float position = sourcePosition<Float>(from, to, scale, method.coordinates, x);
    if (method.kind == Interpolation::Nearest) {
      append(indices, 0, clamped(nearestPosition(method.nearest, position)));
      continue;
    }
    Float before = std::floor(position), part = position - before;
    auto [first, last] = tapsOf(method);
    for (int64_t tap = first; tap <= last; ++tap)
      append(indices, tap - first, clamped(before + tap));
    if (method.kind == Interpolation::Linear)
      append(weights, 0, part);
    else
      for (int64_t tap = first; tap <= last; ++tap)
        append(weights, tap - first,
               cubicWeight<Float>(method.cubicCoefficient,
                                  std::abs(part - Float(tap))));
  }
  auto constant = [&](Type type, auto numbers) {
    return arith::ConstantOp::create(
        node.builder, node.loc,
        DenseElementsAttr::get(RankedTensorType::get(to, type), numbers));
  };
  Sources sources;
  for (ArrayRef<int64_t> list : indices)
    sources.indices.push_back(constant(node.builder.getI64Type(), list));
  for (ArrayRef<Float> list : weights)
    sources.weights.push_back(constant(method.type, list));
  return sources;
}

/// As knownSources, computed at run time.
class SourcesAtRunTime {
public:
  SourcesAtRunTime(NodeContext &node, const AxisScale &s, const Method &method)
      : node(node), method(method), shape{s.to}, from(number(s.from)),
        to(number(s.to)),
        scale(s.scale    ? constant(*s.scale)
              : s.factor ? castFloat(node, s.factor, method.type)
                         : node.create<arith::DivFOp>(to, from)) {}

  Sources compute() {
    Value position = positions();
    if (method.kind == Interpolation::Nearest)
      return {{index(nearest(position))}, {}};
    Value before = node.create<math::FloorOp>(position);
    Value part = sub(position, before);
    Sources sources;
    auto [first, last] = tapsOf(method);
    for (int64_t tap = first; tap <= last; ++tap) {
      sources.indices.push_back(index(add(before, all(constant(tap)))));
      if (method.kind == Interpolation::Cubic)
        sources.weights.push_back(cubic(sub(part, all(constant(tap)))));
    }
    if (method.kind == Interpolation::Linear)
      sources.weights.push_back(part);
    return sources;
  }

private:
  Value constant(double value) {
    return node.scalar(value, method.type);
  }
  Value number(AffineExpr size) {
    Value integer = node.create<arith::IndexCastOp>(
        node.builder.getI64Type(), node.materializeIndex(size));
    return node.create<arith::SIToFPOp>(method.type, integer);
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
    return node.create<arith::SIToFPOp>(node.typeOf(shape, method.type), iota);
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

  /// cubicWeight of each |distance|.
  Value cubic(Value distance) {
    Value x = node.create<math::AbsFOp>(distance);
    double a = method.cubicCoefficient;
    auto polynomial = [&](ArrayRef<double> coefficients) {
      Value sum = all(constant(coefficients.front()));
      for (double coefficient : coefficients.drop_front())
        sum = add(mul(sum, x), all(constant(coefficient)));
      return sum;
    };
    Value isNear = node.create<arith::CmpFOp>(arith::CmpFPredicate::OLE, x,
                                              all(constant(1)));
    return node.create<arith::SelectOp>(
        isNear, polynomial({a + 2, -(a + 3), 0, 1}),
        polynomial({a, -5 * a, 8 * a, -4 * a}));
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

} // namespace

Sources sourcesOf(NodeContext &node, const AxisScale &s, const Method &method) {
  auto from = dyn_cast<AffineConstantExpr>(s.from);
  auto to = dyn_cast<AffineConstantExpr>(s.to);
  if (!from || !to)
    return SourcesAtRunTime(node, s, method).compute();
  auto known = method.type.isF64() ? knownSources<double> : knownSources<float>;
  return known(node, from.getValue(), to.getValue(), s.scale, method);
}

} // namespace tessera::onnx_importer
