#include "lib/Runtime/SizeExpression.h"

#include <gtest/gtest.h>

#include <cstring>

using namespace tessera::runtime;

namespace {

using Steps = std::vector<TesseraSizeStep>;

Result<SizeExpression> read(const Steps &steps, int64_t symbols = 2) {
  return SizeExpression::read({int64_t(steps.size()), steps.data()}, symbols);
}

/// The value of a program over the symbols 7 and 3 and 4 workers.
int64_t valueOf(const Steps &steps) {
  const int64_t symbols[] = {7, 3};
  Result<SizeExpression> expression = read(steps);
  EXPECT_TRUE(expression.ok());
  Result<int64_t> value = expression->evaluate(symbols, 4);
  EXPECT_TRUE(value.ok()) << value.takeStatus().message();
  return *value;
}

int64_t binary(TesseraSizeOp op, int64_t a, int64_t b) {
  return valueOf(
      {{TESSERA_SIZE_CONSTANT, a}, {TESSERA_SIZE_CONSTANT, b}, {op, 0}});
}

std::string evaluationError(TesseraSizeOp op, int64_t a, int64_t b) {
  Steps steps = {
      {TESSERA_SIZE_CONSTANT, a}, {TESSERA_SIZE_CONSTANT, b}, {op, 0}};
  return read(steps)->evaluate(nullptr, 1).takeStatus().message();
}

std::string readError(const Steps &steps) {
  return read(steps).takeStatus().message();
}

TEST(SizeExpression, EvaluatesPostfix) {
  // (symbol0 + 2) * symbol1 = 27
  EXPECT_EQ(valueOf({{TESSERA_SIZE_SYMBOL, 0},
                     {TESSERA_SIZE_CONSTANT, 2},
                     {TESSERA_SIZE_ADD, 0},
                     {TESSERA_SIZE_SYMBOL, 1},
                     {TESSERA_SIZE_MUL, 0}}),
            27);
  EXPECT_EQ(valueOf({{TESSERA_SIZE_WORKERS, 0}}), 4);
}

TEST(SizeExpression, Selects) {
  // symbol0 op 7 ? 1 : 2, then times 10
  auto select = [](TesseraSizeOp op, int64_t right) {
    return valueOf({{TESSERA_SIZE_SYMBOL, 0},
                    {TESSERA_SIZE_CONSTANT, right},
                    {TESSERA_SIZE_CONSTANT, 1},
                    {TESSERA_SIZE_CONSTANT, 2},
                    {op, 0},
                    {TESSERA_SIZE_CONSTANT, 10},
                    {TESSERA_SIZE_MUL, 0}});
  };
  EXPECT_EQ(select(TESSERA_SIZE_SELECT_EQUAL, 7), 10);
  EXPECT_EQ(select(TESSERA_SIZE_SELECT_EQUAL, 8), 20);
  EXPECT_EQ(select(TESSERA_SIZE_SELECT_LESS, 8), 10);
  EXPECT_EQ(select(TESSERA_SIZE_SELECT_LESS, 7), 20);
  EXPECT_EQ(readError({{TESSERA_SIZE_CONSTANT, 1},
                       {TESSERA_SIZE_CONSTANT, 1},
                       {TESSERA_SIZE_CONSTANT, 1},
                       {TESSERA_SIZE_SELECT_LESS, 0}}),
            "size program has stack depth 0 after step 3, expected 1 to 64");
}

TEST(SizeExpression, RoundsDivisionsAsSaid) {
  EXPECT_EQ(binary(TESSERA_SIZE_FLOORDIV, 7, 2), 3);
  EXPECT_EQ(binary(TESSERA_SIZE_FLOORDIV, -7, 2), -4);
  EXPECT_EQ(binary(TESSERA_SIZE_FLOORDIV, -8, 2), -4);
  EXPECT_EQ(binary(TESSERA_SIZE_CEILDIV, 7, 2), 4);
  EXPECT_EQ(binary(TESSERA_SIZE_CEILDIV, 8, 2), 4);
  EXPECT_EQ(binary(TESSERA_SIZE_CEILDIV, -7, 2), -3);
  EXPECT_EQ(binary(TESSERA_SIZE_MOD, -7, 4), 1);
  EXPECT_EQ(binary(TESSERA_SIZE_MOD, 7, 4), 3);
  EXPECT_EQ(binary(TESSERA_SIZE_MIN, -1, 4), -1);
  EXPECT_EQ(binary(TESSERA_SIZE_MAX, -1, 4), 4);
}

int64_t bitsOf(double value) {
  int64_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  return bits;
}

TEST(SizeExpression, RoundsFloatsToTheirWidth) {
  // symbol0 / 41 * 41, cut: 6.9999995 in f32, 7 in f64.
  auto scaled = [](int64_t width) {
    return valueOf({{TESSERA_SIZE_SYMBOL, 0},
                    {TESSERA_SIZE_TO_FLOAT, width},
                    {TESSERA_SIZE_CONSTANT, bitsOf(41)},
                    {TESSERA_SIZE_FLOAT_DIV, width},
                    {TESSERA_SIZE_CONSTANT, bitsOf(41)},
                    {TESSERA_SIZE_FLOAT_MUL, width},
                    {TESSERA_SIZE_TO_INTEGER, 0}});
  };
  EXPECT_EQ(scaled(32), int64_t(7.0f / 41.0f * 41.0f));
  EXPECT_EQ(scaled(64), int64_t(7.0 / 41.0 * 41.0));
  auto unary = [](TesseraSizeOp op, double value) {
    return valueOf({{TESSERA_SIZE_CONSTANT, bitsOf(value)},
                    {op, 64},
                    {TESSERA_SIZE_TO_INTEGER, 0}});
  };
  EXPECT_EQ(unary(TESSERA_SIZE_FLOAT_FLOOR, -1.5), -2);
  EXPECT_EQ(unary(TESSERA_SIZE_FLOAT_CEIL, 1.5), 2);
  EXPECT_EQ(unary(TESSERA_SIZE_FLOAT_ROUND, 2.5), 2);
  EXPECT_EQ(unary(TESSERA_SIZE_FLOAT_SQRT, 49), 7);
  EXPECT_EQ(binary(TESSERA_SIZE_FLOAT_LESS, bitsOf(-1), bitsOf(0.5)), 1);
  EXPECT_EQ(binary(TESSERA_SIZE_FLOAT_LESS, bitsOf(0.5), bitsOf(-1)), 0);
  EXPECT_EQ(read({{TESSERA_SIZE_CONSTANT, bitsOf(1e30)},
                  {TESSERA_SIZE_TO_INTEGER, 0}})
                ->evaluate(nullptr, 1)
                .takeStatus()
                .message(),
            "size does not fit 64 bits: 1e+30");
  EXPECT_EQ(read({{TESSERA_SIZE_SYMBOL, 0},
                  {TESSERA_SIZE_TO_FLOAT, 32},
                  {TESSERA_SIZE_CONSTANT, bitsOf(1.5)},
                  {TESSERA_SIZE_FLOAT_MUL, 32},
                  {TESSERA_SIZE_TO_INTEGER, 0}})
                ->text([](int64_t) { return "n"; }),
            "int(mul(float(n), 1.5))");
}

TEST(SizeExpression, ReportsOverflow) {
  EXPECT_EQ(evaluationError(TESSERA_SIZE_ADD, INT64_MAX, 1),
            "size does not fit 64 bits: 9223372036854775807 + 1");
  EXPECT_EQ(evaluationError(TESSERA_SIZE_MUL, int64_t(1) << 40, 1 << 30),
            "size does not fit 64 bits: 1099511627776 * 1073741824");
}

TEST(SizeExpression, ReportsDivisors) {
  for (TesseraSizeOp op :
       {TESSERA_SIZE_FLOORDIV, TESSERA_SIZE_CEILDIV, TESSERA_SIZE_MOD})
    EXPECT_EQ(evaluationError(op, 5, 0),
              "size expects a positive divisor but got 0");
}

TEST(SizeExpression, RefusesMalformedPrograms) {
  EXPECT_EQ(readError({}), "size program is empty");
  EXPECT_EQ(readError({{77, 0}}), "size program has unknown step 77");
  EXPECT_EQ(readError({{TESSERA_SIZE_SYMBOL, 2}}),
            "size program names symbol 2 of 2");
  EXPECT_EQ(readError({{TESSERA_SIZE_SYMBOL, -1}}),
            "size program names symbol -1 of 2");
  EXPECT_EQ(readError({{TESSERA_SIZE_CONSTANT, 1}, {TESSERA_SIZE_ADD, 0}}),
            "size program has stack depth 0 after step 1, expected 1 to 64");
  EXPECT_EQ(readError({{TESSERA_SIZE_CONSTANT, 1}, {TESSERA_SIZE_CONSTANT, 1}}),
            "size program leaves 2 values, expected 1");
  EXPECT_EQ(readError(Steps(65, {TESSERA_SIZE_CONSTANT, 1})),
            "size program has stack depth 65 after step 64, expected 1 to 64");
}

TEST(SizeExpression, KnowsConstantsAndSymbols) {
  EXPECT_EQ(read({{TESSERA_SIZE_CONSTANT, 5}})->constant(), 5);
  EXPECT_EQ(read({{TESSERA_SIZE_CONSTANT, 5}})->symbol(), std::nullopt);
  EXPECT_EQ(read({{TESSERA_SIZE_SYMBOL, 1}})->symbol(), 1);
}

TEST(SizeExpression, PrintsInfix) {
  auto name = [](int64_t index) {
    return std::string(index == 0 ? "past" : "seq");
  };
  EXPECT_EQ(read({{TESSERA_SIZE_SYMBOL, 0},
                  {TESSERA_SIZE_SYMBOL, 1},
                  {TESSERA_SIZE_ADD, 0},
                  {TESSERA_SIZE_CONSTANT, 3},
                  {TESSERA_SIZE_MUL, 0}})
                ->text(name),
            "(past + seq) * 3");
  EXPECT_EQ(read({{TESSERA_SIZE_SYMBOL, 1},
                  {TESSERA_SIZE_CONSTANT, 4},
                  {TESSERA_SIZE_CEILDIV, 0},
                  {TESSERA_SIZE_CONSTANT, 1},
                  {TESSERA_SIZE_MAX, 0}})
                ->text(name),
            "max(ceildiv(seq, 4), 1)");
}

} // namespace
