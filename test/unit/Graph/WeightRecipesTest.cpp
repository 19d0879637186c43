// What recipes make of elements: each step on values written by hand, and the conversions
// of narrow floats on all of them.
#include "dialects/Graph/IR/WeightReader.h"
#include "dialects/Graph/Weights/NarrowFloats.h"

#include "mlir/AsmParser/AsmParser.h"
#include "mlir/IR/MLIRContext.h"

#include <gtest/gtest.h>

#include <random>

using namespace mlir;
using namespace tessera::graph;

namespace {

class WeightRecipes : public testing::Test {
protected:
  WeightRecipes() { context.loadDialect<GraphDialect>(); }

  /// The elements of a part, as text.
  std::string made(const std::string &source, const std::string &type,
                   const std::string &recipe) {
    Attribute parsed = parseAttribute("#graph.part<" + source + " : " + type +
                                          " as " + type + " recipe [" + recipe +
                                          "]>",
                                      &context);
    if (!parsed)
      return "no attribute";
    auto part = cast<PartAttr>(parsed);
    std::string text;
    if (failed(typeOf(part, text)))
      return text;
    auto elements = elementsOf(part, 1 << 20);
    if (!elements)
      return llvm::toString(elements.takeError());
    llvm::raw_string_ostream(text) << *elements;
    return text;
  }

  MLIRContext context;
};

TEST_F(WeightRecipes, Dequantize) {
  // (x - 1) * scale of the column, packed by 4 with a lane that is missing.
  EXPECT_EQ(made("dense<[[-128, 0, 127], [1, 2, 3]]>", "tensor<2x3xi8>",
                 R"(#graph.elementwise<"arith.extsi" to i32>,
                    #graph.elementwise<"arith.subi" to i32 with
                      [<dense<1> : tensor<2x3xi32> as tensor<2x3xi32> recipe []>]>,
                    #graph.elementwise<"arith.sitofp" to f32>,
                    #graph.elementwise<"arith.mulf" to f32 with
                      [<dense<[0.5, 2.0, 1.0]> : tensor<3xf32> as tensor<3xf32>
                        recipe [#graph.broadcast<[2, 3]>]>]>,
                    #graph.pack<4>)"),
            "dense<[[[-6.450000e+01, -2.000000e+00, 1.260000e+02, 0.000000e+00], "
            "[0.000000e+00, 2.000000e+00, 2.000000e+00, 0.000000e+00]]]> : "
            "tensor<1x2x4xf32>");
}

TEST_F(WeightRecipes, PackAfterWhatGivesNumbersOfNothing) {
  // 0 / 0 in the missing lane would be NaN; 0 + 1 would be 1.
  EXPECT_EQ(made("dense<[[2.0], [4.0]]>", "tensor<2x1xf32>",
                 R"(#graph.elementwise<"arith.divf" to f32 with
                      [<dense<2.0> : tensor<2x1xf32> as tensor<2x1xf32> recipe []>]>,
                    #graph.pack<2>)"),
            "dense<[[[1.000000e+00, 0.000000e+00], [2.000000e+00, "
            "0.000000e+00]]]> : tensor<1x2x2xf32>");
}

TEST_F(WeightRecipes, UnpackBits) {
  EXPECT_EQ(made("dense<[33, 67, 5]>", "tensor<3xi8>",
                 R"(#graph.unpack_bits<4, [5]>, #graph.reverse<[0]>)"),
            "dense<[5, 4, 3, 2, 1]> : tensor<5xi8>");
  // Signed: moved up and down again.
  EXPECT_EQ(made("dense<[-1, 7]>", "tensor<2xi8>",
                 R"(#graph.unpack_bits<4, [3]>,
                    #graph.elementwise<"arith.shli" to i8 with
                      [<dense<4> : tensor<3xi8> as tensor<3xi8> recipe []>]>,
                    #graph.elementwise<"arith.shrsi" to i8 with
                      [<dense<4> : tensor<3xi8> as tensor<3xi8> recipe []>]>)"),
            "dense<[-1, -1, 7]> : tensor<3xi8>");
}

TEST_F(WeightRecipes, Take) {
  EXPECT_EQ(made("dense<[[1, 2, 3], [4, 5, 6]]>", "tensor<2x3xi16>",
                 "#graph.take<1, <dense<[[-1, 0], [1, 9]]> : tensor<2x2xi64> as "
                 "tensor<2x2xi64> recipe []>>"),
            "dense<[[[3, 1], [2, 3]], [[6, 4], [5, 6]]]> : tensor<2x2x2xi16>");
}

TEST_F(WeightRecipes, Reduce) {
  EXPECT_EQ(made("dense<[[1.0, 2.0], [3.0, 4.0]]>", "tensor<2x2xf16>",
                 R"(#graph.reduce<"arith.addf", [0]>)"),
            "dense<[4.000000e+00, 6.000000e+00]> : tensor<2xf16>");
  EXPECT_EQ(made("dense<[[1, 200], [-3, 4]]>", "tensor<2x2xi32>",
                 R"(#graph.reduce<"arith.maxsi", [0, 1]>)"),
            "dense<200> : tensor<i32>");
}

TEST_F(WeightRecipes, JoinsAndBooleans) {
  EXPECT_EQ(made("dense<[true, false]>", "tensor<2xi1>",
                 R"(#graph.elementwise<"arith.select" to f32 with
                      [<dense<[1.0, 2.0]> : tensor<2xf32> as tensor<2xf32> recipe []>,
                       <dense<-3.0> : tensor<2xf32> as tensor<2xf32> recipe []>]>,
                    #graph.elementwise<"arith.cmpf" to i1 with
                      [<dense<0.0> : tensor<2xf32> as tensor<2xf32> recipe []>]
                      predicate 2>)"),
            "dense<[true, false]> : tensor<2xi1>");
  EXPECT_EQ(made("dense<1.0>", "tensor<1xf32>", "#graph.broadcast<[3]>"),
            "dense<1.000000e+00> : tensor<3xf32>");
}

TEST_F(WeightRecipes, TransposeBehindBlocksOfScales) {
  // Scales of blocks of two, as one dimension, then transposed.
  EXPECT_EQ(made("dense<[[1, 2, 3, 4], [5, 6, 7, 8]]>", "tensor<2x4xi8>",
                 R"(#graph.elementwise<"arith.sitofp" to f32>,
                    #graph.elementwise<"arith.mulf" to f32 with
                      [<dense<[[1.0, 10.0], [2.0, 20.0]]> : tensor<2x2xf32>
                        as tensor<2x2xf32>
                        recipe [#graph.reshape<[2, 2, 1]>, #graph.broadcast<[2, 2, 2]>,
                                #graph.reshape<[2, 4]>]>]>,
                    #graph.transpose<[1, 0]>)"),
            "dense<[[1.000000e+00, 1.000000e+01], [2.000000e+00, 1.200000e+01], "
            "[3.000000e+01, 1.400000e+02], [4.000000e+01, 1.600000e+02]]> : "
            "tensor<4x2xf32>");
}

TEST(NarrowFloats, Widen) {
  for (uint32_t bits = 0; bits < 1 << 16; ++bits) {
    APFloat half(APFloat::IEEEhalf(), APInt(16, bits));
    APFloat brain(APFloat::BFloat(), APInt(16, bits));
    if (half.isNaN()) {
      EXPECT_TRUE(std::isnan(floatOfF16(bits)));
    } else {
      EXPECT_EQ(floatOfF16(bits), half.convertToFloat()) << bits;
      EXPECT_EQ(f16Of(floatOfF16(bits)), bits);
    }
    if (!brain.isNaN())
      EXPECT_EQ(floatOfBf16(bits), brain.convertToFloat()) << bits;
  }
}

TEST(NarrowFloats, RoundToNearestEven) {
  std::mt19937 random(5);
  for (int i = 0; i < 200000; ++i) {
    uint32_t bits = random();
    if (i % 2) // about f16's range, and half way between two numbers
      bits = (bits & 0x8fffe000) + 0x33000000 + (bits >> 16 & 1) * 0x1000 +
             (bits & 1);
    float value = llvm::bit_cast<float>(bits);
    APFloat half(value), brain(value);
    if (half.isNaN())
      continue;
    bool ignored;
    half.convert(APFloat::IEEEhalf(), APFloat::rmNearestTiesToEven, &ignored);
    brain.convert(APFloat::BFloat(), APFloat::rmNearestTiesToEven, &ignored);
    ASSERT_EQ(f16Of(value), half.bitcastToAPInt().getZExtValue()) << value;
    ASSERT_EQ(bf16Of(value), brain.bitcastToAPInt().getZExtValue()) << value;
  }
  EXPECT_EQ(f16Of(65519.0f), 0x7bff);
  EXPECT_EQ(f16Of(65520.0f), 0x7c00);
}

} // namespace
