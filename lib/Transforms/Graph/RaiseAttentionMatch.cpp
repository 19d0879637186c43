// The match of one attention.
//
// From the product (probabilities x values) it goes back to softmax and from there
// to the product of queries and keys, by data flow: index maps are followed by axes
// (RaiseAttentionAxes.h), scales, biases and masks collected
// (RaiseAttentionScores.h). Then query, key and value are followed further up.
#include "lib/Transforms/Graph/ConstantNumber.h"
#include "lib/Transforms/Graph/RaiseAttentionMatch.h"

#include "dialects/Graph/IR/Graph.h"
#include "lib/Transforms/Graph/RaiseAttentionSoftmax.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;
using namespace tessera;

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

/// Factors go to the queries, so they must be the same for all keys.
LogicalResult AttentionMatch::checkFactors() {
  AxisList heads(keyHeads);
  heads.append(group);
  OpBuilder unused(product);
  ScoreOperandBuilder operands(unused, product.getLoc(), axes, sizes,
                               {batch, heads, queries, keys});
  for (const ScoreFactor &factor : scores.factors)
    for (unsigned axis : operands.dependencies(factor.value, factor.labels))
      if (contains(keys, axis))
        return stop(factor.op,
                    "the scores are multiplied with a tensor that differs from "
                    "key to key");
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
  return failure(failed(groupAxes()) || failed(checkUses()) ||
                 failed(checkFactors()));
}
