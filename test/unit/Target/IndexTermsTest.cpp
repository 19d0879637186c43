// Divisions of indices by constants, and what is known of their parts.
#include "lib/Target/Elements/IndexTerms.h"
#include "lib/Target/Elements/LaneIndex.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/BuiltinOps.h"

#include "gtest/gtest.h"

using namespace mlir;
using namespace tessera;

namespace {

/// A function of one size, with a loop from 0 to 80 by 16.
class IndexTermsTest : public testing::Test {
protected:
  IndexTermsTest()
      : builder(&context), loc(builder.getUnknownLoc()), math(builder, loc) {
    context.loadDialect<arith::ArithDialect, func::FuncDialect,
                        scf::SCFDialect, vector::VectorDialect>();
    module = ModuleOp::create(loc);
    builder.setInsertionPointToEnd(module->getBody());
    auto function = func::FuncOp::create(
        builder, loc, "f",
        builder.getFunctionType(builder.getIndexType(), TypeRange()));
    builder.setInsertionPointToStart(function.addEntryBlock());
    size = function.getArgument(0);
    auto loop = scf::ForOp::create(builder, loc, math.constant(0),
                                   math.constant(80), math.constant(16));
    builder.setInsertionPointToStart(loop.getBody());
    column = loop.getInductionVar();
  }

  Value times(Value a, int64_t b) { return math.mul(a, math.constant(b)); }
  Value plus(Value a, int64_t b) { return math.add(a, math.constant(b)); }
  Value over(Value a, int64_t b) { return math.div(a, math.constant(b)); }
  Value modulo(Value a, int64_t b) { return math.rem(a, math.constant(b)); }

  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  OpBuilder builder;
  Location loc;
  LaneMath math;
  Value size, column;
};

TEST_F(IndexTermsTest, DividesTheParts) {
  Value index = math.add(times(size, 80), column);
  EXPECT_EQ(over(index, 80), size);
  EXPECT_EQ(modulo(index, 80), column);
  EXPECT_EQ(termsOf(index).divisor(), 1);
  EXPECT_TRUE(isMultipleOf(index, 16));
  EXPECT_EQ(termsOf(times(size, 196)).divisor(), 196);
}

TEST_F(IndexTermsTest, SeesBoundsThroughDivisions) {
  // size * 16 + (x % 64) / 8 * 2 + 1, of which the rest is at most 15.
  Value rest = plus(times(over(modulo(size, 64), 8), 2), 1);
  Value index = math.add(times(size, 16), rest);
  EXPECT_EQ(termsOf(rest).largest(), 15);
  EXPECT_EQ(over(index, 16), size);
  EXPECT_EQ(constantOf(modulo(times(size, 16), 16)), 0);
}

TEST_F(IndexTermsTest, LeavesWhatMayBeNegative) {
  // The parts of 8 * size - 2 cannot be divided on their own.
  Value index = plus(times(size, 8), -2);
  EXPECT_TRUE(over(index, 8).getDefiningOp<arith::DivUIOp>());
  EXPECT_EQ(over(index, 8).getDefiningOp()->getOperand(0), index);
  EXPECT_EQ(modulo(index, 8).getDefiningOp()->getOperand(0), index);
  Value difference = math.sub(size, math.constant(1));
  EXPECT_FALSE(isNonNegative(difference));
  EXPECT_FALSE(isNonNegative(math.add(size, difference)));
  EXPECT_TRUE(isNonNegative(math.add(size, column)));
  EXPECT_FALSE(termsOf(math.add(times(size, 8), difference)).splitBy(8));
}

TEST_F(IndexTermsTest, DividesWithoutLanesToo) {
  IndexBuilder index(builder, loc);
  EXPECT_EQ(index.ceilDiv(index.mul(size, 16), 16), size);
  EXPECT_EQ(index.ceilDiv(size, 1), size);
  SmallVector<Value> place = index.delinearize(
      index.add(index.mul(size, 80), column), {size, index.constant(80)});
  EXPECT_EQ(place[0], size);
  EXPECT_EQ(place[1], column);
  EXPECT_EQ(constantOf(index.product({})), 1);
  // Lanes that are masked off may divide by a size of 0.
  EXPECT_EQ(index.div(column, size).getDefiningOp()->getOperand(1), size);
  EXPECT_NE(math.div(column, size).getDefiningOp()->getOperand(1), size);
}

TEST_F(IndexTermsTest, SplitsLanes) {
  constexpr int64_t kLanes = 16;
  // Steps of 64 in units of 8: each lane has a quotient of its own.
  auto [quotient, remainder] =
      math.split({plus(times(size, 64), 3), 64}, math.constant(8), kLanes);
  EXPECT_EQ(quotient.step, 8);
  EXPECT_EQ(quotient.base, times(size, 8));
  EXPECT_TRUE(remainder.isUniform());
  EXPECT_EQ(constantOf(remainder.base), 3);
  // From -8 on, the first lane would have another quotient.
  Value before = math.sub(times(size, 64), math.constant(8));
  EXPECT_FALSE(math.split({before, 64}, math.constant(8), kLanes).first.step);
  // 16 lanes side by side from a multiple of 16 stay within a row of 80.
  auto [row, inside] = math.split({math.add(times(size, 80), column), 1},
                                  math.constant(80), kLanes);
  EXPECT_TRUE(row.isUniform());
  EXPECT_EQ(row.base, size);
  EXPECT_TRUE(inside.isContiguous());
  EXPECT_EQ(inside.base, column);
  // A dimension of nothing has no elements, but code that reads it.
  EXPECT_FALSE(
      math.split({column, 1}, math.constant(0), kLanes).second.step);
  // From elsewhere they do not.
  EXPECT_FALSE(math.split({plus(column, 1), 1}, math.constant(80), kLanes)
                   .second.isContiguous());
}

} // namespace
