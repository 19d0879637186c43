// Divisors that stop no process.
#include "lib/Target/CPU/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/Matchers.h"

namespace tessera::cpu {
#define GEN_PASS_DEF_GUARDDIVISIONS
#include "lib/Target/CPU/Passes.h.inc"
} // namespace tessera::cpu

using namespace mlir;
using namespace tessera;

/// Whether `condition` holds where `value` is `number`. A value that had another
/// number replaced is compared as it was before.
static bool tells(Value condition, Value value, int64_t number) {
  auto compare = condition.getDefiningOp<arith::CmpIOp>();
  APInt constant;
  if (!compare || compare.getPredicate() != arith::CmpIPredicate::eq ||
      !matchPattern(compare.getRhs(), m_ConstantInt(&constant)) ||
      constant != APInt(constant.getBitWidth(), number, true, true))
    return false;
  auto replaced = value.getDefiningOp<arith::SelectOp>();
  return compare.getLhs() == value ||
         (replaced && compare.getLhs() == replaced.getFalseValue());
}

/// Whether no element of `value` is `number`, 0 or -1.
static bool excludes(Value value, int64_t number) {
  auto isAbove = [&](Value limit) {
    APInt constant;
    return matchPattern(limit, m_ConstantInt(&constant)) &&
           constant.sgt(APInt(constant.getBitWidth(), number, true, true));
  };
  DenseIntElementsAttr elements;
  if (matchPattern(value, m_Constant(&elements)))
    return llvm::none_of(elements, [&](const APInt &element) {
      return element == APInt(element.getBitWidth(), number, true, true);
    });
  APInt constant;
  if (matchPattern(value, m_ConstantInt(&constant)))
    return constant != APInt(constant.getBitWidth(), number, true, true);
  if (auto max = value.getDefiningOp<arith::MaxUIOp>())
    return number == 0 &&
           (excludes(max.getLhs(), 0) || excludes(max.getRhs(), 0));
  if (auto max = value.getDefiningOp<arith::MaxSIOp>())
    return isAbove(max.getLhs()) || isAbove(max.getRhs());
  if (auto select = value.getDefiningOp<arith::SelectOp>())
    return excludes(select.getTrueValue(), number) &&
           (excludes(select.getFalseValue(), number) ||
            tells(select.getCondition(), select.getFalseValue(), number));
  if (auto broadcast = value.getDefiningOp<vector::BroadcastOp>())
    return excludes(broadcast.getSource(), number);
  return false;
}

/// x / d  ==>  x / (d == 0 ? 1 : d); signed ones negate x where d is -1
static void guard(Operation *op, bool isSigned, bool isQuotient) {
  OpBuilder builder(op);
  Location loc = op->getLoc();
  Value divisor = op->getOperand(1), given = divisor;
  Type type = divisor.getType();
  auto constant = [&](int64_t value) -> Value {
    TypedAttr number = builder.getIntegerAttr(getElementTypeOrSelf(type), value);
    if (auto vector = dyn_cast<VectorType>(type))
      number = DenseElementsAttr::get(vector, number);
    return arith::ConstantOp::create(builder, loc, number);
  };
  auto avoid = [&](int64_t number) -> Value {
    if (excludes(divisor, number))
      return {};
    Value is = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                     given, constant(number));
    divisor = arith::SelectOp::create(builder, loc, is, constant(1), divisor);
    return is;
  };
  avoid(0);
  Value isMinusOne = isSigned ? avoid(-1) : Value();
  op->setOperand(1, divisor);
  if (!isMinusOne || !isQuotient)
    return;
  builder.setInsertionPointAfter(op);
  Value negated = arith::SubIOp::create(builder, loc, constant(0),
                                        op->getOperand(0));
  Value quotient = arith::SelectOp::create(builder, loc, isMinusOne, negated,
                                           op->getResult(0));
  op->getResult(0).replaceAllUsesExcept(quotient, quotient.getDefiningOp());
}

namespace {
struct GuardDivisions : cpu::impl::GuardDivisionsBase<GuardDivisions> {
  void runOnOperation() override {
    getOperation().walk([](Operation *op) {
      bool isSigned = isa<arith::DivSIOp, arith::RemSIOp>(op),
           isQuotient = isa<arith::DivSIOp, arith::DivUIOp>(op);
      if (isSigned || isQuotient || isa<arith::RemUIOp>(op))
        guard(op, isSigned, isQuotient);
    });
  }
};
} // namespace
