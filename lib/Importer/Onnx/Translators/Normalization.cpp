// Normalisations and softmax. f16 and bf16 are computed in f32, and where the
// inputs have several types, in the widest.
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Reducing.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

/// An elementwise operation of two tensors that broadcast. Fails with a report.
template <typename Op>
FailureOr<Value> binary(NodeContext &node, FailureOr<Value> a,
                        FailureOr<Value> b) {
  if (failed(a) || failed(b))
    return failure();
  SmallVector<Value> operands{*a, *b};
  if (failed(broadcastTogether(node, operands)))
    return failure();
  return node.create<Op>(operands[0], operands[1]);
}

/// 1 / sqrt(x + epsilon)
Value reciprocalRoot(NodeContext &node, Value x, double epsilon) {
  return node.create<math::RsqrtOp>(
      node.create<arith::AddFOp>(x, node.filled(epsilon, x)));
}

/// Zero mean and unit variance over `axes`, in the type of `x`. `mean`, `variance`
/// and `deviation` (1 / sqrt(variance + epsilon)) keep the axes with size 1.
struct Standardized {
  Value value, mean, variance, deviation;
};

FailureOr<Standardized> standardize(NodeContext &node, Value x,
                                    ArrayRef<int64_t> axes, double epsilon) {
  Standardized result;
  result.mean = reduceMean(node, x, axes, /*keepDims=*/true);
  FailureOr<Value> centred = binary<arith::SubFOp>(node, x, result.mean);
  if (failed(centred))
    return failure();
  Value square = node.create<arith::MulFOp>(*centred, *centred);
  result.variance = reduceMean(node, square, axes, /*keepDims=*/true);
  result.deviation = reciprocalRoot(node, result.variance, epsilon);
  FailureOr<Value> value =
      binary<arith::MulFOp>(node, *centred, result.deviation);
  if (failed(value))
    return failure();
  result.value = *value;
  return result;
}

/// An elementwise operation of `a` and of `b`, which broadcasts to it. Fails with a
/// report.
template <typename Op>
FailureOr<Value> inShapeOfFirst(NodeContext &node, FailureOr<Value> a, Value b) {
  if (failed(a))
    return failure();
  return applyInShapeOfFirst(node, {*a, b}, [&](ArrayRef<Value> v) {
    return node.create<Op>(v[0], v[1]);
  });
}

/// f64 if an input is, which may have types of their own, else f32.
Type computeType(NodeContext &node) {
  for (unsigned i = 0; i < node.inputCount(); ++i)
    if (node.input(i) && node.inputType(i).getElementType().isF64())
      return node.builder.getF64Type();
  return node.builder.getF32Type();
}

/// Input `index` in that type.
Value widened(NodeContext &node, unsigned index) {
  return castFloat(node, node.input(index), computeType(node));
}

/// value * scale + bias in the type of value, then in that of input `like`.
LogicalResult setScaled(NodeContext &node, FailureOr<Value> value, Value scale,
                        Value bias, unsigned like = 0) {
  if (failed(value))
    return failure();
  Type type = getElementTypeOrSelf(*value);
  if (scale)
    value = inShapeOfFirst<arith::MulFOp>(node, value,
                                          castFloat(node, scale, type));
  if (bias)
    value =
        inShapeOfFirst<arith::AddFOp>(node, value, castFloat(node, bias, type));
  if (failed(value))
    return failure();
  node.setOutput(
      0, castFloat(node, *value, node.inputType(like).getElementType()));
  return success();
}

FailureOr<SmallVector<int64_t>> trailingAxes(NodeContext &node,
                                             int64_t otherwise) {
  FailureOr<int64_t> axis =
      node.normalizeAxis(node.integer("axis", otherwise), node.inputRank(0));
  if (failed(axis))
    return failure();
  return llvm::to_vector(llvm::seq<int64_t>(*axis, node.inputRank(0)));
}

LogicalResult layerNormalization(NodeContext &node) {
  FailureOr<SmallVector<int64_t>> axes = trailingAxes(node, -1);
  if (failed(axes))
    return failure();
  if (node.integer("stash_type", onnx::TensorProto::FLOAT) !=
      onnx::TensorProto::FLOAT)
    return node.error("a stash_type other than float is not supported");
  Value x = widenToF32(node, node.input(0));
  FailureOr<Standardized> s =
      standardize(node, x, *axes, node.number("epsilon", 1e-5f));
  if (failed(s) ||
      failed(setScaled(node, s->value, node.input(1), node.input(2))))
    return failure();
  Type f32 = node.builder.getF32Type();
  node.setOutput(1, castFloat(node, s->mean, f32), onnx::TensorProto::FLOAT);
  node.setOutput(2, castFloat(node, s->deviation, f32),
                 onnx::TensorProto::FLOAT);
  return success();
}

LogicalResult rmsNormalization(NodeContext &node) {
  FailureOr<SmallVector<int64_t>> axes = trailingAxes(node, -1);
  if (failed(axes))
    return failure();
  Value x = widened(node, 0);
  Value square = node.create<arith::MulFOp>(x, x);
  Value mean = reduceMean(node, square, *axes, /*keepDims=*/true);
  return setScaled(
      node,
      binary<arith::MulFOp>(
          node, x, reciprocalRoot(node, mean, node.number("epsilon", 1e-5f))),
      node.input(1), Value(), /*like=*/1);
}

/// [channels] as [channels, 1, ...], which broadcasts along the spatial
/// dimensions of the input. Fails with a report, or the run does, unless it has one
/// element for each channel.
FailureOr<Value> perChannel(NodeContext &node, unsigned index) {
  if (failed(requireShape(node, node.input(index),
                          {node.shapeOf(node.input(0))[1]},
                          "input " + Twine(index))))
    return failure();
  Value vector = widened(node, index);
  for (int64_t axis = 1; axis < node.inputRank(0) - 1; ++axis)
    vector = insertUnitDims(node, vector, axis);
  return vector;
}

/// By the statistics of the batch, of which the running ones take their part: for
/// training, and for standardizing weights.
LogicalResult batchNormalizationByBatch(NodeContext &node) {
  if (node.inputRank(0) < 2)
    return node.error("expects an input of rank 2 or more");
  SmallVector<int64_t> axes{0};
  llvm::append_range(axes, llvm::seq<int64_t>(2, node.inputRank(0)));
  FailureOr<Value> scale = perChannel(node, 1), bias = perChannel(node, 2);
  if (failed(scale) || failed(bias))
    return failure();
  FailureOr<Standardized> s = standardize(node, widened(node, 0), axes,
                                          node.number("epsilon", 1e-5f));
  if (failed(s) || failed(setScaled(node, s->value, *scale, *bias)))
    return failure();
  double momentum = node.number("momentum", 0.9f);
  for (auto [output, value] : {std::pair(1u, s->mean), {2u, s->variance}}) {
    if (failed(requireShape(node, node.input(output + 2),
                            {node.shapeOf(node.input(0))[1]},
                            "input " + Twine(output + 2))))
      return failure();
    Value now = dropDims(node, value, axes);
    Value before = widened(node, output + 2);
    FailureOr<Value> running = binary<arith::AddFOp>(
        node, node.create<arith::MulFOp>(before, node.filled(momentum, before)),
        node.create<arith::MulFOp>(now, node.filled(1 - momentum, now)));
    if (failed(running))
      return failure();
    node.setOutput(output, castFloat(node, *running,
                                     node.inputType(output + 2).getElementType()));
  }
  return success();
}

LogicalResult batchNormalization(NodeContext &node) {
  if (!node.integer("spatial", 1))
    return node.error("spatial 0 is not supported; statistics must be per "
                      "channel");
  if (node.integer("training_mode", 0))
    return batchNormalizationByBatch(node);
  for (unsigned i = 1; i < node.outputCount(); ++i)
    if (node.hasOutput(i))
      return node.error("outputs of training are not supported; export the "
                        "model for inference");
  if (node.inputRank(0) < 2)
    return node.error("expects an input of rank 2 or more");
  FailureOr<Value> parts[4];
  for (unsigned i = 0; i < 4; ++i)
    if (failed(parts[i] = perChannel(node, i + 1)))
      return failure();
  Value x = widened(node, 0);
  // x * factor + (bias - mean * factor): one multiplication for each element.
  Value factor = reciprocalRoot(node, *parts[3], node.number("epsilon", 1e-5f));
  FailureOr<Value> scale = binary<arith::MulFOp>(node, parts[0], factor);
  FailureOr<Value> shift = binary<arith::SubFOp>(
      node, parts[1], binary<arith::MulFOp>(node, parts[2], scale));
  if (failed(scale) || failed(shift))
    return failure();
  return setScaled(node, x, *scale, *shift);
}

LogicalResult instanceNormalization(NodeContext &node) {
  if (node.inputRank(0) < 3)
    return node.error("expects an input of rank 3 or more");
  FailureOr<Value> scale = perChannel(node, 1), bias = perChannel(node, 2);
  if (failed(scale) || failed(bias))
    return failure();
  FailureOr<Standardized> s =
      standardize(node, widenToF32(node, node.input(0)),
                  llvm::to_vector(llvm::seq<int64_t>(2, node.inputRank(0))),
                  node.number("epsilon", 1e-5f));
  if (failed(s))
    return failure();
  return setScaled(node, s->value, *scale, *bias);
}

/// Statistics over the channels of a group and all spatial elements. Before
/// opset 21 scale and bias are per group, from then on per channel.
LogicalResult groupNormalization(NodeContext &node) {
  int64_t groups = node.integer("num_groups", 0);
  if (node.inputRank(0) < 3)
    return node.error("expects an input of rank 3 or more");
  int64_t channels = node.inputType(0).getDimSize(1);
  if (groups < 1 || ShapedType::isDynamic(channels) || channels % groups)
    return node.error("expects the number of channels to be known and "
                      "divisible by num_groups");
  Value x = widenToF32(node, node.input(0));
  Shape shape = node.shapeOf(x), grouped{shape[0], node.constantSize(groups)};
  ArrayRef<AffineExpr> sizes = shape;
  grouped.push_back(productOf(node, sizes.drop_front(2)) * (channels / groups));
  FailureOr<Value> rows = reshapeTo(node, x, grouped);
  if (failed(rows))
    return failure();
  FailureOr<Standardized> s =
      standardize(node, *rows, {2}, node.number("epsilon", 1e-5f));
  if (failed(s))
    return failure();
  if (node.version() < 21) {
    FailureOr<Value> value = s->value;
    for (unsigned i : {1u, 2u}) {
      if (failed(requireShape(node, node.input(i), {node.constantSize(groups)},
                              "input " + Twine(i))))
        return failure();
      Value vector = insertUnitDims(node, widenToF32(node, node.input(i)), 1);
      value = i == 1 ? binary<arith::MulFOp>(node, value, vector)
                     : binary<arith::AddFOp>(node, value, vector);
    }
    if (succeeded(value))
      value = reshapeTo(node, *value, shape);
    return setScaled(node, value, Value(), Value());
  }
  FailureOr<Value> scale = perChannel(node, 1), bias = perChannel(node, 2);
  FailureOr<Value> value = reshapeTo(node, s->value, shape);
  if (failed(scale) || failed(bias))
    return failure();
  return setScaled(node, value, *scale, *bias);
}

/// x / norm along one axis; ONNX divides 0 by 0 to 0.
LogicalResult lpNormalization(NodeContext &node) {
  FailureOr<int64_t> axis =
      node.normalizeAxis(node.integer("axis", -1), node.inputRank(0));
  int64_t p = node.integer("p", 2);
  if (failed(axis))
    return failure();
  if (p != 1 && p != 2)
    return node.error("expects p to be 1 or 2 but got " + Twine(p));
  Value x = widenToF32(node, node.input(0));
  Value part =
      p == 1 ? node.create<math::AbsFOp>(x) : node.create<arith::MulFOp>(x, x);
  Value norm = reduce(node, Reduction::Sum, part, *axis, /*keepDims=*/true);
  if (p == 2)
    norm = node.create<math::SqrtOp>(norm);
  Value isZero = node.create<arith::CmpFOp>(arith::CmpFPredicate::OEQ, norm,
                                            node.filled(0.0, norm));
  norm = node.create<arith::SelectOp>(isZero, node.filled(1.0, norm), norm);
  return setScaled(node, binary<arith::DivFOp>(node, x, norm), Value(),
                   Value());
}

/// Runs `compute` along the last axis that softmax-like operators mean: one
/// axis from opset 13 on, before it all from `axis` on, taken together.
LogicalResult
alongSoftmaxAxis(NodeContext &node,
                 llvm::function_ref<FailureOr<Value>(Value, int64_t)> compute) {
  bool isCoerced = node.version() < 13;
  FailureOr<int64_t> axis = node.normalizeAxis(
      node.integer("axis", isCoerced ? 1 : -1), node.inputRank(0));
  if (failed(axis))
    return failure();
  Value x = widenToF32(node, node.input(0));
  Shape shape = node.shapeOf(x);
  ArrayRef<AffineExpr> sizes = shape;
  FailureOr<Value> result = x;
  if (isCoerced && *axis != node.inputRank(0) - 1) {
    result = reshapeTo(node, x,
                       {productOf(node, sizes.take_front(*axis)),
                        productOf(node, sizes.drop_front(*axis))});
    if (succeeded(result))
      result = compute(*result, 1);
    if (succeeded(result))
      result = reshapeTo(node, *result, shape);
  } else {
    result = compute(x, *axis);
  }
  if (failed(result))
    return failure();
  node.setOutput(0,
                 castFloat(node, *result, node.inputType(0).getElementType()));
  return success();
}

LogicalResult softmax(NodeContext &node) {
  return alongSoftmaxAxis(node, [&](Value x, int64_t axis) {
    Value destination = node.empty(node.shapeOf(x), getElementTypeOrSelf(x));
    return linalg::SoftmaxOp::create(node.builder, node.loc, x.getType(), x,
                                     destination, axis)
        ->getResult(0);
  });
}

/// x - max - log(sum(exp(x - max)))
LogicalResult logSoftmax(NodeContext &node) {
  return alongSoftmaxAxis(node, [&](Value x, int64_t axis) -> FailureOr<Value> {
    Value max = reduce(node, Reduction::Max, x, axis, /*keepDims=*/true);
    FailureOr<Value> shifted = binary<arith::SubFOp>(node, x, max);
    if (failed(shifted))
      return failure();
    Value sum =
        reduce(node, Reduction::Sum, node.create<math::ExpOp>(*shifted), axis,
               /*keepDims=*/true);
    return binary<arith::SubFOp>(node, shifted,
                                 Value(node.create<math::LogOp>(sum)));
  });
}

/// 1 at the first largest element, 0 elsewhere.
LogicalResult hardmax(NodeContext &node) {
  return alongSoftmaxAxis(node, [&](Value x, int64_t axis) -> FailureOr<Value> {
    Type i64 = node.builder.getI64Type();
    Shape shape = node.shapeOf(x), reduced = shape;
    reduced.erase(reduced.begin() + axis);
    Value first = graph::ArgReduceOp::create(
        node.builder, node.loc, node.typeOf(reduced, i64), x,
        graph::Extremum::Max, axis, /*select_last=*/false,
        /*is_unsigned=*/false);
    FailureOr<Value> wide =
        broadcastTo(node, insertUnitDims(node, first, axis), shape);
    if (failed(wide))
      return failure();
    Value index =
        graph::IotaOp::create(node.builder, node.loc, node.typeOf(shape, i64),
                              axis, node.dynamicSizes(shape));
    Value isFirst =
        node.create<arith::CmpIOp>(arith::CmpIPredicate::eq, index, *wide);
    return castElements(node, isFirst, /*fromUnsigned=*/true,
                        getElementTypeOrSelf(x), /*toUnsigned=*/false);
  });
}

/// x / (bias + alpha / size * sum of the squares of `size` channels around
/// it)^beta.
LogicalResult localResponse(NodeContext &node) {
  int64_t size = node.integer("size", 0), rank = node.inputRank(0);
  if (rank < 2 || size < 1)
    return node.error("expects an input of rank 2 or more and a positive size");
  Value x = widenToF32(node, node.input(0));
  Type type = getElementTypeOrSelf(x);
  Value square = node.create<arith::MulFOp>(x, x);
  Shape shape = node.shapeOf(x), padded = shape;
  AffineExpr channels = shape[1];
  Shape low(rank, node.constantSize(0)), high = low;
  low[1] = node.constantSize((size - 1) / 2);
  high[1] = node.constantSize(size / 2);
  padded[1] = channels + (size - 1);
  Value wide = tensor::PadOp::create(
      node.builder, node.loc, node.typeOf(padded, type), square,
      node.materialize(low), node.materialize(high), node.scalar(0.0, type),
      /*nofold=*/false);
  Value sum;
  for (int64_t i = 0; i < size; ++i) {
    Value part = size == 1 ? square
                           : sliceAlong(node, wide, 1, node.constantSize(i),
                                        channels);
    sum = sum ? node.create<arith::AddFOp>(sum, part) : part;
  }
  double alpha = node.number("alpha", 1e-4), beta = node.number("beta", 0.75);
  Value base = node.create<arith::AddFOp>(
      node.create<arith::MulFOp>(
          sum, node.filled(alpha / static_cast<double>(size), sum)),
      node.filled(node.number("bias", 1.0), sum));
  Value result = node.create<arith::DivFOp>(
      x, node.create<math::PowFOp>(base, node.filled(beta, base)));
  node.setOutput(
      0, castFloat(node, result, node.inputType(0).getElementType()));
  return success();
}

} // namespace

void addNormalizationTranslators(TranslatorTable &table) {
  table.add("LayerNormalization", layerNormalization);
  table.add("RMSNormalization", rmsNormalization);
  table.add("BatchNormalization", batchNormalization);
  table.add("InstanceNormalization", instanceNormalization);
  table.add("GroupNormalization", groupNormalization);
  table.add("LpNormalization", lpNormalization);
  table.add("Softmax", softmax);
  table.add("LogSoftmax", logSoftmax);
  table.add("Hardmax", hardmax);
  table.add("LRN", localResponse);
}

} // namespace tessera::onnx_importer
