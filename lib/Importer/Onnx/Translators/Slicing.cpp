// Slice and Pad.
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

/// Where a slice along one axis begins and how many elements it has.
struct Range {
  AffineExpr offset, count;
};

/// Bounds of at least this much mean "to the end": exporters write 1e9, INT_MAX
/// or INT64_MAX, and no dimension is as long.
constexpr int64_t kToTheEnd = 1000000000;

/// min(max(bound + (bound < 0 ? size : 0), 0), size), as ONNX clamps a bound of
/// a slice that runs forwards.
AffineExpr clampBound(NodeContext &node, AffineExpr bound, AffineExpr size) {
  std::optional<int64_t> b = constantOf(bound), s = constantOf(size);
  if (b && s)
    return node.constantSize(std::clamp<int64_t>(*b < 0 ? *b + *s : *b, 0, *s));
  if (b == 0 || node.sizes.areEqual(bound, size))
    return bound;
  if (b && *b >= kToTheEnd)
    return size;
  if (b && *b <= -kToTheEnd)
    return node.constantSize(0);
  bool isNegative = node.sizes.boundsOf(bound).most.value_or(0) < 0;
  AffineExpr counted = isNegative ? bound + size : bound;
  bool isNotBefore = node.sizes.boundsOf(counted).least.value_or(-1) >= 0;
  if (isNotBefore && node.sizes.isAtMost(counted, size))
    return counted;
  Value limit = node.materializeIndex(size);
  Value zero = node.scalarInteger(0, node.builder.getIndexType());
  Value value;
  if (b && *b < 0) {
    value = node.materializeIndex(size + *b);
  } else {
    value = node.materializeIndex(bound);
    if (!b) {
      Value isNegative =
          node.create<arith::CmpIOp>(arith::CmpIPredicate::slt, value, zero);
      value = node.create<arith::SelectOp>(
          isNegative, node.create<arith::AddIOp>(value, limit), value);
    }
  }
  value = node.create<arith::MaxSIOp>(value, zero);
  value = node.create<arith::MinSIOp>(value, limit);
  return node.sizes.sizeOf(value);
}

/// A slice that runs forwards by `step` > 0.
Range forwardRange(NodeContext &node, AffineExpr start, AffineExpr end,
                   AffineExpr size, int64_t step) {
  AffineExpr from = clampBound(node, start, size);
  AffineExpr to = clampBound(node, end, size);
  AffineExpr length = to - from;
  std::optional<int64_t> constant = constantOf(length);
  // A bound clamped by the size never lies before 0 or behind the size.
  bool inOrder = constantOf(from) == 0 || node.sizes.areEqual(to, size) ||
                 node.sizes.isAtMost(from, to);
  if (constant)
    length = node.constantSize(std::max<int64_t>(*constant, 0));
  else if (!inOrder)
    length = atLeastZero(node, length);
  return {from, step == 1 ? length : length.ceilDiv(step)};
}

/// The bound, in the reversed tensor, of a slice that runs backwards: element i is
/// element size - 1 - i there. ONNX counts a negative bound from the end, so one
/// that means "before the first element" is -size - 1 or less. The result is not
/// negative; it may be more than the size.
AffineExpr reversedBound(NodeContext &node, AffineExpr bound, AffineExpr size) {
  std::optional<int64_t> b = constantOf(bound);
  if (b && *b <= -kToTheEnd)
    return size;
  if (b && *b >= kToTheEnd)
    return node.constantSize(0);
  AffineExpr fromEnd = node.constantSize(-1) - bound;
  if (node.sizes.boundsOf(bound).most.value_or(0) < 0)
    return fromEnd;
  AffineExpr flipped = size + fromEnd;
  Value zero = node.scalarInteger(0, node.builder.getIndexType());
  Value value = node.materializeIndex(flipped);
  if (node.sizes.boundsOf(bound).least.value_or(-1) < 0)
    value = node.create<arith::SelectOp>(
        node.create<arith::CmpIOp>(arith::CmpIPredicate::slt,
                                   node.materializeIndex(bound), zero),
        node.materializeIndex(fromEnd), value);
  return node.sizes.sizeOf(node.create<arith::MaxSIOp>(value, zero));
}

Value reverse(NodeContext &node, Value tensor, int64_t axis) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (hasElements(tensor)) {
    SmallVector<int64_t> strides = computeStrides(type.getShape());
    return rearrangeElements(
        node, tensor, type.getShape(), [&](ArrayRef<int64_t> index) {
          SmallVector<int64_t> from(index);
          from[axis] = type.getDimSize(axis) - 1 - from[axis];
          return linearize(from, strides);
        });
  }
  return graph::ReverseOp::create(node.builder, node.loc, type, tensor,
                                  node.builder.getDenseI64ArrayAttr(axis));
}

/// Starts, ends and axes are attributes before opset 10, inputs from then on.
LogicalResult slice(NodeContext &node) {
  Shape starts, ends;
  SmallVector<int64_t> axes, steps;
  if (node.version() < 10) {
    for (int64_t start : node.integers("starts"))
      starts.push_back(node.constantSize(start));
    for (int64_t end : node.integers("ends"))
      ends.push_back(node.constantSize(end));
    axes = node.integers("axes");
  } else {
    FailureOr<Shape> from = elementSizes(node, node.input(1), "starts");
    FailureOr<Shape> to = elementSizes(node, node.input(2), "ends");
    if (failed(from) || failed(to))
      return failure();
    starts = *from;
    ends = *to;
    for (auto [index, list] : {std::pair(3u, &axes), std::pair(4u, &steps)})
      if (node.input(index)) {
        auto given = requireConstantIntegers(node, node.input(index),
                                             index == 3 ? "axes" : "steps");
        if (failed(given))
          return failure();
        *list = *given;
      }
  }
  if (axes.empty())
    axes = llvm::to_vector(llvm::seq<int64_t>(0, starts.size()));
  if (steps.empty())
    steps.assign(starts.size(), 1);
  if (ends.size() != starts.size() || axes.size() != starts.size() ||
      steps.size() != starts.size())
    return node.error("starts, ends, axes and steps have different lengths");

  Value result = node.input(0);
  for (size_t i = 0; i < starts.size(); ++i) {
    FailureOr<int64_t> axis = node.normalizeAxis(axes[i], node.inputRank(0));
    if (failed(axis))
      return failure();
    AffineExpr size = node.shapeOf(result)[*axis];
    if (steps[i] == 0)
      return node.error("a step is 0");
    if (steps[i] < 0) {
      starts[i] = reversedBound(node, starts[i], size);
      ends[i] = reversedBound(node, ends[i], size);
      result = reverse(node, result, *axis);
      steps[i] = -steps[i];
    }
    Range range = forwardRange(node, starts[i], ends[i], size, steps[i]);
    result = sliceWithin(node, result, *axis, range.offset, range.count,
                         steps[i]);
  }
  node.setOutput(0, result);
  return success();
}

/// `low` and `high` elements around `tensor` along `axis`, which continue it from
/// the other end as often as it takes: element i is element (i - low) mod size.
FailureOr<Value> wrapAround(NodeContext &node, Value tensor, int64_t axis,
                            int64_t low, int64_t high) {
  Shape shape = node.shapeOf(tensor);
  AffineExpr size = shape[axis];
  shape[axis] = size + (low + high);
  if (failed(node.requireElements(size, shape[axis], "axis " + Twine(axis))))
    return failure();
  Type i64 = node.builder.getI64Type();
  Value place = graph::IotaOp::create(
      node.builder, node.loc, node.typeOf({shape[axis]}, i64), 0,
      node.dynamicSizes({shape[axis]}));
  Value length = node.filled(node.create<arith::IndexCastOp>(
                                 i64, node.materializeIndex(size)),
                             {shape[axis]});
  place = node.create<arith::SubIOp>(place, node.filled(double(low), place));
  // A negative remainder counts from the end.
  place = node.create<arith::RemSIOp>(place, length);
  Type elementType = cast<RankedTensorType>(tensor.getType()).getElementType();
  return Value(graph::GatherOp::create(node.builder, node.loc,
                                       node.typeOf(shape, elementType), tensor,
                                       place, axis));
}

/// `low` and `high` elements around `tensor` along `axis`, made from it: its
/// border repeated (edge), mirrored around the border (reflect), or continued
/// from the other end (wrap).
FailureOr<Value> padFromItself(NodeContext &node, Value tensor, int64_t axis,
                               int64_t low, int64_t high, StringRef mode) {
  AffineExpr size = node.shapeOf(tensor)[axis];
  AffineExpr needed = node.constantSize(
      mode == "edge" ? 1 : std::max(low, high) + (mode == "reflect"));
  if (mode == "wrap" && !node.sizes.isAtMost(needed, size))
    return wrapAround(node, tensor, axis, low, high);
  if (failed(node.requireAtMost(needed, size,
                                "mode " + mode + " needs a size of at least " +
                                    Twine(*constantOf(needed)) +
                                    " along axis " + Twine(axis))))
    return failure();
  auto piece = [&](AffineExpr offset, int64_t count) -> FailureOr<Value> {
    if (mode == "edge") {
      Value border =
          sliceWithin(node, tensor, axis, offset, node.constantSize(1));
      Shape shape = node.shapeOf(border);
      shape[axis] = node.constantSize(count);
      return broadcastTo(node, border, shape);
    }
    Value part =
        sliceWithin(node, tensor, axis, offset, node.constantSize(count));
    return mode == "reflect" ? reverse(node, part, axis) : part;
  };
  SmallVector<Value> parts;
  auto addPiece = [&](AffineExpr offset, int64_t count) {
    FailureOr<Value> made = piece(offset, count);
    if (succeeded(made))
      parts.push_back(*made);
    return made;
  };
  bool isEdge = mode == "edge", isReflect = mode == "reflect";
  if (low > 0 && failed(addPiece(isEdge      ? node.constantSize(0)
                                 : isReflect ? node.constantSize(1)
                                             : size - low,
                                 low)))
    return failure();
  parts.push_back(tensor);
  if (high > 0 && failed(addPiece(isEdge      ? size - 1
                                  : isReflect ? size - (high + 1)
                                              : node.constantSize(0),
                                  high)))
    return failure();
  Shape shape = node.shapeOf(tensor);
  shape[axis] = size + (low + high);
  Type elementType = cast<RankedTensorType>(tensor.getType()).getElementType();
  return Value(tensor::ConcatOp::create(
      node.builder, node.loc, node.typeOf(shape, elementType), axis, parts));
}

/// The pads of each axis: attribute before opset 11, inputs from then on.
LogicalResult padsOf(NodeContext &node, Shape &low, Shape &high) {
  int64_t rank = node.inputRank(0);
  SmallVector<int64_t> axes = llvm::to_vector(llvm::seq<int64_t>(0, rank));
  Shape pads;
  if (node.version() < 11) {
    for (int64_t pad : node.integers("pads"))
      pads.push_back(node.constantSize(pad));
  } else {
    FailureOr<Shape> given = elementSizes(node, node.input(1), "pads");
    if (failed(given))
      return failure();
    pads = *given;
    if (node.input(3)) {
      auto list = requireConstantIntegers(node, node.input(3), "axes");
      if (failed(list))
        return failure();
      axes = *list;
    }
  }
  if (pads.size() != 2 * axes.size())
    return node.error("expects " + Twine(2 * axes.size()) + " pads but got " +
                      Twine(pads.size()));
  low.assign(rank, node.constantSize(0));
  high = low;
  for (auto [i, given] : llvm::enumerate(axes)) {
    FailureOr<int64_t> axis = node.normalizeAxis(given, rank);
    if (failed(axis))
      return failure();
    low[*axis] = pads[i];
    high[*axis] = pads[axes.size() + i];
  }
  return success();
}

/// Leaves of `pad` what is not negative; returns how much the rest cuts off.
AffineExpr takeNegative(NodeContext &node, AffineExpr &pad) {
  AffineExpr zero = node.constantSize(0);
  if (node.sizes.isAtMost(zero, pad))
    return zero;
  AffineExpr all = pad;
  pad = zero;
  if (!node.sizes.isAtMost(all, zero))
    pad = node.sizes.sizeOf(node.create<arith::MaxSIOp>(
        node.materializeIndex(all), node.materializeIndex(zero)));
  return pad - all;
}

LogicalResult pad(NodeContext &node) {
  Shape low, high;
  if (failed(padsOf(node, low, high)))
    return failure();
  StringRef mode = node.string("mode", "constant");
  if (mode != "constant" && mode != "edge" && mode != "reflect" &&
      mode != "wrap")
    return node.error("mode '" + mode + "' is not supported");
  Value result = node.input(0);
  for (int64_t axis = 0; axis < node.inputRank(0); ++axis) {
    AffineExpr before = takeNegative(node, low[axis]),
               after = takeNegative(node, high[axis]);
    AffineExpr size = node.shapeOf(result)[axis];
    if (failed(node.requireAtMost(before + after, size,
                                  "negative pads cut off more than axis " +
                                      Twine(axis) + " has")))
      return failure();
    result = sliceWithin(node, result, axis, before, size - before - after);
  }
  if (mode == "constant") {
    Type elementType = node.inputType(0).getElementType();
    Value fill = node.scalar(node.version() < 11 ? node.number("value", 0) : 0,
                             elementType);
    if (Value given = node.version() >= 11 ? node.input(2) : Value()) {
      if (node.inputType(2).getNumElements() != 1 ||
          !node.inputType(2).hasStaticShape())
        return node.error("expects constant_value to have one element");
      auto scalars = elementsOf(node, given);
      SmallVector<Value> zeros(
          node.inputRank(2),
          node.scalarInteger(0, node.builder.getIndexType()));
      fill = scalars ? scalars->front()
                     : node.create<tensor::ExtractOp>(given, zeros);
    }
    node.setOutput(0, padWithConstant(node, result, low, high, fill));
    return success();
  }
  for (int64_t axis = 0; axis < node.inputRank(0); ++axis) {
    std::optional<int64_t> before = constantOf(low[axis]),
                           after = constantOf(high[axis]);
    if (!before || !after)
      return node.error("mode " + mode + " needs constant pads");
    if (*before == 0 && *after == 0)
      continue;
    FailureOr<Value> padded =
        padFromItself(node, result, axis, *before, *after, mode);
    if (failed(padded))
      return failure();
    result = *padded;
  }
  node.setOutput(0, result);
  return success();
}

} // namespace

void addSlicingTranslators(TranslatorTable &table) {
  table.add("Slice", slice);
  table.add("Pad", pad);
}

} // namespace tessera::onnx_importer
