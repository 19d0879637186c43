// Attention, as one operation.
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

#include "dialects/Attention/IR/Attention.h"

#include <cmath>

using namespace mlir;

namespace tessera::onnx_importer {
namespace {

/// The inputs and outputs of ONNX Attention by number.
enum Input { Query, Key, Value_, Mask, PastKey, PastValue, KeyLengths };
enum Output { Result, PresentKey, PresentValue, Product };

bool isOne(AffineExpr size) {
  auto constant = dyn_cast<AffineConstantExpr>(size);
  return constant && constant.getValue() == 1;
}

/// Whether the mask may have fewer keys than there are, and has: from opset 24 on
/// these are hidden.
bool isMaskShorter(NodeContext &node) {
  if (node.version() < 24 || !node.input(Mask) || node.inputRank(Mask) == 0)
    return false;
  int64_t masked = node.inputType(Mask).getShape().back();
  int64_t keys =
      node.inputType(Key).getDimSize(node.inputRank(Key) == 4 ? 2 : 1);
  int64_t past =
      node.input(PastKey) ? node.inputType(PastKey).getDimSize(2) : 0;
  return !ShapedType::isDynamic(masked) && !ShapedType::isDynamic(keys) &&
         !ShapedType::isDynamic(past) && masked != keys + past;
}

/// Whether the size of a head is not known where it must be: for the default
/// scale, or to split an input of rank 3.
bool isHeadSizeUnknown(NodeContext &node) {
  auto isUnknown = [&](unsigned input) {
    return ShapedType::isDynamic(node.inputType(input).getShape().back());
  };
  for (unsigned input : {Query, Key, Value_})
    if (node.inputRank(input) == 0 ||
        (node.inputRank(input) == 3 && isUnknown(input)))
      return true;
  return !node.hasAttribute("scale") && isUnknown(Query);
}

/// What attention.sdpa cannot say: scores as a result, softmax in another type
/// than f32, operands of several types, a mask that is shorter than the keys; and
/// heads of unknown size.
bool needsBody(NodeContext &node) {
  auto isSupported = [](Type type) {
    return type.isF32() || type.isF16() || type.isBF16();
  };
  Type type = node.inputType(Query).getElementType();
  int64_t precision =
      node.integer("softmax_precision", onnx::TensorProto::FLOAT);
  bool cast = precision != onnx::TensorProto::FLOAT &&
              precision != onnx::TensorProto::UNDEFINED;
  return node.hasOutput(Product) || cast || isMaskShorter(node) ||
         isHeadSizeUnknown(node) || !isSupported(type) ||
         node.inputType(Key).getElementType() != type ||
         node.inputType(Value_).getElementType() != type;
}

/// Input `index` as [batch, heads, length, dim]; of rank 3 it is [batch, length,
/// heads * dim] and `attribute` the number of heads. As requireSizes demands.
FailureOr<Value> splitHeads(NodeContext &node, unsigned index,
                            StringRef attribute) {
  Value input = node.input(index);
  if (node.inputRank(index) == 4)
    return input;
  int64_t heads = node.integer(attribute, 0);
  Shape shape = node.shapeOf(input);
  AffineExpr width = shape.back();
  shape.back() = node.constantSize(heads);
  shape.push_back(width.floorDiv(heads));
  FailureOr<Value> apart = reshapeTo(node, input, shape);
  if (failed(apart))
    return failure();
  return transpose(node, *apart, {0, 2, 1, 3});
}

/// `past` and `input` joined along the keys, also the node's output `output`.
Value appendPast(NodeContext &node, unsigned past, Value input,
                 unsigned output) {
  if (Value before = node.input(past)) {
    Shape shape = node.shapeOf(input);
    shape[2] = node.shapeOf(before)[2] + shape[2];
    input = tensor::ConcatOp::create(
        node.builder, node.loc,
        node.typeOf(shape,
                    cast<RankedTensorType>(input.getType()).getElementType()),
        /*dim=*/2, ValueRange{before, input});
  }
  if (node.hasOutput(output))
    node.setOutput(output, input);
  return input;
}

/// The mask, or the bias as floats, with rank 4, each size 1 or that of `full`.
FailureOr<Value> alignMask(NodeContext &node, const Shape &full) {
  Value mask = node.input(Mask);
  Type elementType = getElementTypeOrSelf(mask);
  // Numbers of any other type are added as those of the query's.
  if (!elementType.isInteger(1) && !elementType.isF32() &&
      !elementType.isF16() && !elementType.isBF16())
    mask = castElements(node, mask, node.isUnsigned(Mask),
                        node.inputType(Query).getElementType(),
                        /*toUnsigned=*/false);
  Shape shape = node.shapeOf(mask);
  shape.insert(shape.begin(), 4 - shape.size(), node.constantSize(1));
  FailureOr<Value> wide = reshapeTo(node, mask, shape);
  if (failed(wide))
    return failure();
  Shape target;
  for (auto [size, whole] : llvm::zip(shape, full))
    target.push_back(isOne(size) ? size : whole);
  return broadcastTo(node, *wide, target);
}

/// Which keys a query may see by causality and window; -1 is no limit.
struct Reach {
  bool causal;
  int64_t left, right;
  bool isLimited() const { return causal || left >= 0 || right >= 0; }
};

/// A mask of the keys j that query i reaches if it stands at i + key_lengths[b] -
/// queries: the queries are the last of so many keys.
Value reachByLengths(NodeContext &node, const Shape &full, Reach reach) {
  Value lengths = node.input(KeyLengths);
  Type type = cast<RankedTensorType>(lengths.getType()).getElementType();
  Shape shape{full[0], node.constantSize(1), full[2], full[3]};
  auto counter = [&](int64_t dimension) -> Value {
    return graph::IotaOp::create(node.builder, node.loc,
                                 node.typeOf(shape, type), dimension,
                                 node.dynamicSizes(shape));
  };
  FailureOr<Value> ends =
      broadcastTo(node, insertUnitDims(node, lengths, {1, 2, 3}), shape);
  if (failed(ends))
    return {};
  Value queries = node.filled(
      Value(arith::IndexCastOp::create(node.builder, node.loc, type,
                                       node.materializeIndex(full[2]))),
      shape);
  Value position = node.create<arith::AddIOp>(
      counter(2), node.create<arith::SubIOp>(*ends, queries));
  Value key = counter(3), seen;
  auto limit = [&](arith::CmpIPredicate predicate, int64_t distance) {
    Value end = node.create<arith::AddIOp>(position,
                                           node.filled(distance, position));
    Value reached = node.create<arith::CmpIOp>(predicate, key, end);
    seen = seen ? node.create<arith::AndIOp>(seen, reached) : reached;
  };
  if (reach.causal)
    limit(arith::CmpIPredicate::sle, 0);
  if (reach.left >= 0)
    limit(arith::CmpIPredicate::sge, -reach.left);
  if (reach.right >= 0)
    limit(arith::CmpIPredicate::sle, reach.right);
  return seen;
}

/// The sizes of query, key or value: [batch, heads, length, size of a head]. Of rank
/// 3 it is [batch, length, heads * size] and `attribute` the number of heads.
FailureOr<Shape> headShape(NodeContext &node, unsigned index,
                           StringRef attribute) {
  Shape shape = node.shapeOf(node.input(index));
  int64_t heads = node.integer(attribute, 0);
  if (shape.size() == 4)
    return shape;
  if (shape.size() != 3 || heads <= 0)
    return node.error("expects input " + Twine(index) +
                      " to have rank 4, or rank 3 and " + attribute);
  if (failed(node.requireMultiple(shape[2], heads,
                                  "the last size of input " + Twine(index) +
                                      " is no multiple of " + attribute)))
    return failure();
  return Shape{shape[0], node.constantSize(heads), shape[1],
               shape[2].floorDiv(heads)};
}

/// Fails with a report, or the run does, unless the mask broadcasts to `full` [batch,
/// heads, queries, keys]; from opset 24 on it may have fewer keys, which the function
/// body knows.
LogicalResult requireMask(NodeContext &node, Shape full) {
  Shape mask = node.shapeOf(node.input(Mask));
  if (node.version() >= 24 && !mask.empty() && needsBody(node)) {
    if (failed(node.requireAtMost(mask.back(), full.back(),
                                  "attn_mask has more keys than there are")))
      return failure();
    full.back() = mask.back();
  }
  return requireBroadcasts(node, mask, full);
}

/// Fails with a report, or the run does, unless as many query heads read each key
/// head.
LogicalResult requireHeads(NodeContext &node, AffineExpr query, AffineExpr key) {
  constexpr StringLiteral failure =
      "the query heads are no multiple of the key heads";
  std::optional<int64_t> keyHeads = constantOf(node.sizes.resolve(key));
  if (keyHeads)
    return *keyHeads > 0 ? node.requireMultiple(query, *keyHeads, failure)
                         : node.error(failure);
  if (node.sizes.areEqual(query, key))
    return success();
  Value zero = node.scalarInteger(0, node.builder.getIndexType()),
        one = node.scalarInteger(1, node.builder.getIndexType()),
        heads = node.materializeIndex(key);
  Value rest = node.create<arith::RemSIOp>(
      node.materializeIndex(query), node.create<arith::MaxSIOp>(heads, one));
  node.requireAtRunTime(
      node.create<arith::AndIOp>(
          node.create<arith::CmpIOp>(arith::CmpIPredicate::sge, heads, one),
          node.create<arith::CmpIOp>(arith::CmpIPredicate::eq, rest, zero)),
      failure);
  return success();
}

/// Fails with a report, or the run does, where the inputs contradict each other.
LogicalResult requireSizes(NodeContext &node) {
  FailureOr<Shape> query = headShape(node, Query, "q_num_heads"),
                   key = headShape(node, Key, "kv_num_heads"),
                   value = headShape(node, Value_, "kv_num_heads");
  if (failed(query) || failed(key) || failed(value))
    return failure();
  Shape &q = *query, &k = *key, &v = *value;
  if (failed(node.requireEqual(q[0], k[0], "batches of query and key")) ||
      failed(node.requireEqual(q[0], v[0], "batches of query and value")) ||
      failed(node.requireEqual(k[1], v[1], "heads of key and value")) ||
      failed(node.requireEqual(k[2], v[2], "lengths of key and value")) ||
      failed(node.requireEqual(q[3], k[3], "sizes of a head of query and key")))
    return failure();
  if (failed(requireHeads(node, q[1], k[1])))
    return failure();
  AffineExpr keys = k[2];
  if (!node.input(PastKey) != !node.input(PastValue))
    return node.error("expects past_key and past_value together");
  if (node.input(PastKey)) {
    Shape past = node.shapeOf(node.input(PastKey));
    if (past.size() != 4)
      return node.error("expects past_key to have rank 4");
    keys = keys + past[2];
    if (failed(requireShape(node, node.input(PastKey),
                            {k[0], k[1], past[2], k[3]}, "past_key")) ||
        failed(requireShape(node, node.input(PastValue),
                            {v[0], v[1], past[2], v[3]}, "past_value")))
      return failure();
  }
  if (node.input(KeyLengths) &&
      failed(requireShape(node, node.input(KeyLengths), {q[0]},
                          "nonpad_kv_seqlen")))
    return failure();
  return node.input(Mask) ? requireMask(node, {q[0], q[1], q[2], keys})
                          : success();
}

LogicalResult attention(NodeContext &node) {
  if (failed(requireSizes(node)))
    return failure();
  if (needsBody(node))
    return node.useBody();
  FailureOr<Value> query = splitHeads(node, Query, "q_num_heads"),
                   key = splitHeads(node, Key, "kv_num_heads"),
                   value = splitHeads(node, Value_, "kv_num_heads");
  if (failed(query) || failed(key) || failed(value))
    return failure();
  Value keys = appendPast(node, PastKey, *key, PresentKey),
        values = appendPast(node, PastValue, *value, PresentValue);
  auto queryType = cast<RankedTensorType>(query->getType());
  Shape shape = node.shapeOf(*query), full = shape;
  full[3] = node.shapeOf(keys)[2];

  double scale = node.number("scale", 0);
  if (!node.hasAttribute("scale"))
    scale = 1 / std::sqrt(static_cast<double>(queryType.getDimSize(3)));
  Value bias, mask;
  if (node.input(Mask)) {
    FailureOr<Value> aligned = alignMask(node, full);
    if (failed(aligned))
      return failure();
    (getElementTypeOrSelf(*aligned).isInteger(1) ? mask : bias) = *aligned;
  }
  Reach reach{node.integer("is_causal", 0) != 0,
              node.integer("left_window_size", -1),
              node.integer("right_window_size", -1)};
  Value keyLengths = node.input(KeyLengths), offset;
  if (reach.isLimited() && keyLengths) {
    SmallVector<Value> both{reachByLengths(node, full, reach)};
    if (!both[0])
      return failure();
    if (mask) {
      both.push_back(mask);
      if (failed(broadcastTogether(node, both)))
        return failure();
      both[0] = node.create<arith::AndIOp>(both[0], both[1]);
    }
    mask = both[0];
    reach = {false, -1, -1};
  } else if (reach.isLimited() && node.input(PastKey)) {
    offset = node.materializeIndex(node.shapeOf(node.input(PastKey))[2]);
  }

  SmallVector<int64_t> resultShape(queryType.getShape());
  resultShape[3] = cast<RankedTensorType>(values.getType()).getDimSize(3);
  auto op = attention::SdpaOp::create(
      node.builder, node.loc, queryType.clone(resultShape), *query, keys, values,
      bias, mask, static_cast<float>(scale));
  op.setCausal(reach.causal);
  if (reach.left >= 0 || reach.right >= 0)
    op.setWindow(SmallVector<int64_t>{reach.left, reach.right});
  if (keyLengths)
    op.getKeyLengthsMutable().assign(keyLengths);
  if (offset)
    op.getOffsetMutable().assign(offset);
  if (double softcap = node.number("softcap", 0); softcap > 0)
    op.setSoftcapAttr(node.builder.getF32FloatAttr(softcap));
  op.setMaskedRows(attention::MaskedRows::Zero);

  Value result = op.getResult();
  if (node.inputRank(Query) == 3) {
    result = transpose(node, result, {0, 2, 1, 3});
    Shape apart = node.shapeOf(result), joined{apart[0], apart[1],
                                               apart[2] * apart[3]};
    FailureOr<Value> together = reshapeTo(node, result, joined);
    if (failed(together))
      return failure();
    result = *together;
  }
  node.setOutput(Result, result);
  return success();
}

} // namespace

void addAttentionTranslators(TranslatorTable &table) {
  table.add("Attention", attention, /*since=*/23);
}

} // namespace tessera::onnx_importer
