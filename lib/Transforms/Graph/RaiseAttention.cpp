// Makes attention one operation, whatever an exporter made of it.
//
// From each product (probabilities x values) the match goes back to softmax and
// from there to the product of queries and keys, by data flow: index maps are
// followed by axes (RaiseAttentionAxes.h), scales, biases and masks collected
// (RaiseAttentionScores.h). Then query, key and value are followed further up, and
// rebuilt as [batch, heads, length, dim] from where index maps begin.
#include "dialects/Attention/IR/Attention.h"
#include "dialects/Graph/IR/Graph.h"
#include "lib/Transforms/Graph/Passes.h"
#include "lib/Transforms/Graph/RaiseAttentionMasks.h"
#include "lib/Transforms/Graph/RaiseAttentionScores.h"
#include "lib/Transforms/Graph/RaiseAttentionSoftmax.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"

#include <cmath>

namespace tessera {
#define GEN_PASS_DEF_RAISEATTENTION
#include "lib/Transforms/Graph/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

/// A tensor and the axes of its dimensions.
struct Labelled {
  Value value;
  AxisLabels labels;
};

/// One match: from the product with the values to the operands.
class AttentionMatch {
public:
  AttentionMatch(linalg::LinalgOp product, graph::SizeAnalysis &sizes)
      : product(product), axes(sizes), sizes(sizes) {}

  /// Finds all parts. Fails with `miss` set where a softmax had been found, and
  /// without where there is nothing like an attention.
  LogicalResult match();
  void rewrite(RewriterBase &rewriter);

  AttentionMiss miss;

private:
  LogicalResult stop(Operation *op, const Twine &reason) {
    miss = {op, reason.str()};
    return failure();
  }

  /// Gives each loop of `op` an axis.
  void labelLoops(linalg::LinalgOp op, SmallVectorImpl<AxisList> &loops);
  AxisLabels labelsOf(AffineMap map, ArrayRef<AxisList> loops);

  LogicalResult matchProbabilities(unsigned operand);
  LogicalResult matchQueryAndKey();
  LogicalResult groupAxes();
  LogicalResult checkUses();
  /// Goes on through index maps, constant factors (into `scale`) and widening.
  void followOperand(Labelled &operand);

  Value buildOperand(OpBuilder &builder, const Labelled &operand,
                     const AxisLabels &layout, Type type);
  Value buildQuery(OpBuilder &builder, Type type);
  Value buildBias(OpBuilder &builder, ScoreOperandBuilder &operands,
                  const ScoreOperand &bias);
  Value buildMask(OpBuilder &builder, ScoreOperandBuilder &operands,
                  const ScoreOperand &mask);
  /// Joins operands of one kind; broadcast first where their shapes differ.
  template <typename Op>
  Value join(OpBuilder &builder, ScoreOperandBuilder &operands,
             ArrayRef<Value> parts);

  bool contains(ArrayRef<unsigned> list, unsigned axis) {
    return llvm::is_contained(list, axis);
  }

  linalg::LinalgOp product;
  AxisMap axes;
  graph::SizeAnalysis &sizes;
  llvm::SetVector<Operation *> path;
  Scores scores;
  attention::MaskedRows maskedRows = attention::MaskedRows::Nan;
  Labelled query, key, value;
  AxisLabels resultLabels;
  AxisList keys, depth, columns;
  /// The dimensions of the operation.
  AxisList batch, keyHeads, group, queries;
};

} // namespace

//===----------------------------------------------------------------------===//
// Matching
//===----------------------------------------------------------------------===//

void AttentionMatch::labelLoops(linalg::LinalgOp op,
                                SmallVectorImpl<AxisList> &loops) {
  loops.assign(op.getNumLoops(), {});
  SmallVector<bool> known(op.getNumLoops(), false);
  for (OpOperand *operand : op.getDpsInputOperands()) {
    AffineMap map = op.getMatchingIndexingMap(operand);
    for (auto [i, result] : llvm::enumerate(map.getResults())) {
      unsigned loop = cast<AffineDimExpr>(result).getPosition();
      if (!known[loop])
        loops[loop] = axes.add(sizes.dimOf(operand->get(), i));
      known[loop] = true;
    }
  }
}

AxisLabels AttentionMatch::labelsOf(AffineMap map, ArrayRef<AxisList> loops) {
  AxisLabels labels;
  for (AffineExpr result : map.getResults())
    labels.push_back(loops[cast<AffineDimExpr>(result).getPosition()]);
  return labels;
}

/// The loops that a map reads.
static llvm::SmallBitVector loopsOf(linalg::LinalgOp op, OpOperand *operand) {
  llvm::SmallBitVector used(op.getNumLoops());
  for (AffineExpr result : op.getMatchingIndexingMap(operand).getResults())
    used.set(cast<AffineDimExpr>(result).getPosition());
  return used;
}

LogicalResult AttentionMatch::matchProbabilities(unsigned number) {
  OpOperand *probabilities = product.getDpsInputOperand(number),
            *values = product.getDpsInputOperand(1 - number);
  SmallVector<AxisList> loops;
  labelLoops(product, loops);
  Labelled at{probabilities->get(),
              labelsOf(product.getMatchingIndexingMap(probabilities), loops)};

  std::optional<SoftmaxMatch> softmax;
  path.insert(product);
  while (!softmax) {
    if (Value guarded = matchNanGuard(at.value, path)) {
      maskedRows = attention::MaskedRows::Zero;
      at.value = guarded;
      continue;
    }
    softmax = matchSoftmax(at.value, path);
    if (softmax)
      break;
    Operation *op = at.value.getDefiningOp();
    if (!op)
      return failure();
    path.insert(op);
    if (isa<arith::ExtFOp, arith::TruncFOp>(op))
      at.value = op->getOperand(0);
    else if (!axes.stepBack(at.value, at.labels, /*allowSplits=*/true,
                            /*allowRepeats=*/false))
      return failure();
  }

  llvm::SmallBitVector inValues = loopsOf(product, values),
                       inResult =
                           loopsOf(product, product.getDpsInitOperand(0)),
                       inRows = loopsOf(product, probabilities);
  for (unsigned loop = 0; loop < loops.size(); ++loop) {
    if (!inResult[loop] && !(inRows[loop] && inValues[loop]))
      return stop(product, "a sum over one operand only");
    if (!inResult[loop])
      keys.append(loops[loop]);
    else if (!inRows[loop])
      columns.append(loops[loop]);
  }
  if (axes.resolve(at.labels[softmax->dimension]) != axes.resolve(keys))
    return stop(softmax->result.getDefiningOp(),
                "softmax does not run along the keys of the product");
  value = {values->get(),
           labelsOf(product.getMatchingIndexingMap(values), loops)};
  resultLabels = labelsOf(
      product.getMatchingIndexingMap(product.getDpsInitOperand(0)), loops);
  FailureOr<Scores> found =
      matchScores(softmax->input, at.labels, axes, path, miss);
  if (failed(found))
    return failure();
  scores = std::move(*found);
  return success();
}

LogicalResult AttentionMatch::matchQueryAndKey() {
  linalg::LinalgOp op = scores.product;
  if (op == product)
    return stop(op, "the product of queries and keys is the one with the values");
  SmallVector<AxisList> loops;
  labelLoops(op, loops);
  OpOperand *result = op.getDpsInitOperand(0);
  for (auto [dim, expr] :
       llvm::enumerate(op.getMatchingIndexingMap(result).getResults()))
    loops[cast<AffineDimExpr>(expr).getPosition()] = scores.labels[dim];

  llvm::SmallBitVector inResult = loopsOf(op, result);
  AxisList wanted = axes.resolve(keys);
  std::optional<unsigned> keyOperand;
  for (unsigned i : {0u, 1u}) {
    llvm::SmallBitVector here = loopsOf(op, op.getDpsInputOperand(i)),
                         there = loopsOf(op, op.getDpsInputOperand(1 - i));
    AxisList own;
    bool onlyHere = true;
    for (unsigned loop = 0; loop < loops.size(); ++loop)
      for (unsigned axis : axes.resolve(loops[loop]))
        if (here[loop] && contains(wanted, axis)) {
          own.push_back(axis);
          onlyHere &= !there[loop];
        }
    if (own.size() == wanted.size() && onlyHere && !keyOperand)
      keyOperand = i;
    for (unsigned loop = 0; loop < loops.size(); ++loop)
      if (!inResult[loop] && !(here[loop] && there[loop]))
        return stop(op, "a sum over one operand only");
  }
  if (!keyOperand)
    return stop(op, "the keys are not those of one operand");
  for (unsigned loop = 0; loop < loops.size(); ++loop)
    if (!inResult[loop])
      depth.append(loops[loop]);
  OpOperand *keyInput = op.getDpsInputOperand(*keyOperand),
            *queryInput = op.getDpsInputOperand(1 - *keyOperand);
  key = {keyInput->get(), labelsOf(op.getMatchingIndexingMap(keyInput), loops)};
  query = {queryInput->get(),
           labelsOf(op.getMatchingIndexingMap(queryInput), loops)};
  return success();
}

void AttentionMatch::followOperand(Labelled &operand) {
  while (Operation *op = operand.value.getDefiningOp()) {
    if (axes.stepBack(operand.value, operand.labels, /*allowSplits=*/true,
                      /*allowRepeats=*/true))
      continue;
    if (isa<arith::ExtFOp>(op)) {
      operand.value = op->getOperand(0);
      continue;
    }
    bool isValue = &operand == &value;
    if (isValue || !isa<arith::MulFOp, arith::DivFOp>(op))
      return;
    std::optional<double> left = constantNumber(op->getOperand(0)),
                          right = constantNumber(op->getOperand(1));
    if (right) {
      scores.scale *= isa<arith::MulFOp>(op) ? *right : 1 / *right;
      operand.value = op->getOperand(0);
    } else if (left && isa<arith::MulFOp>(op)) {
      scores.scale *= *left;
      operand.value = op->getOperand(1);
    } else {
      return;
    }
  }
}

/// Which axes are batch, heads, queries: the last one that neither keys nor values
/// have is the queries, others of that kind are heads that share keys; the last one
/// of the rest are the heads of the keys, what is before them the batch.
LogicalResult AttentionMatch::groupAxes() {
  AxisList inKey = axes.all(key.labels), inValue = axes.all(value.labels);
  keys = axes.resolve(keys);
  depth = axes.resolve(depth);
  columns = axes.resolve(columns);
  AxisList rows, shared;
  for (unsigned axis : axes.all(resultLabels))
    if (!contains(columns, axis))
      (contains(inKey, axis) || contains(inValue, axis) ? shared : rows)
          .push_back(axis);
  if (!rows.empty())
    queries = {rows.pop_back_val()};
  group = rows;
  if (shared.size() > 1)
    keyHeads = {shared.pop_back_val()};
  batch = shared;
  for (unsigned axis : axes.all(scores.labels))
    if (!contains(keys, axis) &&
        !contains(axes.all(resultLabels), axis))
      return stop(scores.product, "an axis of the scores is not in the result");
  if (!std::isfinite(static_cast<float>(scores.scale)))
    return stop(scores.product, "the scale is not finite");
  return success();
}

/// What is recomputed inside the operation must not be needed outside.
LogicalResult AttentionMatch::checkUses() {
  for (Operation *op : path) {
    bool costs = isPlainContraction(op) || isa<linalg::SoftmaxOp>(op) ||
                 isa<math::ExpOp, arith::SelectOp, arith::DivFOp>(op);
    if (op == product || !costs)
      continue;
    for (Operation *user : op->getUsers())
      if (!path.contains(user))
        return stop(op, "scores or probabilities have another use");
  }
  return success();
}

LogicalResult AttentionMatch::match() {
  bool found = false;
  for (unsigned i : {0u, 1u}) {
    path.clear();
    keys.clear();
    columns.clear();
    maskedRows = attention::MaskedRows::Nan;
    axes.reset();
    if (succeeded(matchProbabilities(i))) {
      found = true;
      break;
    }
    if (miss.op)
      return failure();
  }
  if (!found || failed(matchQueryAndKey()))
    return failure();
  for (Labelled *operand : {&query, &key, &value}) {
    followOperand(*operand);
    Type type = getElementTypeOrSelf(operand->value);
    if (!type.isF32() && !type.isF16() && !type.isBF16())
      return stop(product, "expects f32, f16 or bf16 elements");
  }
  return failure(failed(groupAxes()) || failed(checkUses()));
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

/// `value` in the float type `type`.
static Value castElements(OpBuilder &builder, Location loc, Value value,
                          Type type) {
  auto tensor = cast<RankedTensorType>(value.getType());
  unsigned from = tensor.getElementTypeBitWidth(),
           to = type.getIntOrFloatBitWidth();
  if (tensor.getElementType() == type)
    return value;
  if (from < to)
    return arith::ExtFOp::create(builder, loc, tensor.clone(type), value);
  return arith::TruncFOp::create(builder, loc, tensor.clone(type), value);
}

Value AttentionMatch::buildOperand(OpBuilder &builder, const Labelled &operand,
                                   const AxisLabels &layout, Type type) {
  Location loc = product.getLoc();
  Value wide =
      axes.relayout(builder, loc, operand.value, operand.labels, layout,
                    /*repeat=*/true);
  return castElements(builder, loc, wide, type);
}

/// The query, times the factors of the scores that are no constants.
Value AttentionMatch::buildQuery(OpBuilder &builder, Type type) {
  Location loc = product.getLoc();
  AxisList heads(keyHeads);
  heads.append(group);
  Value made = buildOperand(builder, query, {batch, heads, queries, depth},
                            type);
  for (const ScoreFactor &factor : scores.factors) {
    Value wide = createBroadcast(builder, castElements(builder, loc, factor.value, type),
                                 sizes.dimsOf(made), sizes);
    if (factor.divides)
      made = arith::DivFOp::create(builder, loc, made, wide);
    else
      made = arith::MulFOp::create(builder, loc, made, wide);
  }
  return made;
}

/// A tensor of the shape of `like` of one number.
static Value filledLike(OpBuilder &builder, Location loc, double number,
                        Value like, graph::SizeAnalysis &sizes) {
  auto scalar = RankedTensorType::get({}, builder.getF32Type());
  Value constant = arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(scalar, static_cast<float>(number)));
  return createBroadcast(builder, constant, sizes.dimsOf(like), sizes);
}

Value AttentionMatch::buildBias(OpBuilder &builder,
                                ScoreOperandBuilder &operands,
                                const ScoreOperand &bias) {
  Location loc = product.getLoc();
  Value made = operands.build(bias.value, bias.labels);
  if (bias.elseValue) {
    Value low = filledLike(builder, loc, *bias.elseValue, made, sizes);
    Value zero = filledLike(builder, loc, 0.0, made, sizes);
    return arith::SelectOp::create(builder, loc, made,
                                   bias.inverted ? low : zero,
                                   bias.inverted ? zero : low);
  }
  if (bias.factor == 1)
    return made;
  made = castElements(builder, loc, made, builder.getF32Type());
  Value factor = filledLike(builder, loc, bias.factor, made, sizes);
  return arith::MulFOp::create(builder, loc, made, factor);
}

Value AttentionMatch::buildMask(OpBuilder &builder,
                                ScoreOperandBuilder &operands,
                                const ScoreOperand &mask) {
  Location loc = product.getLoc();
  Value made = operands.build(mask.value, mask.labels);
  if (!mask.inverted)
    return made;
  auto scalar = RankedTensorType::get({}, builder.getI1Type());
  Value yes = arith::ConstantOp::create(builder, loc,
                                        DenseElementsAttr::get(scalar, true));
  yes = createBroadcast(builder, yes, sizes.dimsOf(made), sizes);
  return arith::XOrIOp::create(builder, loc, made, yes);
}

template <typename Op>
Value AttentionMatch::join(OpBuilder &builder, ScoreOperandBuilder &operands,
                           ArrayRef<Value> parts) {
  Value joined;
  for (Value part : parts) {
    if (!joined) {
      joined = part;
      continue;
    }
    SmallVector<Value> both = {joined, part};
    operands.broadcastTogether(both);
    joined = Op::create(builder, product.getLoc(), both[0], both[1]);
  }
  return joined;
}

/// The type that the operation computes with: that of all operands, or f32.
static Type commonType(ArrayRef<Value> operands) {
  Type common = getElementTypeOrSelf(operands.front());
  for (Value operand : operands)
    if (getElementTypeOrSelf(operand) != common)
      return Float32Type::get(common.getContext());
  return common;
}

void AttentionMatch::rewrite(RewriterBase &rewriter) {
  rewriter.setInsertionPoint(product);
  Location loc = product.getLoc();
  Type type = commonType({query.value, key.value, value.value});
  // A product that is not rounded to the operands' type keeps its precision.
  Value replaced = product->getResult(0);
  Type resultType = getElementTypeOrSelf(replaced);
  if (type != resultType &&
      !llvm::all_of(replaced.getUsers(), [&](Operation *user) {
        return isa<arith::TruncFOp>(user) &&
               getElementTypeOrSelf(user->getResult(0)) == type;
      }))
    type = rewriter.getF32Type();

  AxisList heads(keyHeads);
  heads.append(group);
  Value q = buildQuery(rewriter, type);
  Value k = buildOperand(rewriter, key, {batch, keyHeads, keys, depth},
                         type);
  Value v = buildOperand(rewriter, value, {batch, keyHeads, keys, columns},
                         type);
  ScoreOperandBuilder operands(rewriter, loc, axes, sizes,
                               {batch, heads, queries, keys});
  SmallVector<Value> biases, masks;
  for (const ScoreOperand &bias : scores.biases)
    biases.push_back(buildBias(rewriter, operands, bias));
  for (const ScoreOperand &mask : scores.masks)
    masks.push_back(buildMask(rewriter, operands, mask));
  // What adds nothing or hides nothing is dropped.
  llvm::erase_if(biases, [](Value bias) {
    auto select = bias.getDefiningOp<arith::SelectOp>();
    return constantNumber(bias) == 0.0 ||
           (select && constantNumber(select.getTrueValue()) == 0.0 &&
            isAlwaysTrue(select.getCondition()));
  });
  llvm::erase_if(masks, isAlwaysTrue);
  if (!biases.empty()) {
    Type biasType = commonType(biases);
    for (Value &bias : biases)
      bias = castElements(rewriter, loc, bias, biasType);
  }
  auto queryType = cast<RankedTensorType>(q.getType());
  SmallVector<int64_t> shape(queryType.getShape());
  shape[3] = cast<RankedTensorType>(v.getType()).getDimSize(3);
  auto attention = attention::SdpaOp::create(
      rewriter, loc, queryType.clone(shape), q, k, v,
      join<arith::AddFOp>(rewriter, operands, biases),
      join<arith::AndIOp>(rewriter, operands, masks),
      static_cast<float>(scores.scale));
  if (scores.softcap)
    attention.setSoftcapAttr(rewriter.getF32FloatAttr(*scores.softcap));
  attention.setMaskedRows(maskedRows);

  Value result =
      axes.relayout(rewriter, loc, attention.getResult(),
                    {batch, heads, queries, columns}, resultLabels,
                    /*repeat=*/true);
  result = castElements(rewriter, loc, result, resultType);
  if (result.getType() != replaced.getType())
    result =
        tensor::CastOp::create(rewriter, loc, replaced.getType(), result);
  rewriter.replaceOp(product, result);
}

namespace {
struct RaiseAttention : tessera::impl::RaiseAttentionBase<RaiseAttention> {
  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> products;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (isPlainContraction(op))
        products.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::LinalgOp product : products) {
      graph::SizeAnalysis sizes(&getContext());
      AttentionMatch match(product, sizes);
      Location loc = product.getLoc();
      auto options = remark::RemarkOpts::name("raise").category("attention");
      if (succeeded(match.match())) {
        match.rewrite(rewriter);
        remark::passed(loc, options) << "raised to one operation";
      } else if (match.miss.op) {
        remark::missed(match.miss.op->getLoc(), options)
            << ("no attention: " + match.miss.reason);
      }
    }
  }
};
} // namespace
