// GridSample: reads of an image at places that another tensor says.
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

enum class Padding { Zeros, Border, Reflection };

/// Neighbours along one dimension: places, whole numbers as floats, and weights
/// (null: 1), each [batch, result's spatial sizes...].
struct Tap {
  Value place, weight;
};

/// The tap's index as i64 and, for zeros, whether it is inside.
struct Read {
  Value index, isInside, weight;
};

/// Samples along all spatial dimensions of input 0 at the places in input 1.
class Sampler {
public:
  explicit Sampler(NodeContext &node) : node(node) {}

  LogicalResult run();

private:
  template <typename Op> Value apply(Value a, Value b) {
    return node.create<Op>(a, b);
  }
  Value number(double value) { return node.filled(value, like); }
  /// The size of spatial dimension `i` as a tensor like the coordinates.
  Value sizeOf(int64_t i);
  Value coordinate(int64_t i);
  /// `x` mirrored at the image's borders until it is inside.
  Value reflect(Value x, int64_t i);
  SmallVector<Tap> tapsAt(Value x);
  Read readOf(const Tap &tap, int64_t i);
  FailureOr<Value> sampleTaps(ArrayRef<Read> taps);

  NodeContext &node;
  int64_t spatial = 0;
  StringRef mode;
  Padding padding = Padding::Zeros;
  bool alignCorners = false;
  /// A tensor of the coordinates' shape and type: f64 if the image or the grid is.
  Value like;
  Shape places;
};

Value Sampler::sizeOf(int64_t i) {
  Type type = getElementTypeOrSelf(like);
  AffineExpr size = node.shapeOf(node.input(0))[i + 2];
  if (auto constant = dyn_cast<AffineConstantExpr>(size))
    return number(double(constant.getValue()));
  Value scalar = node.create<arith::IndexCastOp>(node.builder.getI64Type(),
                                                 node.materializeIndex(size));
  return node.filled(node.create<arith::SIToFPOp>(type, scalar), places);
}

/// From [-1, 1] to places in the image: with align_corners the ends are the
/// middles of the outermost elements, else their outer edges.
Value Sampler::coordinate(int64_t i) {
  int64_t rank = spatial + 2;
  // The last component is that of the first dimension.
  Value x = sliceAlong(node, node.input(1), rank - 1,
                       node.constantSize(spatial - 1 - i),
                       node.constantSize(1));
  x = dropDims(node, x, {rank - 1});
  Type f64 = node.builder.getF64Type();
  bool isF64 = llvm::is_contained({node.inputType(0).getElementType(),
                                   node.inputType(1).getElementType()},
                                  f64);
  x = castFloat(node, x, isF64 ? f64 : node.builder.getF32Type());
  like = x;
  Value size = sizeOf(i), shifted = apply<arith::AddFOp>(x, number(1));
  if (alignCorners)
    return apply<arith::MulFOp>(
        apply<arith::DivFOp>(shifted, number(2)),
        apply<arith::SubFOp>(size, number(1)));
  return apply<arith::DivFOp>(
      apply<arith::SubFOp>(apply<arith::MulFOp>(shifted, size), number(1)),
      number(2));
}

Value Sampler::reflect(Value x, int64_t i) {
  Value low = number(alignCorners ? 0.0 : -0.5);
  Value range = alignCorners ? apply<arith::SubFOp>(sizeOf(i), number(1))
                             : sizeOf(i);
  Value period = apply<arith::MulFOp>(range, number(2));
  Value distance = apply<arith::SubFOp>(x, low);
  // The middles of a single element are 0 apart.
  Value divisor = alignCorners ? apply<arith::MaximumFOp>(period, number(1))
                               : period;
  Value periods = node.create<math::FloorOp>(
      apply<arith::DivFOp>(distance, divisor));
  Value rest = apply<arith::SubFOp>(distance,
                                    apply<arith::MulFOp>(periods, period));
  Value back = apply<arith::SubFOp>(period, rest);
  // The way back is shorter in the second half of a period.
  return apply<arith::AddFOp>(low, apply<arith::MinimumFOp>(rest, back));
}

/// Keys' cubic convolution with a = -0.75, at distances 1 + t, t, 1 - t, 2 - t
/// (IEEE ASSP 1981).
SmallVector<Tap> Sampler::tapsAt(Value x) {
  if (mode == "nearest")
    return {{node.create<math::RoundEvenOp>(x), Value()}};
  Value first = node.create<math::FloorOp>(x);
  Value t = apply<arith::SubFOp>(x, first), one = number(1);
  Value rest = apply<arith::SubFOp>(one, t);
  Value second = apply<arith::AddFOp>(first, one);
  if (mode != "cubic")
    return {{first, rest}, {second, t}};
  const double a = -0.75;
  auto polynomial = [&](Value s, std::initializer_list<double> coefficients) {
    Value sum;
    for (double c : coefficients)
      sum = sum ? apply<arith::AddFOp>(apply<arith::MulFOp>(sum, s), number(c))
                : number(c);
    return sum;
  };
  auto nearWeight = [&](Value s) {
    return polynomial(s, {a + 2, -(a + 3), 0, 1});
  };
  auto farWeight = [&](Value s) {
    return polynomial(apply<arith::AddFOp>(s, one), {a, -5 * a, 8 * a, -4 * a});
  };
  return {{apply<arith::SubFOp>(first, one), farWeight(t)},
          {first, nearWeight(t)},
          {second, nearWeight(rest)},
          {apply<arith::AddFOp>(second, one), farWeight(rest)}};
}

Read Sampler::readOf(const Tap &tap, int64_t i) {
  Read read{Value(), Value(), tap.weight};
  Value zero = number(0), place = tap.place;
  Value last = apply<arith::SubFOp>(sizeOf(i), number(1));
  if (padding == Padding::Zeros) {
    using P = arith::CmpFPredicate;
    read.isInside = apply<arith::AndIOp>(
        node.create<arith::CmpFOp>(P::OGE, place, zero),
        node.create<arith::CmpFOp>(P::OLE, place, last));
  } else if (padding == Padding::Reflection) {
    // To the element that it falls in: halves go towards zero.
    place = node.create<math::FloorOp>(reflect(place, i));
  }
  // A NaN reads somewhere inside as well.
  place = apply<arith::MinNumFOp>(apply<arith::MaxNumFOp>(place, zero), last);
  read.index = node.create<arith::FPToSIOp>(
      withElement(place, node.builder.getI64Type()), place);
  return read;
}

/// The weighted elements at one tap of each dimension, [batch, spatial...,
/// channels].
FailureOr<Value> Sampler::sampleTaps(ArrayRef<Read> taps) {
  Shape vectors = places, result = places;
  result.push_back(node.shapeOf(node.input(0))[1]);
  SmallVector<Value> components;
  Value weight, isInside;
  for (const Read &tap : taps) {
    components.push_back(insertUnitDims(node, tap.index, {spatial + 1}));
    if (tap.weight)
      weight = weight ? apply<arith::MulFOp>(weight, tap.weight) : tap.weight;
    if (tap.isInside)
      isInside = isInside ? apply<arith::AndIOp>(isInside, tap.isInside)
                          : tap.isInside;
  }
  vectors.push_back(node.constantSize(spatial));
  Value indices = components.front();
  if (spatial > 1)
    indices = tensor::ConcatOp::create(
        node.builder, node.loc,
        node.typeOf(vectors, node.builder.getI64Type()), spatial + 1,
        components);
  SmallVector<int64_t> dimensions(spatial + 2, -1);
  dimensions[0] = 0;
  dimensions[1] = spatial + 1;
  Type type = node.inputType(0).getElementType();
  Value value = graph::GatherPointsOp::create(
      node.builder, node.loc, node.typeOf(result, type), node.input(0), indices,
      dimensions, node.dynamicSizes(result));
  auto spread = [&](Value tensor) {
    return broadcastTo(
        node, insertUnitDims(node, tensor, {spatial + 1}), result);
  };
  if (isa<FloatType>(type))
    value = castFloat(node, value, getElementTypeOrSelf(like));
  if (weight) {
    FailureOr<Value> wide = spread(weight);
    if (failed(wide))
      return failure();
    value = apply<arith::MulFOp>(value, *wide);
  }
  if (isInside) {
    FailureOr<Value> wide = spread(isInside);
    if (failed(wide))
      return failure();
    value = node.create<arith::SelectOp>(*wide, value,
                                         node.filled(0.0, value));
  }
  return value;
}

LogicalResult Sampler::run() {
  int64_t rank = node.inputRank(0);
  spatial = rank - 2;
  mode = node.string("mode", node.version() < 20 ? "bilinear" : "linear");
  // Names before opset 20.
  mode = mode == "bilinear" ? "linear" : mode == "bicubic" ? "cubic" : mode;
  StringRef pad = node.string("padding_mode", "zeros");
  alignCorners = node.integer("align_corners", 0) != 0;
  if (spatial < 1 || node.inputRank(1) != rank)
    return node.error("expects an image of rank 3 or more and a grid of its rank");
  Shape image = node.shapeOf(node.input(0)), grid = node.shapeOf(node.input(1));
  if (failed(node.requireEqual(image[0], grid[0],
                               "batches of the image and the grid")) ||
      failed(node.requireEqual(grid.back(), node.constantSize(spatial),
                               "the components of a place and the dimensions "
                               "of the image")))
    return failure();
  for (int64_t i = 2; i < rank; ++i)
    if (failed(node.requireAtMost(node.constantSize(1), image[i],
                                  "dimension " + Twine(i) +
                                      " of the image has no elements to read")))
      return failure();
  if (mode != "nearest" && mode != "linear" && mode != "cubic")
    return node.error("mode '" + mode + "' does not exist");
  if (mode == "cubic" && spatial > 3)
    return node.error("mode cubic is supported in up to 3 dimensions");
  if (pad != "zeros" && pad != "border" && pad != "reflection")
    return node.error("padding_mode '" + pad + "' does not exist");
  if (mode != "nearest" && !isa<FloatType>(node.inputType(0).getElementType()))
    return node.error("only floats can be interpolated; mode nearest works");
  padding = pad == "zeros"    ? Padding::Zeros
            : pad == "border" ? Padding::Border
                              : Padding::Reflection;
  places = node.shapeOf(node.input(1));
  places.pop_back();

  SmallVector<SmallVector<Read>> taps;
  for (int64_t i = 0; i < spatial; ++i) {
    Value x = coordinate(i);
    // The nearest place is mirrored as any tap is.
    if (padding == Padding::Reflection && mode != "nearest")
      x = reflect(x, i);
    // Cubic weights are those of the point as it is; its neighbours are clamped.
    if (padding == Padding::Border && mode != "cubic") {
      Value last = apply<arith::SubFOp>(sizeOf(i), number(1));
      x = apply<arith::MinimumFOp>(apply<arith::MaximumFOp>(x, number(0)),
                                   last);
    }
    SmallVector<Read> reads;
    for (const Tap &tap : tapsAt(x))
      reads.push_back(readOf(tap, i));
    taps.push_back(reads);
  }
  // All combinations of taps, as the digits of a number.
  size_t base = taps.front().size(), count = 1;
  for (int64_t i = 0; i < spatial; ++i)
    count *= base;
  Value sum;
  for (size_t combination = 0; combination < count; ++combination) {
    SmallVector<Read> chosen;
    size_t digits = combination;
    for (const SmallVector<Read> &reads : taps) {
      chosen.push_back(reads[digits % base]);
      digits /= base;
    }
    FailureOr<Value> part = sampleTaps(chosen);
    if (failed(part))
      return failure();
    sum = sum ? apply<arith::AddFOp>(sum, *part) : *part;
  }
  SmallVector<int64_t> order{0, rank - 1};
  for (int64_t i = 1; i < rank - 1; ++i)
    order.push_back(i);
  Type type = node.inputType(0).getElementType();
  if (isa<FloatType>(type))
    sum = castFloat(node, sum, type);
  node.setOutput(0, transpose(node, sum, order));
  return success();
}

LogicalResult gridSample(NodeContext &node) { return Sampler(node).run(); }

} // namespace

void addSamplingTranslators(TranslatorTable &table) {
  table.add("GridSample", gridSample);
}

} // namespace tessera::onnx_importer
