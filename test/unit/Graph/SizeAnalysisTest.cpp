// Expressions of sizes: equality, bounds, composites and assumptions.
#include "SizeAnalysisFixture.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::graph;

namespace {

TEST_F(SizeAnalysisTest, SumsAndProductsAreNormalised) {
  auto e = expressionsOf("%a = arith.addi %seq, %batch : index\n"
                         "%b = arith.addi %batch, %seq : index\n"
                         "return %a, %b, %seq : index, index, index",
                         3);
  ASSERT_EQ(e.size(), 3u);
  EXPECT_TRUE(sizes.areEqual(e[0], e[1]));
  EXPECT_FALSE(sizes.areEqual(e[0], e[2]));
}

TEST_F(SizeAnalysisTest, RangesDecideMinimumAndMaximum) {
  auto e = expressionsOf("%a = arith.minsi %seq, %c512 : index\n"
                         "%b = arith.maxsi %c0, %seq : index\n"
                         "%c = arith.minsi %batch, %c512 : index\n"
                         "%d = arith.minsi %batch, %c512 : index\n"
                         "return %seq, %a, %b, %c, %d, %batch : index, index, "
                         "index, index, index, index",
                         6);
  ASSERT_EQ(e.size(), 6u);
  EXPECT_TRUE(sizes.areEqual(e[0], e[1]));
  EXPECT_TRUE(sizes.areEqual(e[0], e[2]));
  EXPECT_FALSE(sizes.areEqual(e[3], e[5]));
  EXPECT_TRUE(sizes.areEqual(e[3], e[4])) << "the same minimum, twice";
  EXPECT_EQ(sizes.boundsOf(e[3]).most, 512);
  EXPECT_EQ(sizes.boundsOf(e[3]).least, 0);
}

TEST_F(SizeAnalysisTest, SelectionsThatAgreeAreSeenThrough) {
  auto e = expressionsOf(
      "%neg = arith.cmpi slt, %seq, %c0 : index\n"
      "%wrapped = arith.addi %seq, %c512 : index\n"
      "%a = arith.select %neg, %wrapped, %seq : index\n"
      "%min = arith.minsi %batch, %c512 : index\n"
      "%one = arith.cmpi eq, %batch, %c1 : index\n"
      "%b = arith.select %one, %min, %batch : index\n"
      "%c = arith.select %one, %seq, %batch : index\n"
      "return %seq, %a, %batch, %b, %c : index, index, index, index, index",
      5);
  ASSERT_EQ(e.size(), 5u);
  EXPECT_TRUE(sizes.areEqual(e[0], e[1])) << "a size is never below 0";
  EXPECT_TRUE(sizes.areEqual(e[2], e[3])) << "min(1, 512) is 1";
  EXPECT_FALSE(sizes.areEqual(e[2], e[4]));
}

TEST_F(SizeAnalysisTest, SelectionsByOrderAreFoundAgain) {
  auto e = expressionsOf("%less = arith.cmpi slt, %batch, %seq : index\n"
                         "%more = arith.cmpi sgt, %seq, %batch : index\n"
                         "%a = arith.select %less, %batch, %seq : index\n"
                         "%b = arith.select %more, %batch, %seq : index\n"
                         "%c = arith.select %more, %seq, %batch : index\n"
                         "return %a, %b, %c : index, index, index",
                         3);
  ASSERT_EQ(e.size(), 3u);
  EXPECT_TRUE(sizes.areEqual(e[0], e[1]));
  EXPECT_FALSE(sizes.areEqual(e[0], e[2]));
}

TEST_F(SizeAnalysisTest, BroadcastSizesShowTheirParts) {
  auto e = expressionsOf("%one = arith.cmpi eq, %batch, %c1 : index\n"
                         "%a = arith.select %one, %seq, %batch : index\n"
                         "%b = arith.select %one, %batch, %seq : index\n"
                         "return %batch, %seq, %a, %b : index, index, index, "
                         "index",
                         4);
  ASSERT_EQ(e.size(), 4u);
  auto parts = sizes.asBroadcast(e[2]);
  ASSERT_TRUE(parts);
  EXPECT_EQ(parts->first, e[0]);
  EXPECT_EQ(parts->second, e[1]);
  EXPECT_FALSE(sizes.asBroadcast(e[3]));
  EXPECT_FALSE(sizes.asBroadcast(e[0]));
}

TEST_F(SizeAnalysisTest, FactorsCancelInQuotients) {
  auto e = expressionsOf("%a = arith.muli %seq, %batch : index\n"
                         "%b = arith.muli %a, %c512 : index\n"
                         "%c = arith.muli %batch, %c256 : index\n"
                         "%d = arith.divui %b, %c : index\n"
                         "%e = arith.divui %seq, %batch : index\n"
                         "return %seq, %d, %e : index, index, index",
                         3);
  ASSERT_EQ(e.size(), 3u);
  EXPECT_TRUE(sizes.areEqual(e[1], e[0] * 2));
  EXPECT_FALSE(sizes.areEqual(e[2], e[0]));
}

TEST_F(SizeAnalysisTest, QuotientsOfQuotientsAreOne) {
  auto e = expressionsOf("%c5 = arith.constant 5 : index\n"
                         "%c2 = arith.constant 2 : index\n"
                         "%c10 = arith.constant 10 : index\n"
                         "%a = arith.floordivsi %seq, %c5 : index\n"
                         "%b = arith.subi %a, %c1 : index\n"
                         "%c = arith.floordivsi %b, %c2 : index\n"
                         "%d = arith.subi %seq, %c5 : index\n"
                         "%e = arith.floordivsi %d, %c10 : index\n"
                         "%f = arith.floordivsi %seq, %c10 : index\n"
                         "return %c, %e, %f : index, index, index",
                         3);
  ASSERT_EQ(e.size(), 3u);
  EXPECT_TRUE(sizes.areEqual(e[0], e[1]));
  EXPECT_FALSE(sizes.areEqual(e[0], e[2]));
}

TEST_F(SizeAnalysisTest, RestsAreBounded) {
  auto e = expressionsOf("%c4 = arith.constant 4 : index\n"
                         "%a = arith.floordivsi %batch, %c4 : index\n"
                         "%b = arith.remsi %a, %c4 : index\n"
                         "%c = arith.subi %c4, %b : index\n"
                         "%d = arith.remsi %c, %c4 : index\n"
                         "return %b, %c, %d : index, index, index",
                         3);
  ASSERT_EQ(e.size(), 3u);
  for (auto [size, least, most] :
       {std::tuple(e[0], 0, 3), {e[1], 1, 4}, {e[2], 0, 3}}) {
    EXPECT_EQ(sizes.boundsOf(size).least, least);
    EXPECT_EQ(sizes.boundsOf(size).most, most);
  }
}

TEST_F(SizeAnalysisTest, ExtremaAreBoundedByTheirOperands) {
  auto e = expressionsOf("%less = arith.subi %seq, %c1 : index\n"
                         "%a = arith.maxsi %less, %c0 : index\n"
                         "%b = arith.minsi %a, %seq : index\n"
                         "%more = arith.addi %seq, %c1 : index\n"
                         "%c = arith.maxsi %more, %batch : index\n"
                         "return %a, %b, %seq, %c : index, index, index, index",
                         4);
  ASSERT_EQ(e.size(), 4u);
  EXPECT_TRUE(sizes.areEqual(e[0], e[1]));
  EXPECT_TRUE(sizes.isAtMost(e[0], e[2]));
  EXPECT_TRUE(sizes.isAtMost(e[2], e[3]));
  EXPECT_FALSE(sizes.isAtMost(e[3], e[2]));
}

TEST_F(SizeAnalysisTest, AssumptionsReplaceWhatIsLeastKnown) {
  auto e = expressionsOf("%total = arith.addi %batch, %seq : index\n"
                         "%one = arith.cmpi eq, %any, %c1 : index\n"
                         "%a = arith.select %one, %total, %any : index\n"
                         "%twice = arith.addi %a, %a : index\n"
                         "return %total, %any, %a, %twice : index, index, index, "
                         "index",
                         4);
  ASSERT_EQ(e.size(), 4u);
  EXPECT_FALSE(sizes.areEqual(e[0], e[2]));
  EXPECT_TRUE(sizes.assumeEqual(e[2], e[0]));
  EXPECT_TRUE(sizes.areEqual(e[0], e[2]));
  EXPECT_TRUE(sizes.areEqual(e[0] * 2, e[3]));
  EXPECT_FALSE(sizes.areEqual(e[0], e[1])) << "a mask of one column is legal";
}

TEST_F(SizeAnalysisTest, AssertedSizesAreEqual) {
  auto e = expressionsOf("%same = arith.cmpi eq, %batch, %seq : index\n"
                         "graph.assert %same, \"sizes differ\"\n"
                         "%a = arith.addi %batch, %seq : index\n"
                         "return %batch, %seq, %a : index, index, index",
                         3);
  ASSERT_EQ(e.size(), 3u);
  EXPECT_TRUE(sizes.areEqual(e[0], e[1]));
  EXPECT_TRUE(sizes.areEqual(e[1] * 2, e[2]));
}

TEST_F(SizeAnalysisTest, AssumedLimitsDecideMinimaFoundBefore) {
  auto e = expressionsOf("%a = arith.minsi %batch, %c256 : index\n"
                         "return %batch, %a : index, index",
                         2);
  ASSERT_EQ(e.size(), 2u);
  EXPECT_FALSE(sizes.areEqual(e[0], e[1]));
  sizes.assumeAtMost(e[0], 256);
  EXPECT_TRUE(sizes.areEqual(e[0], e[1]));
}

TEST_F(SizeAnalysisTest, ContradictionsCannotBeAssumed) {
  auto e = expressionsOf("%a = arith.addi %seq, %c1 : index\n"
                         "return %seq, %a : index, index",
                         2);
  ASSERT_EQ(e.size(), 2u);
  EXPECT_FALSE(sizes.assumeEqual(e[0], e[1]));
}

TEST_F(SizeAnalysisTest, SignedQuotientsAreCutTowardsZero) {
  auto e = expressionsOf("%c2 = arith.constant 2 : index\n"
                         "%c5 = arith.constant 5 : index\n"
                         "%a = arith.divsi %seq, %c2 : index\n"
                         "%b = arith.subi %seq, %c1 : index\n"
                         "%c = arith.divsi %b, %c2 : index\n"
                         "%d = arith.floordivsi %b, %c2 : index\n"
                         "%e = arith.maxsi %d, %c0 : index\n"
                         "%f = arith.subi %seq, %c5 : index\n"
                         "%g = arith.divsi %f, %c2 : index\n"
                         "%h = arith.floordivsi %f, %c2 : index\n"
                         "%i = arith.remsi %f, %c2 : index\n"
                         "return %a, %c, %d, %e, %g, %h, %i : index, index, "
                         "index, index, index, index, index",
                         7);
  ASSERT_EQ(e.size(), 7u);
  EXPECT_EQ(e[0].getKind(), AffineExprKind::FloorDiv);
  EXPECT_FALSE(sizes.areEqual(e[1], e[2]));
  EXPECT_TRUE(sizes.areEqual(e[1], e[3]));
  EXPECT_FALSE(sizes.areEqual(e[4], e[5]));
  EXPECT_EQ(sizes.boundsOf(e[4]).most, 254); // of both ways to round
  // Minus 1, 0 or 1.
  EXPECT_NE(e[6].getKind(), AffineExprKind::Mod);
}

TEST_F(SizeAnalysisTest, NarrowIntegersWrap) {
  auto e = expressionsOf("%i = arith.index_cast %seq : index to i64\n"
                         "%b = arith.trunci %i : i64 to i8\n"
                         "%u = arith.extui %b : i8 to i64\n"
                         "%a = arith.index_cast %u : i64 to index\n"
                         "%c = arith.remui %seq, %c256 : index\n"
                         "%h = arith.trunci %i : i64 to i16\n"
                         "%s = arith.extsi %h : i16 to i64\n"
                         "%d = arith.index_cast %s : i64 to index\n"
                         "%j = arith.index_cast %batch : index to i32\n"
                         "%f = arith.index_cast %j : i32 to index\n"
                         "return %a, %c, %d, %f : index, index, index, index",
                         4);
  ASSERT_EQ(e.size(), 4u);
  EXPECT_TRUE(sizes.areEqual(e[0], e[1]));
  EXPECT_TRUE(isa<AffineSymbolExpr>(e[2])); // seq is at most 512
  EXPECT_TRUE(isa<AffineSymbolExpr>(e[3])); // sizes of tensors fit 32 bits
}

TEST_F(SizeAnalysisTest, ConditionsAreDecidedByRanges) {
  auto e = expressionsOf("%a = arith.cmpi sle, %seq, %c512 : index\n"
                         "%b = arith.cmpi eq, %seq, %c1 : index\n"
                         "%true = arith.constant true\n"
                         "%c = arith.xori %a, %true : i1\n"
                         "%d = arith.andi %b, %c : i1\n"
                         "%e = arith.ori %b, %a : i1\n"
                         "%f = arith.select %d, %c0, %c1 : index\n"
                         "%g = arith.select %e, %c0, %c1 : index\n"
                         "return %f, %g : index, index",
                         2);
  ASSERT_EQ(e.size(), 2u);
  EXPECT_EQ(e[0], getAffineConstantExpr(1, &context));
  EXPECT_EQ(e[1], getAffineConstantExpr(0, &context));
}

TEST_F(SizeAnalysisTest, FloatsKeepEachStep) {
  auto e = expressionsOf("%scale = arith.constant 1.7 : f32\n"
                         "%one = arith.constant 1.0 : f32\n"
                         "%i = arith.index_cast %seq : index to i64\n"
                         "%f = arith.sitofp %i : i64 to f32\n"
                         "%p = arith.mulf %f, %scale : f32\n"
                         "%q = arith.mulf %f, %scale : f32\n"
                         "%j = arith.fptosi %p : f32 to i64\n"
                         "%k = arith.fptosi %q : f32 to i64\n"
                         "%a = arith.index_cast %j : i64 to index\n"
                         "%b = arith.index_cast %k : i64 to index\n"
                         "%r = arith.mulf %f, %one : f32\n"
                         "%l = arith.fptosi %r : f32 to i64\n"
                         "%c = arith.index_cast %l : i64 to index\n"
                         "return %a, %b, %c, %seq : index, index, index, index",
                         4);
  ASSERT_EQ(e.size(), 4u);
  EXPECT_TRUE(sizes.areEqual(e[0], e[1]));
  EXPECT_EQ(sizes.boundsOf(e[0]).least, 0);
  EXPECT_FALSE(sizes.dependsOnData(e[0]));
  EXPECT_EQ(e[2], e[3]); // f32 has all integers up to 512
}

TEST_F(SizeAnalysisTest, SizesWithoutRestCancel) {
  auto e = expressionsOf("%c32 = arith.constant 32 : index\n"
                         "%c8 = arith.constant 8 : index\n"
                         "%c4 = arith.constant 4 : index\n"
                         "%blocks = arith.floordivsi %batch, %c32 : index\n"
                         "%rows = arith.muli %blocks, %c32 : index\n"
                         "%a = arith.floordivsi %batch, %c8 : index\n"
                         "%b = arith.muli %a, %c4 : index\n"
                         "%more = arith.addi %batch, %c1 : index\n"
                         "%c = arith.floordivsi %more, %c8 : index\n"
                         "%d = arith.muli %c, %c8 : index\n"
                         "return %batch, %rows, %b, %more, %d : index, index, "
                         "index, index, index",
                         5);
  ASSERT_EQ(e.size(), 5u);
  EXPECT_FALSE(sizes.areEqual(e[0], e[1]));
  EXPECT_TRUE(sizes.assumeEqual(e[0] * 3, e[1] * 3));
  EXPECT_TRUE(sizes.areEqual(e[0], e[1]));
  EXPECT_TRUE(sizes.areEqual(e[2], e[0].floorDiv(2)));
  EXPECT_TRUE(sizes.areEqual(e[0] % 16, e[0] - e[0]));
  EXPECT_TRUE(sizes.areEqual((e[0] * 6 + 64).floorDiv(64) * 64, e[0] * 6 + 64));
  EXPECT_FALSE(sizes.areEqual(e[0].floorDiv(64) * 64, e[0]));
  EXPECT_FALSE(sizes.areEqual(e[3], e[4]));
}

TEST_F(SizeAnalysisTest, AssertedMultiplesCancel) {
  auto e = expressionsOf("%c12 = arith.constant 12 : index\n"
                         "%rest = arith.remsi %batch, %c12 : index\n"
                         "%same = arith.cmpi eq, %rest, %c0 : index\n"
                         "graph.assert %same, \"no whole windows\"\n"
                         "%a = arith.floordivsi %batch, %c12 : index\n"
                         "%b = arith.muli %a, %c12 : index\n"
                         "%c = arith.muli %b, %seq : index\n"
                         "%d = arith.muli %batch, %seq : index\n"
                         "return %batch, %b, %c, %d : index, index, index, index",
                         4);
  ASSERT_EQ(e.size(), 4u);
  EXPECT_TRUE(sizes.areEqual(e[0], e[1]));
  EXPECT_TRUE(sizes.areEqual(e[2], e[3]));
}

TEST_F(SizeAnalysisTest, QuotientsByUnknownSizesCancel) {
  auto e = expressionsOf("%heads = arith.divui %seq, %batch : index\n"
                         "%whole = arith.muli %heads, %batch : index\n"
                         "%more = arith.muli %whole, %c256 : index\n"
                         "return %seq, %whole, %more : index, index, index",
                         3);
  ASSERT_EQ(e.size(), 3u);
  EXPECT_FALSE(sizes.areEqual(e[0], e[1]));
  EXPECT_TRUE(sizes.assumeEqual(e[1], e[0]));
  EXPECT_TRUE(sizes.areEqual(e[0], e[1]));
  EXPECT_TRUE(sizes.areEqual(e[0] * 256, e[2]));
}

TEST_F(SizeAnalysisTest, WhatMayBeEmptyProvesNoMultiple) {
  auto e = expressionsOf("%blocks = arith.floordivsi %seq, %c256 : index\n"
                         "%rows = arith.muli %blocks, %c256 : index\n"
                         "return %batch, %seq, %rows : index, index, index",
                         3);
  ASSERT_EQ(e.size(), 3u);
  (void)sizes.assumeEqual(e[0] * e[1], e[0] * e[2]);
  EXPECT_FALSE(sizes.areEqual(e[1], e[2]));
}

} // namespace
