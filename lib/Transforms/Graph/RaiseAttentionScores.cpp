// What lies between softmax and the product of queries and keys; see the header.
//
// Seen from softmax, x is C * (x' ...) + ... with the outermost operation first:
// `outer` is the constant that everything below is multiplied with.
#include "lib/Transforms/Graph/ConstantNumber.h"
#include "lib/Transforms/Graph/RaiseAttentionScores.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Interfaces/Movement.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

#include <cmath>

using namespace mlir;
using namespace tessera;

/// Below this a score of any size vanishes in the sum: adding the number to a
/// score gives the number itself, so that a selection is a sum.
static constexpr double kAbsorbs = -1e20;

Value tessera::scalarTensor(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    auto type = cast<RankedTensorType>(value.getType());
    if (type.hasStaticShape() && type.getNumElements() == 1)
      return value;
    if (!isIndexMap(op))
      return {};
    value = op->getOperand(0);
  }
  auto type = cast<RankedTensorType>(value.getType());
  return type.hasStaticShape() && type.getNumElements() == 1 ? value : Value();
}

bool tessera::isPlainContraction(Operation *op) {
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || !isContraction(op) || !linalgOp.hasPureTensorSemantics())
    return false;
  auto fill =
      linalgOp.getDpsInitOperand(0)->get().getDefiningOp<linalg::FillOp>();
  if (!fill)
    return false;
  std::optional<double> start = constantNumber(fill.getInputs()[0]);
  return start && *start == 0 &&
         llvm::all_of(linalgOp.getIndexingMapsArray(), [](AffineMap map) {
           return map.isProjectedPermutation();
         });
}

namespace {

class ScoreWalk {
public:
  ScoreWalk(AxisMap &axes, llvm::SetVector<Operation *> &path,
            AttentionMiss &miss)
      : axes(axes), path(path), miss(miss) {}

  FailureOr<Scores> run(Value start, AxisLabels startLabels);

private:
  LogicalResult stop(Operation *op, const Twine &reason) {
    miss = {op, reason.str()};
    return failure();
  }

  /// Passes the operation that computes `value`.
  LogicalResult step(Operation *op);
  LogicalResult stepScale(Operation *op, bool divides);
  LogicalResult stepSum(Operation *op, bool subtracts);
  LogicalResult stepSelect(arith::SelectOp op);
  LogicalResult stepFloor(Operation *op);
  LogicalResult addBias(Operation *op, Value bias, double factor);

  /// Whether a product is found below `from` through what this walk passes.
  bool leadsToProduct(Value from, unsigned depth = 0);

  AxisMap &axes;
  llvm::SetVector<Operation *> &path;
  AttentionMiss &miss;
  Value value;
  AxisLabels labels;
  double outer = 1;
  Scores scores;
};

} // namespace

bool ScoreWalk::leadsToProduct(Value from, unsigned depth) {
  Operation *op = from.getDefiningOp();
  constexpr unsigned longest = 32;
  if (!op || depth > longest)
    return false;
  if (isPlainContraction(op))
    return true;
  if (isIndexMap(op) || isFloatCast(op) || isa<math::TanhOp, arith::NegFOp>(op))
    return leadsToProduct(op->getOperand(0), depth + 1);
  if (isa<arith::SelectOp>(op))
    return leadsToProduct(op->getOperand(1), depth + 1) ||
           leadsToProduct(op->getOperand(2), depth + 1);
  if (isa<arith::MulFOp, arith::DivFOp, arith::AddFOp, arith::SubFOp,
          arith::MaximumFOp, arith::MaxNumFOp>(op))
    return leadsToProduct(op->getOperand(0), depth + 1) ||
           leadsToProduct(op->getOperand(1), depth + 1);
  return false;
}

LogicalResult ScoreWalk::stepScale(Operation *op, bool divides) {
  for (unsigned i : {1u, 0u}) {
    if (divides && i == 0)
      break;
    Value factor = op->getOperand(i);
    if (std::optional<double> number = constantNumber(factor)) {
      outer = divides ? outer / *number : outer * *number;
      value = op->getOperand(1 - i);
      return success();
    }
    if (Value scalar = scalarTensor(factor)) {
      scores.factors.push_back({scalar, divides, {}, op});
      value = op->getOperand(1 - i);
      return success();
    }
  }
  unsigned score = divides || leadsToProduct(op->getOperand(0)) ? 0 : 1;
  scores.factors.push_back({op->getOperand(1 - score), divides, labels, op});
  value = op->getOperand(score);
  return success();
}

LogicalResult ScoreWalk::addBias(Operation *op, Value bias, double factor) {
  if (!scores.factors.empty())
    return stop(op, "a factor that is no constant stands behind a bias");
  if (scores.softcap)
    return stop(op, "a bias stands before the soft cap");
  ScoreOperand operand;
  operand.value = bias;
  operand.labels = labels;
  operand.factor = factor;
  scores.biases.push_back(operand);
  return success();
}

LogicalResult ScoreWalk::stepSum(Operation *op, bool subtracts) {
  unsigned score = leadsToProduct(op->getOperand(0)) ? 0 : 1;
  if (subtracts && score == 1)
    return stop(op, "the scores are subtracted");
  if (failed(addBias(op, op->getOperand(1 - score),
                     subtracts ? -outer : outer)))
    return failure();
  value = op->getOperand(score);
  return success();
}

LogicalResult ScoreWalk::stepSelect(arith::SelectOp op) {
  if (scores.softcap)
    return stop(op, "a selection stands before the soft cap");
  if (!scores.factors.empty())
    return stop(op, "a factor that is no constant stands behind a mask");
  if (!isa<RankedTensorType>(op.getCondition().getType()))
    return stop(op, "a selection by one condition");
  for (bool inverted : {false, true}) {
    Value score = inverted ? op.getFalseValue() : op.getTrueValue();
    Value other = inverted ? op.getTrueValue() : op.getFalseValue();
    std::optional<double> number = constantNumber(other);
    if (!number || !leadsToProduct(score))
      continue;
    ScoreOperand operand;
    operand.value = op.getCondition();
    operand.labels = labels;
    operand.inverted = inverted;
    double hidden = outer * *number;
    if (scores.floor)
      hidden = std::max(hidden, *scores.floor);
    if (std::isinf(hidden) && hidden < 0) {
      scores.masks.push_back(operand);
    } else if (hidden <= kAbsorbs) {
      operand.elseValue = hidden;
      scores.biases.push_back(operand);
    } else {
      return stop(op, "a selection of scores or a number that is not low enough "
                      "to hide a key");
    }
    value = score;
    return success();
  }
  return stop(op, "a selection of scores that is no mask");
}

LogicalResult ScoreWalk::stepFloor(Operation *op) {
  for (unsigned i : {1u, 0u}) {
    std::optional<double> number = constantNumber(op->getOperand(i));
    if (!number)
      continue;
    double least = outer * *number;
    if (outer <= 0 || least > kAbsorbs || std::isinf(least))
      return stop(op, "a lower limit of the scores that is not low enough to hide "
                      "a key");
    if (!scores.factors.empty() || !scores.biases.empty() ||
        !scores.masks.empty() || scores.softcap || scores.floor)
      return stop(op, "a lower limit of the scores that is not the last step");
    scores.floor = least;
    value = op->getOperand(1 - i);
    return success();
  }
  return stop(op, "the scores are one of two tensors");
}

LogicalResult ScoreWalk::step(Operation *op) {
  if (isFloatCast(op)) {
    value = op->getOperand(0);
    return success();
  }
  if (isIndexMap(op)) {
    if (axes.stepBack(value, labels, /*allowSplits=*/true,
                      /*allowRepeats=*/false))
      return success();
    return stop(op, "the scores' axes cannot be followed");
  }
  if (isa<arith::MulFOp>(op))
    return stepScale(op, /*divides=*/false);
  if (isa<arith::DivFOp>(op))
    return stepScale(op, /*divides=*/true);
  if (isa<arith::NegFOp>(op)) {
    outer = -outer;
    value = op->getOperand(0);
    return success();
  }
  if (isa<arith::AddFOp>(op))
    return stepSum(op, /*subtracts=*/false);
  if (isa<arith::SubFOp>(op))
    return stepSum(op, /*subtracts=*/true);
  if (auto select = dyn_cast<arith::SelectOp>(op))
    return stepSelect(select);
  if (isa<arith::MaximumFOp, arith::MaxNumFOp>(op))
    return stepFloor(op);
  if (isa<math::TanhOp>(op)) {
    if (scores.softcap || !scores.factors.empty() || outer <= 0)
      return stop(op, "no soft cap");
    scores.softcap = outer;
    value = op->getOperand(0);
    return success();
  }
  return stop(op, "the scores come from '" + op->getName().getStringRef() + "'");
}

FailureOr<Scores> ScoreWalk::run(Value start, AxisLabels startLabels) {
  value = start;
  labels = startLabels;
  while (Operation *op = value.getDefiningOp()) {
    path.insert(op);
    if (isPlainContraction(op)) {
      scores.scale = outer;
      scores.product = cast<linalg::LinalgOp>(op);
      scores.labels = labels;
      return scores;
    }
    if (failed(step(op)))
      return failure();
  }
  return stop(value.getParentBlock()->getParentOp(),
              "the scores are an argument");
}

FailureOr<Scores> tessera::matchScores(Value value, AxisLabels labels,
                                       AxisMap &axes,
                                       llvm::SetVector<Operation *> &path,
                                       AttentionMiss &miss) {
  return ScoreWalk(axes, path, miss).run(value, labels);
}
