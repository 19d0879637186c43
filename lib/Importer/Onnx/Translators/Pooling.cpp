// Pooling. Graph operations are channels-last, so transposes go around them.
#include "lib/Importer/Onnx/Convolving.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Reducing.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"
#include "lib/Importer/Onnx/Windows.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

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

/// Where the elements of windows are in input 0, taken as one row of elements.
class WindowPlaces {
public:
  /// `counts`: windows along each spatial dimension.
  WindowPlaces(NodeContext &node, const Window &window, const Shape &counts)
      : node(node), window(window), sizes(node.shapeOf(node.input(0))),
        shape{sizes[0], sizes[1]} {
    llvm::append_range(shape, counts);
    // storage_order 1: neighbours along the first spatial dimension are adjacent.
    bool isColumnMajor = node.integer("storage_order", 0) != 0;
    ArrayRef<AffineExpr> space = ArrayRef(sizes).drop_front(2);
    AffineExpr plane = productOf(node, space);
    for (size_t i = 0; i < space.size(); ++i) {
      distances.push_back(productOf(
          node, isColumnMajor ? space.take_front(i) : space.drop_front(i + 1)));
      AffineExpr before = node.constantSize(window.low[i]);
      if (!window.sizedLow.empty())
        before = before + window.sizedLow[i];
      begins.push_back(node.create<arith::SubIOp>(
          node.create<arith::MulIOp>(
              indicesAlong(i + 2),
              number(node.constantSize(window.strides[i]))),
          number(before)));
    }
    image = node.create<arith::AddIOp>(
        node.create<arith::MulIOp>(indicesAlong(0), number(sizes[1] * plane)),
        node.create<arith::MulIOp>(indicesAlong(1), number(plane)));
  }

  /// Of the element `at` of every window, [batch, channels, counts...]; -1 in pads.
  Value placesOf(ArrayRef<int64_t> at) {
    Value place = image, isInside;
    for (auto [i, offset] : llvm::enumerate(at)) {
      Value position = node.create<arith::AddIOp>(
          begins[i], number(node.constantSize(offset * window.dilations[i])));
      place = node.create<arith::AddIOp>(
          place, node.create<arith::MulIOp>(position, number(distances[i])));
      // As unsigned numbers those before the beginning are large.
      Value inside = node.create<arith::CmpIOp>(arith::CmpIPredicate::ult,
                                                position, number(sizes[i + 2]));
      isInside =
          isInside ? node.create<arith::AndIOp>(isInside, inside) : inside;
    }
    return node.create<arith::SelectOp>(isInside, place, none());
  }

  Value none() { return node.filled(node.scalarInteger(-1, i64()), shape); }

private:
  Type i64() { return node.builder.getI64Type(); }
  Value indicesAlong(int64_t dimension) {
    return iota(node, shape, i64(), dimension);
  }
  Value number(AffineExpr size) {
    return node.filled(node.create<arith::IndexCastOp>(
                           i64(), node.materializeIndex(size)),
                       shape);
  }

  NodeContext &node;
  const Window &window;
  Shape sizes, shape, distances;
  SmallVector<Value> begins; // of windows, which may lie before the image's
  Value image;               // where the window's image and channel begin
};

/// Input 0 with pads that no element is less than, so large that all windows lie
/// inside.
Value padToWindows(NodeContext &node, const Window &window,
                   const Shape &counts) {
  Value image = padBySizes(node, window, node.input(0), Reduction::Max);
  Shape sizes = node.shapeOf(image);
  Shape low(2, node.constantSize(0)), high = low;
  for (auto [i, count] : llvm::enumerate(counts)) {
    low.push_back(node.constantSize(window.low[i]));
    high.push_back(overhang(node, window, i, sizes[i + 2], count));
  }
  Value lowest = neutralOf(node, Reduction::Max, getElementTypeOrSelf(image),
                           node.isUnsigned());
  return flipOrder(node, padWithConstant(node, image, low, high, lowest));
}

/// Whether `x` replaces the maximum `best`; the first NaN does and stays.
Value isAbove(NodeContext &node, Value x, Value best) {
  if (!isa<FloatType>(getElementTypeOrSelf(x)))
    return node.create<arith::CmpIOp>(arith::CmpIPredicate::sgt, x, best);
  using P = arith::CmpFPredicate;
  return node.create<arith::AndIOp>(
      node.create<arith::CmpFOp>(P::UGT, x, best),
      node.create<arith::CmpFOp>(P::ORD, best, best));
}

/// Output 1 of MaxPool: the place of the maximum of each window, the first of equal
/// ones. Looks at one element of all windows after the other.
LogicalResult setPlacesOfMaxima(NodeContext &node, const Window &window,
                                const Shape &counts) {
  constexpr int64_t kMostElements = 256;
  int64_t elements = 1;
  for (int64_t size : window.kernel)
    elements *= size;
  if (elements > kMostElements)
    return node.error("output Indices of windows of " + Twine(elements) +
                      " elements is not supported; of " + Twine(kMostElements) +
                      " it is");
  Value image = padToWindows(node, window, counts), best, place;
  WindowPlaces places(node, window, counts);
  SmallVector<int64_t> at(window.kernel.size(), 0);
  for (int64_t element = 0; element < elements; ++element) {
    int64_t rest = element;
    Value value = image;
    for (size_t i = at.size(); i-- > 0; rest /= window.kernel[i]) {
      at[i] = rest % window.kernel[i];
      value = sliceWithin(node, value, i + 2,
                          node.constantSize(at[i] * window.dilations[i]),
                          counts[i], window.strides[i]);
    }
    Value here = places.placesOf(at);
    if (!place) {
      best = value;
      place = here;
      continue;
    }
    Value isLarger = isAbove(node, value, best);
    // A pad is as large as the lowest element.
    Value isPad = node.create<arith::CmpIOp>(arith::CmpIPredicate::eq, place,
                                             places.none());
    Value take = node.create<arith::OrIOp>(isLarger, isPad);
    best = node.create<arith::SelectOp>(take, value, best);
    place = node.create<arith::SelectOp>(take, here, place);
  }
  node.setOutput(1, place);
  return success();
}

LogicalResult pool(NodeContext &node, graph::PoolKind kind) {
  if (node.inputRank(0) < 3)
    return node.error("expects an input of rank 3 or more");
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
  if (!node.hasOutput(1))
    return success();
  Shape counts = node.shapeOf(*result);
  return setPlacesOfMaxima(node, *window,
                           Shape(ArrayRef(counts).slice(1, counts.size() - 2)));
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
    low[i + 1] = node.constantSize(window->low[i]);
    high[i + 1] = overhang(node, *window, i, from[i + 2], size);
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

void addPoolingTranslators(TranslatorTable &table) {
  table.add("MaxPool", maxPool);
  table.add("AveragePool", averagePool);
  table.add("LpPool", lpPool);
  table.add("GlobalMaxPool", globalMaxPool);
  table.add("GlobalAveragePool", globalAveragePool);
}

} // namespace tessera::onnx_importer
