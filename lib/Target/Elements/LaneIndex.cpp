// Index arithmetic for element accesses; see the header.
#include "lib/Target/Elements/LaneIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

using namespace mlir;
using namespace tessera;

Type tessera::withLanes(Type element, int64_t lanes) {
  return lanes == 1 ? element : VectorType::get({lanes}, element);
}

bool tessera::areSameIndices(ArrayRef<Value> given, ArrayRef<Value> expected) {
  return given.size() == expected.size() &&
         llvm::all_of(llvm::zip(given, expected), [](auto pair) {
           auto [a, b] = pair;
           return !b || a == b || (constantOf(a) && constantOf(a) == constantOf(b));
         });
}

Value LaneMath::atLeastOne(Value size) {
  if (std::optional<int64_t> known = constantOf(size); known && *known != 0)
    return size;
  Value one = size.getType().isIndex()
                  ? constant(1)
                  : Value(arith::ConstantOp::create(
                        builder, loc, builder.getOneAttr(size.getType())));
  return make<arith::MaxUIOp>(size, one);
}

static Value broadcast(OpBuilder &builder, Location loc, Value scalar,
                       int64_t lanes) {
  return vector::BroadcastOp::create(
      builder, loc, VectorType::get({lanes}, scalar.getType()), scalar);
}

Value LaneMath::vectorOf(LaneIndex a, int64_t lanes) {
  if (!a.step || lanes == 1)
    return a.base;
  Value base = broadcast(builder, loc, a.base, lanes);
  if (*a.step == 0)
    return base;
  SmallVector<APInt> steps;
  for (int64_t lane = 0; lane < lanes; ++lane)
    steps.push_back(APInt(64, lane * *a.step, /*isSigned=*/true));
  auto type = cast<VectorType>(base.getType());
  Value offsets = arith::ConstantOp::create(
      builder, loc, DenseIntElementsAttr::get(type, steps));
  return add(base, offsets);
}

Value LaneMath::laneOf(LaneIndex a, int64_t lane) {
  if (!a.step)
    return vector::ExtractOp::create(builder, loc, a.base, lane);
  return add(a.base, constant(lane * *a.step));
}

LaneIndex LaneMath::add(LaneIndex a, Value uniformAddend, int64_t lanes) {
  return add(a, LaneIndex{uniformAddend, 0}, lanes);
}

LaneIndex LaneMath::add(LaneIndex a, LaneIndex b, int64_t lanes) {
  if (a.step && b.step)
    return {add(a.base, b.base), *a.step + *b.step};
  return {add(vectorOf(a, lanes), vectorOf(b, lanes)), std::nullopt};
}

LaneIndex LaneMath::mul(LaneIndex a, Value uniformFactor, int64_t lanes) {
  std::optional<int64_t> factor = constantOf(uniformFactor);
  if (a.step && (*a.step == 0 || factor))
    return {mul(a.base, uniformFactor), *a.step == 0 ? 0 : *a.step * *factor};
  return {mul(vectorOf(a, lanes), vectorOf({uniformFactor, 0}, lanes)),
          std::nullopt};
}

LaneIndex LaneMath::subtractFrom(Value uniformMinuend, LaneIndex a,
                                  int64_t lanes) {
  if (a.step)
    return {sub(uniformMinuend, a.base), -*a.step};
  return {sub(vectorOf({uniformMinuend, 0}, lanes), a.base), std::nullopt};
}

std::pair<LaneIndex, LaneIndex> LaneMath::split(LaneIndex a, Value divisor,
                                                 int64_t lanes) {
  std::optional<int64_t> constantDivisor = constantOf(divisor);
  if (constantDivisor == 1)
    return {a, uniform(0)};
  if (a.isUniform())
    return {{div(a.base, divisor), 0}, {rem(a.base, divisor), 0}};
  // A size of 0 divides nothing.
  if (a.step && *a.step > 0 && constantDivisor && *constantDivisor > 0) {
    // Each lane has the next quotient and the same remainder.
    if (*a.step % *constantDivisor == 0 && isNonNegative(a.base))
      return {{div(a.base, divisor), *a.step / *constantDivisor},
              {rem(a.base, divisor), 0}};
    // Lanes that begin at a multiple of their reach stay within one multiple of
    // the divisor.
    int64_t reach = *a.step * lanes;
    if (*constantDivisor % reach == 0 && isMultipleOf(a.base, reach))
      return {{div(a.base, divisor), 0}, {rem(a.base, divisor), a.step}};
  }
  Value vector = vectorOf(a, lanes);
  Value divisors = vectorOf({divisor, 0}, lanes);
  return {{div(vector, divisors), std::nullopt},
          {rem(vector, divisors), std::nullopt}};
}

Value LaneMath::isBelow(LaneIndex a, Value bound, int64_t lanes) {
  if (a.isUniform() || lanes == 1)
    return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult,
                                 a.base, bound);
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ult,
                               vectorOf(a, lanes), vectorOf({bound, 0}, lanes));
}
