// Sizes that are made of one another: expressions and what gives them stay small.
#include "SizeAnalysisFixture.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::graph;

namespace {

/// %s(i) = ..., each made of the one before by `step`, in which it is called %x.
std::string chainOf(unsigned length, StringRef step) {
  std::string body = "%c3 = arith.constant 3 : index\n"
                     "%c2 = arith.constant 2 : index\n";
  std::string before = "%batch";
  for (unsigned i = 0; i < length; ++i) {
    std::string number = std::to_string(i);
    for (char letter : step) {
      if (letter == 'X')
        body += before;
      else if (letter == '#')
        body += number;
      else
        body += letter;
    }
    before = "%s" + number;
  }
  return body + "return " + before + " : index";
}

/// Operations that give the size `expression` again.
unsigned countMaterialized(ModuleOp module, SizeAnalysis &sizes,
                           AffineExpr expression) {
  auto function = *module.getOps<func::FuncOp>().begin();
  Block &block = function.getBody().front();
  unsigned before = block.getOperations().size();
  OpBuilder builder(block.getTerminator());
  (void)sizes.materialize(builder, module.getLoc(), expression);
  return block.getOperations().size() - before;
}

TEST_F(SizeAnalysisTest, SumsOfQuotientsOfThemselvesStaySmall) {
  unsigned counts[2];
  for (unsigned i : {0, 1}) {
    auto e = expressionsOf(chainOf(100 << i, "%a# = arith.floordivsi X, %c2 : index\n"
                                             "%b# = arith.floordivsi X, %c3 : index\n"
                                             "%s# = arith.addi %a#, %b# : index\n"),
                           1);
    ASSERT_EQ(e.size(), 1u);
    EXPECT_EQ(sizes.boundsOf(e[0]).least, 0);
    counts[i] = countMaterialized(*module, sizes, e[0]);
    sizes = SizeAnalysis(&context);
  }
  EXPECT_LE(counts[1], counts[0] * 5 / 2);
}

TEST_F(SizeAnalysisTest, SelectionsOfSelectionsStaySmall) {
  unsigned counts[2];
  for (unsigned i : {0, 1}) {
    auto e = expressionsOf(chainOf(100 << i, "%a# = arith.floordivsi X, %c3 : index\n"
                                             "%b# = arith.muli %a#, %c3 : index\n"
                                             "%i# = arith.cmpi eq, X, %c1 : index\n"
                                             "%s# = arith.select %i#, %b#, X : index\n"),
                           1);
    ASSERT_EQ(e.size(), 1u);
    EXPECT_EQ(sizes.boundsOf(e[0]).least, 0);
    EXPECT_FALSE(sizes.isAtMost(e[0], getAffineConstantExpr(7, &context)));
    counts[i] = countMaterialized(*module, sizes, e[0]);
    sizes = SizeAnalysis(&context);
  }
  EXPECT_LE(counts[1], counts[0] * 5 / 2);
}

TEST_F(SizeAnalysisTest, SizesAreNotExpressedByThemselves) {
  auto e = expressionsOf("%more = arith.addi %batch, %c1 : index\n"
                         "%half = arith.minsi %any, %seq : index\n"
                         "return %any, %more, %batch, %half : index, index, index, index",
                         4);
  ASSERT_EQ(e.size(), 4u);
  EXPECT_TRUE(sizes.assumeEqual(e[0], e[1]));
  (void)sizes.assumeEqual(e[2], e[3] * 2);
  EXPECT_GT(countMaterialized(*module, sizes, e[3]), 0u) << "and comes to an end";
}

} // namespace
