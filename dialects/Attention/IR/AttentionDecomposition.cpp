// Attention as linalg operations: the generic way out, by an interface, so that
// whoever decomposes linalg.softmax decomposes it too.
//
// The queries x keys scores exist as a tensor here; softmax is the safe one (the
// largest score is subtracted), in f32.
#include "dialects/Attention/IR/Attention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

#include <limits>

using namespace mlir;
using namespace tessera::attention;

namespace {

/// Emits the parts of one attention. Scores are [batch, queryHeads, queryLength,
/// keyLength], rows lack the last dimension; all in f32.
class Decomposition {
public:
  Decomposition(OpBuilder &builder, SdpaOp op)
      : builder(builder), op(op), loc(op.getLoc()), f32(builder.getF32Type()) {
    querySizes = tensor::getMixedSizes(builder, loc, op.getQuery());
    keySizes = tensor::getMixedSizes(builder, loc, op.getKey());
    valueDim = tensor::getMixedSize(builder, loc, op.getValue(), 3);
    rowSizes.assign(querySizes.begin(), querySizes.begin() + 3);
    scoreSizes = rowSizes;
    scoreSizes.push_back(keySizes[2]);
  }

  SmallVector<Value> run();

private:
  using Body = function_ref<Value(OpBuilder &, ValueRange)>;

  Value constant(OpBuilder &at, double value) {
    return arith::ConstantOp::create(at, loc, at.getF32FloatAttr(value));
  }

  Value filled(ArrayRef<OpFoldResult> sizes, double value);

  /// linalg.generic over the dimensions of `into`, and the last loops of `maps`
  /// as reductions.
  Value generic(ValueRange inputs, ArrayRef<AffineMap> maps, Value into,
                Body body);

  /// [batch, queryHeads, length, n] as [batch, keyHeads, group, length, n] where
  /// several query heads share one of keys.
  Value splitHeads(Value tensor, ArrayRef<OpFoldResult> sizes);
  Value mergeHeads(Value tensor);

  /// Sum of products of `left` [batch, queryHeads, m, k] and `right` [batch,
  /// keyHeads, …], whose last dimensions are n, k or with `rightRows` k, n.
  Value contract(Value left, ArrayRef<OpFoldResult> leftSizes, Value right,
                 OpFoldResult columns, bool rightRows);

  Value emitScores();
  /// The body of the scores' elementwise part.
  Value emitScore(OpBuilder &at, ValueRange elements);
  Value emitVisible(OpBuilder &at, ValueRange elements, ArrayRef<Value> index);
  Value inlineRegion(OpBuilder &at, Region &region, ValueRange arguments);
  Value reduceRows(Value scores, bool isMax);

  OpBuilder &builder;
  SdpaOp op;
  Location loc;
  Type f32;
  SmallVector<OpFoldResult> querySizes, keySizes, rowSizes, scoreSizes;
  OpFoldResult valueDim;
};

} // namespace

/// `element` in f32.
static Value widen(OpBuilder &builder, Location loc, Value element) {
  if (element.getType().isF32())
    return element;
  return arith::ExtFOp::create(builder, loc, builder.getF32Type(), element);
}

Value Decomposition::filled(ArrayRef<OpFoldResult> sizes, double value) {
  Value empty = tensor::EmptyOp::create(builder, loc, sizes, f32);
  return linalg::FillOp::create(builder, loc, constant(builder, value), empty)
      .getResult(0);
}

Value Decomposition::generic(ValueRange inputs, ArrayRef<AffineMap> maps,
                             Value into, Body body) {
  SmallVector<AffineMap> all(maps);
  unsigned loops = maps.front().getNumDims();
  int64_t rank = cast<RankedTensorType>(into.getType()).getRank();
  if (all.size() == inputs.size())
    all.push_back(AffineMap::getMultiDimIdentityMap(loops, op.getContext())
                      .getMajorSubMap(rank));
  SmallVector<utils::IteratorType> iterators(loops,
                                             utils::IteratorType::reduction);
  for (AffineExpr result : all.back().getResults())
    iterators[cast<AffineDimExpr>(result).getPosition()] =
        utils::IteratorType::parallel;
  return linalg::GenericOp::create(
             builder, loc, into.getType(), inputs, into, all, iterators,
             [&](OpBuilder &nested, Location, ValueRange elements) {
               linalg::YieldOp::create(nested, loc, body(nested, elements));
             })
      .getResult(0);
}

static bool isGrouped(SdpaOp op) {
  int64_t query = op.getQueryType().getDimSize(1);
  return ShapedType::isDynamic(query) ||
         query != op.getKeyType().getDimSize(1);
}

Value Decomposition::splitHeads(Value tensor, ArrayRef<OpFoldResult> sizes) {
  if (!isGrouped(op))
    return tensor;
  AffineExpr heads, keys;
  bindSymbols(op.getContext(), heads, keys);
  Value queryHeads = getValueOrCreateConstantIndexOp(builder, loc, sizes[1]);
  Value keyHeads = getValueOrCreateConstantIndexOp(builder, loc, keySizes[1]);
  Value group = arith::DivUIOp::create(builder, loc, queryHeads, keyHeads);
  auto type = cast<RankedTensorType>(tensor.getType());
  int64_t staticKeys = op.getKeyType().getDimSize(1);
  int64_t staticGroup = ShapedType::kDynamic;
  if (!type.isDynamicDim(1) && !ShapedType::isDynamic(staticKeys)) {
    staticGroup = type.getDimSize(1) / staticKeys;
    group = arith::ConstantIndexOp::create(builder, loc, staticGroup);
  }
  if (ShapedType::isDynamic(staticKeys)) {
    // A known size has no two unknown factors.
    SmallVector<int64_t> dims(type.getShape());
    dims[1] = ShapedType::kDynamic;
    tensor = tensor::CastOp::create(builder, loc, type.clone(dims), tensor);
  }
  auto expanded = RankedTensorType::get({type.getDimSize(0), staticKeys,
                                         staticGroup, type.getDimSize(2),
                                         type.getDimSize(3)},
                                        type.getElementType());
  SmallVector<OpFoldResult> shape = {sizes[0], keySizes[1],
                                     getAsOpFoldResult(group), sizes[2],
                                     sizes[3]};
  return tensor::ExpandShapeOp::create(
      builder, loc, expanded, tensor,
      ArrayRef<ReassociationIndices>{{0}, {1, 2}, {3}, {4}}, shape);
}

Value Decomposition::mergeHeads(Value tensor) {
  if (!isGrouped(op))
    return tensor;
  Value merged = tensor::CollapseShapeOp::create(
      builder, loc, tensor,
      ArrayRef<ReassociationIndices>{{0}, {1, 2}, {3}, {4}});
  auto type = cast<RankedTensorType>(merged.getType());
  int64_t heads = op.getQueryType().getDimSize(1);
  if (type.getDimSize(1) == heads)
    return merged;
  SmallVector<int64_t> shape(type.getShape());
  shape[1] = heads;
  return tensor::CastOp::create(builder, loc, type.clone(shape), merged);
}

Value Decomposition::contract(Value left, ArrayRef<OpFoldResult> leftSizes,
                              Value right, OpFoldResult columns,
                              bool rightRows) {
  left = splitHeads(left, leftSizes);
  SmallVector<OpFoldResult> sizes = {leftSizes[0], leftSizes[1], leftSizes[2],
                                     columns};
  Value into = splitHeads(filled(sizes, 0.0), sizes);
  // Loops: batch, key head, [group,] m, n, k.
  unsigned loops = isGrouped(op) ? 6 : 5;
  SmallVector<AffineExpr> d;
  for (unsigned i = 0; i < loops; ++i)
    d.push_back(builder.getAffineDimExpr(i));
  AffineExpr m = d[loops - 3], n = d[loops - 2], k = d[loops - 1];
  SmallVector<AffineExpr> leading(d.begin(), d.end() - 3);
  auto map = [&](ArrayRef<AffineExpr> first, AffineExpr x, AffineExpr y) {
    SmallVector<AffineExpr> results(first);
    results.append({x, y});
    return AffineMap::get(loops, 0, results, op.getContext());
  };
  ArrayRef<AffineExpr> shared = ArrayRef(leading).take_front(2);
  SmallVector<AffineMap> maps = {
      map(leading, m, k), rightRows ? map(shared, k, n) : map(shared, n, k),
      map(leading, m, n)};
  Value product = generic(
      {left, right}, maps, into, [&](OpBuilder &at, ValueRange elements) {
        Value x = widen(at, loc, elements[0]), y = widen(at, loc, elements[1]);
        Value term = arith::MulFOp::create(at, loc, x, y);
        return arith::AddFOp::create(at, loc, elements[2], term).getResult();
      });
  return mergeHeads(product);
}

Value Decomposition::inlineRegion(OpBuilder &at, Region &region,
                                  ValueRange arguments) {
  IRMapping mapping;
  mapping.map(region.getArguments(), arguments);
  for (Operation &inner : region.front().without_terminator())
    at.clone(inner, mapping);
  return mapping.lookupOrDefault(
      cast<YieldOp>(region.front().getTerminator()).getValue());
}

/// Whether key j is seen by query i, or null where nothing hides any.
Value Decomposition::emitVisible(OpBuilder &at, ValueRange elements,
                                 ArrayRef<Value> index) {
  Value visible;
  auto restrict = [&](Value condition) {
    visible = visible ? arith::AndIOp::create(at, loc, visible, condition)
                      : condition;
  };
  unsigned next = 1 + (op.getBias() ? 1 : 0);
  if (op.getMask())
    restrict(elements[next++]);
  if (op.getKeyLengths()) {
    Value length = arith::IndexCastOp::create(at, loc, at.getIndexType(),
                                              elements[next++]);
    restrict(arith::CmpIOp::create(at, loc, arith::CmpIPredicate::slt, index[3],
                                   length));
  }
  Value position = index[2];
  if (op.getOffset())
    position = arith::AddIOp::create(at, loc, position, op.getOffset());
  auto compare = [&](arith::CmpIPredicate predicate, int64_t distance) {
    Value constant = arith::ConstantIndexOp::create(at, loc, distance);
    Value limit = arith::AddIOp::create(at, loc, position, constant);
    restrict(arith::CmpIOp::create(at, loc, predicate, index[3], limit));
  };
  if (op.getCausal())
    compare(arith::CmpIPredicate::sle, 0);
  if (std::optional<ArrayRef<int64_t>> window = op.getWindow()) {
    if ((*window)[0] >= 0)
      compare(arith::CmpIPredicate::sge, -(*window)[0]);
    if ((*window)[1] >= 0)
      compare(arith::CmpIPredicate::sle, (*window)[1]);
  }
  if (op.hasMaskRegion())
    restrict(inlineRegion(at, op.getMaskRegion(), index));
  return visible;
}

Value Decomposition::emitScore(OpBuilder &at, ValueRange elements) {
  SmallVector<Value> index;
  for (int64_t i = 0; i < 4; ++i)
    index.push_back(linalg::IndexOp::create(at, loc, i));
  Value scale = constant(at, op.getScale().convertToDouble());
  Value score = arith::MulFOp::create(at, loc, elements[0], scale);
  if (std::optional<llvm::APFloat> softcap = op.getSoftcap()) {
    Value cap = constant(at, softcap->convertToDouble());
    score = arith::DivFOp::create(at, loc, score, cap);
    score = math::TanhOp::create(at, loc, score);
    score = arith::MulFOp::create(at, loc, score, cap);
  }
  if (op.hasScoreRegion()) {
    SmallVector<Value> arguments = {score};
    arguments.append(index);
    score = inlineRegion(at, op.getScoreRegion(), arguments);
  }
  if (op.getBias())
    score = arith::AddFOp::create(at, loc, score, widen(at, loc, elements[1]));
  if (Value visible = emitVisible(at, elements, index)) {
    Value hidden = constant(at, -std::numeric_limits<double>::infinity());
    score = arith::SelectOp::create(at, loc, visible, score, hidden);
  }
  return score;
}

Value Decomposition::emitScores() {
  MLIRContext *context = op.getContext();
  SmallVector<Value> inputs = {contract(op.getQuery(), querySizes, op.getKey(),
                                        keySizes[2], /*rightRows=*/false)};
  SmallVector<AffineMap> maps = {builder.getMultiDimIdentityMap(4)};
  for (Value operand : {op.getBias(), op.getMask()}) {
    if (!operand)
      continue;
    SmallVector<AffineExpr> results;
    for (auto [i, size] :
         llvm::enumerate(cast<RankedTensorType>(operand.getType()).getShape()))
      results.push_back(size == 1 ? builder.getAffineConstantExpr(0)
                                  : builder.getAffineDimExpr(i));
    inputs.push_back(operand);
    maps.push_back(AffineMap::get(4, 0, results, context));
  }
  if (op.getKeyLengths()) {
    inputs.push_back(op.getKeyLengths());
    maps.push_back(AffineMap::get(4, 0, builder.getAffineDimExpr(0), context));
  }
  Value into = tensor::EmptyOp::create(builder, loc, scoreSizes, f32);
  return generic(inputs, maps, into, [&](OpBuilder &at, ValueRange elements) {
    return emitScore(at, elements);
  });
}

Value Decomposition::reduceRows(Value scores, bool isMax) {
  double start = isMax ? -std::numeric_limits<double>::infinity() : 0.0;
  return generic(scores, builder.getMultiDimIdentityMap(4),
                 filled(rowSizes, start),
                 [&](OpBuilder &at, ValueRange elements) -> Value {
                   if (isMax)
                     return arith::MaximumFOp::create(at, loc, elements[0],
                                                      elements[1]);
                   return arith::AddFOp::create(at, loc, elements[0],
                                                elements[1]);
                 });
}

SmallVector<Value> Decomposition::run() {
  AffineMap all = builder.getMultiDimIdentityMap(4), row = all.getMajorSubMap(3),
            rows = builder.getMultiDimIdentityMap(3);
  Value scores = emitScores();
  Value rowEmpty = tensor::EmptyOp::create(builder, loc, rowSizes, f32);
  Value scoreEmpty = tensor::EmptyOp::create(builder, loc, scoreSizes, f32);
  // A row of -inf keeps its exponentials at 0, so that their sum is 0.
  Value largest = generic(
      reduceRows(scores, /*isMax=*/true), rows, rowEmpty,
      [&](OpBuilder &at, ValueRange elements) -> Value {
        Value lowest = constant(at, -std::numeric_limits<double>::infinity());
        Value hidden =
            arith::CmpFOp::create(at, loc, arith::CmpFPredicate::OEQ,
                                  elements[0], lowest);
        return arith::SelectOp::create(at, loc, hidden, constant(at, 0.0),
                                       elements[0]);
      });
  Value exponentials = generic(
      {scores, largest}, {all, row}, scoreEmpty,
      [&](OpBuilder &at, ValueRange elements) -> Value {
        Value less = arith::SubFOp::create(at, loc, elements[0], elements[1]);
        return math::ExpOp::create(at, loc, less);
      });
  Value sums = reduceRows(exponentials, /*isMax=*/false);
  bool zero = op.getMaskedRows() == MaskedRows::Zero;
  Value probabilities = generic(
      {exponentials, sums}, {all, row}, scoreEmpty,
      [&](OpBuilder &at, ValueRange elements) -> Value {
        Value sum = elements[1];
        if (zero) {
          Value none =
              arith::CmpFOp::create(at, loc, arith::CmpFPredicate::OEQ, sum,
                                    constant(at, 0.0));
          sum = arith::SelectOp::create(at, loc, none, constant(at, 1.0), sum);
        }
        return arith::DivFOp::create(at, loc, elements[0], sum);
      });
  Value result = contract(probabilities, scoreSizes, op.getValue(), valueDim,
                          /*rightRows=*/true);
  Type element = op.getResultType().getElementType();
  if (!element.isF32())
    result = arith::TruncFOp::create(
        builder, loc, cast<RankedTensorType>(result.getType()).clone(element),
        result);
  if (result.getType() != op.getResult().getType())
    result =
        tensor::CastOp::create(builder, loc, op.getResult().getType(), result);
  SmallVector<Value> results = {result};
  if (op.getLogSumExp()) {
    Value logSumExp = generic(
        {sums, largest}, {rows, rows}, rowEmpty,
        [&](OpBuilder &at, ValueRange elements) -> Value {
          Value log = math::LogOp::create(at, loc, elements[0]);
          return arith::AddFOp::create(at, loc, log, elements[1]);
        });
    if (logSumExp.getType() != op.getLogSumExp().getType())
      logSumExp = tensor::CastOp::create(
          builder, loc, op.getLogSumExp().getType(), logSumExp);
    results.push_back(logSumExp);
  }
  return results;
}

FailureOr<SmallVector<Value>> SdpaOp::decomposeOperation(OpBuilder &builder) {
  return Decomposition(builder, *this).run();
}
