// What sizes are in a typical run.
#include "dialects/Graph/IR/TypicalValue.h"

#include "SizeAnalysisFixture.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::graph;

namespace {

TEST_F(SizeAnalysisTest, TypicalValuesAreThoseOfTheSymbols) {
  // @batch is typically 1, @seq 128.
  auto e = expressionsOf("%c3 = arith.constant 3 : index\n"
                         "%a = arith.muli %seq, %c3 : index\n"
                         "%b = arith.addi %a, %batch : index\n"
                         "%c = arith.floordivsi %seq, %c3 : index\n"
                         "%d = arith.ceildivsi %seq, %c3 : index\n"
                         "%e = arith.remsi %seq, %c3 : index\n"
                         "%f = arith.subi %batch, %seq : index\n"
                         "return %b, %c, %d, %e, %f, %c3 : index, index, index, "
                         "index, index, index",
                         6);
  ASSERT_EQ(e.size(), 6u);
  int64_t expected[] = {385, 42, 43, 2, 0, 3};
  for (auto [expression, value] : llvm::zip(e, expected))
    EXPECT_EQ(typicalValueOf(expression, sizes, module->getOperation()), value);
}

TEST_F(SizeAnalysisTest, WhatHasNoNameIsTypicallyOneNumber) {
  auto e = expressionsOf("%a = arith.addi %any, %c1 : index\n"
                         "return %any, %a : index, index",
                         2);
  ASSERT_EQ(e.size(), 2u);
  EXPECT_EQ(typicalValueOf(e[0], sizes, module->getOperation()),
            kUnknownTypicalSize);
  EXPECT_EQ(typicalValueOf(e[1], sizes, module->getOperation()),
            kUnknownTypicalSize + 1);
  // A quotient by zero, and what exceeds 64 bits, have no value.
  AffineExpr huge = getAffineConstantExpr(int64_t(1) << 62, &context);
  auto zero = [](const SizeAnalysis::Symbol &) { return std::optional<int64_t>(0); };
  EXPECT_EQ(typicalValueOf(huge.floorDiv(e[0]), sizes, zero),
            kUnknownTypicalSize);
  EXPECT_EQ(typicalValueOf(e[0] * 4 + huge, sizes,
                           [](const SizeAnalysis::Symbol &) {
                             return std::optional<int64_t>(int64_t(1) << 61);
                           }),
            kUnknownTypicalSize);
}

} // namespace
