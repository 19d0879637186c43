// Softmax in the forms that exporters write it; see the header.
#include "lib/Transforms/Graph/ConstantNumber.h"
#include "lib/Transforms/Graph/RaiseAttentionSoftmax.h"
#include "lib/Transforms/Graph/RaiseAttentionScores.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include <cmath>

using namespace mlir;
using namespace tessera;

/// A reduction of one dimension by `Op` that a broadcast has brought back to the
/// size of its source.
template <typename... Ops>
static linalg::ReduceOp matchRowReduction(Value value,
                                          llvm::SetVector<Operation *> &path) {
  while (Operation *op = value.getDefiningOp()) {
    path.insert(op);
    if (isa<graph::BroadcastToOp, tensor::ExpandShapeOp, tensor::CastOp>(op)) {
      value = op->getOperand(0);
      continue;
    }
    auto reduce = dyn_cast<linalg::ReduceOp>(op);
    if (!reduce || reduce.getNumDpsInputs() != 1 ||
        reduce.getDimensions().size() != 1)
      return {};
    Block &body = reduce.getCombiner().front();
    if (body.getOperations().size() != 2 || !isa<Ops...>(body.front()))
      return {};
    return reduce;
  }
  return {};
}

/// Whether `value` begins a reduction at `start`.
static bool startsAt(linalg::ReduceOp reduce, double start) {
  auto fill = reduce.getDpsInitOperand(0)->get().getDefiningOp<linalg::FillOp>();
  std::optional<double> number =
      fill ? constantNumber(fill.getInputs()[0]) : std::nullopt;
  return number && *number == start;
}

static std::optional<SoftmaxMatch>
matchQuotient(Value exponentials, Value sums, Value result,
              llvm::SetVector<Operation *> &path) {
  auto exp = exponentials.getDefiningOp<math::ExpOp>();
  if (!exp)
    return std::nullopt;
  linalg::ReduceOp sum = matchRowReduction<arith::AddFOp>(sums, path);
  if (!sum || sum.getInputs()[0] != exponentials || !startsAt(sum, 0))
    return std::nullopt;
  path.insert(exp);
  int64_t dimension = sum.getDimensions()[0];
  auto difference = exp.getOperand().getDefiningOp<arith::SubFOp>();
  if (difference) {
    llvm::SetVector<Operation *> maximumPath;
    linalg::ReduceOp maximum =
        matchRowReduction<arith::MaximumFOp, arith::MaxNumFOp>(
            difference.getRhs(), maximumPath);
    if (maximum && maximum.getInputs()[0] == difference.getLhs() &&
        maximum.getDimensions()[0] == dimension) {
      path.insert(difference);
      path.insert(maximumPath.begin(), maximumPath.end());
      return SoftmaxMatch{difference.getLhs(), result, dimension};
    }
  }
  return SoftmaxMatch{exp.getOperand(), result, dimension};
}

std::optional<SoftmaxMatch>
tessera::matchSoftmax(Value result, llvm::SetVector<Operation *> &path) {
  Operation *op = result.getDefiningOp();
  if (auto softmax = dyn_cast_or_null<linalg::SoftmaxOp>(op)) {
    path.insert(op);
    return SoftmaxMatch{softmax.getInput(), result,
                        static_cast<int64_t>(softmax.getDimension())};
  }
  std::optional<SoftmaxMatch> match;
  llvm::SetVector<Operation *> found;
  if (auto division = dyn_cast_or_null<arith::DivFOp>(op)) {
    match = matchQuotient(division.getLhs(), division.getRhs(), result, found);
  } else if (isa_and_nonnull<arith::MulFOp>(op)) {
    // exp * (1 / sum)
    for (unsigned i : {0u, 1u}) {
      auto reciprocal = op->getOperand(i).getDefiningOp<arith::DivFOp>();
      if (!reciprocal || constantNumber(reciprocal.getLhs()) != 1.0)
        continue;
      found.insert(reciprocal);
      match = matchQuotient(op->getOperand(1 - i), reciprocal.getRhs(), result,
                            found);
    }
  }
  if (match) {
    path.insert(op);
    path.insert(found.begin(), found.end());
  }
  return match;
}

Value tessera::matchNanGuard(Value value, llvm::SetVector<Operation *> &path) {
  auto select = value.getDefiningOp<arith::SelectOp>();
  auto compare =
      select ? select.getCondition().getDefiningOp<arith::CmpFOp>() : nullptr;
  if (!compare || compare.getLhs() != compare.getRhs())
    return {};
  bool nanIsTrue = compare.getPredicate() == arith::CmpFPredicate::UNO ||
                   compare.getPredicate() == arith::CmpFPredicate::UNE;
  bool nanIsFalse = compare.getPredicate() == arith::CmpFPredicate::ORD ||
                    compare.getPredicate() == arith::CmpFPredicate::OEQ;
  if (!nanIsTrue && !nanIsFalse)
    return {};
  Value zero = nanIsTrue ? select.getTrueValue() : select.getFalseValue();
  Value guarded = nanIsTrue ? select.getFalseValue() : select.getTrueValue();
  if (guarded != compare.getLhs() || constantNumber(zero) != 0.0)
    return {};
  path.insert(select);
  path.insert(compare);
  return guarded;
}
