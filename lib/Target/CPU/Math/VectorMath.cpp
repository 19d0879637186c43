// Elementary functions as polynomial code; see the header.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include "lib/Target/CPU/Math/VectorMath.h"

#include <limits>

using namespace mlir;
using namespace tessera::cpu;

// Adding 1.5 * 2^23 to a float below 2^22 rounds it to the nearest integer,
// which then is in the low bits.
static constexpr float kRounder = 12582912.0f;
// With 126 more, the low bits of n + kPowerRounder are the exponent field of
// 2^(n - 1); 0, that is 0.0, for n = -126.
static constexpr float kPowerRounder = kRounder + 126.0f;
static constexpr float kInfinity = std::numeric_limits<float>::infinity();

//===----------------------------------------------------------------------===//
// Building blocks
//===----------------------------------------------------------------------===//

static Type withElement(Type like, Type element) {
  auto vector = dyn_cast<VectorType>(like);
  return vector ? Type(vector.clone(element)) : element;
}

static Type integerType(Type floatType) {
  return withElement(
      floatType, IntegerType::get(
                     floatType.getContext(),
                     getElementTypeOrSelf(floatType).getIntOrFloatBitWidth()));
}

static Type floatType(Type integerType) {
  MLIRContext *context = integerType.getContext();
  bool isWide = getElementTypeOrSelf(integerType).isInteger(64);
  return withElement(integerType, isWide ? Type(Float64Type::get(context))
                                         : Type(Float32Type::get(context)));
}

static Value splat(OpBuilder &builder, Location loc, TypedAttr value,
                   Type type) {
  if (auto vector = dyn_cast<VectorType>(type))
    value = DenseElementsAttr::get(vector, Attribute(value));
  return arith::ConstantOp::create(builder, loc, value);
}

Value VectorMath::constant(double value, Type type) {
  return splat(builder, loc,
               builder.getFloatAttr(getElementTypeOrSelf(type), value), type);
}

Value VectorMath::bits(uint64_t value, Type type) {
  Type integer = integerType(type);
  Type element = getElementTypeOrSelf(integer);
  return splat(builder, loc,
               builder.getIntegerAttr(
                   element, APInt(element.getIntOrFloatBitWidth(), value)),
               integer);
}

Value VectorMath::add(Value a, Value b) {
  return arith::AddFOp::create(builder, loc, a, b);
}
Value VectorMath::sub(Value a, Value b) {
  return arith::SubFOp::create(builder, loc, a, b);
}
Value VectorMath::mul(Value a, Value b) {
  return arith::MulFOp::create(builder, loc, a, b);
}
Value VectorMath::div(Value a, Value b) {
  return arith::DivFOp::create(builder, loc, a, b);
}
Value VectorMath::fma(Value a, Value b, Value c) {
  return math::FmaOp::create(builder, loc, a, b, c);
}
Value VectorMath::sqrt(Value x) {
  return math::SqrtOp::create(builder, loc, x);
}
Value VectorMath::absolute(Value x) {
  return math::AbsFOp::create(builder, loc, x);
}
Value VectorMath::copySign(Value magnitude, Value sign) {
  return math::CopySignOp::create(builder, loc, magnitude, sign);
}
Value VectorMath::select(Value condition, Value a, Value b) {
  return arith::SelectOp::create(builder, loc, condition, a, b);
}
Value VectorMath::compare(arith::CmpFPredicate predicate, Value a, double b) {
  return compare(predicate, a, constant(b, a.getType()));
}
Value VectorMath::compare(arith::CmpFPredicate predicate, Value a, Value b) {
  return arith::CmpFOp::create(builder, loc, predicate, a, b);
}
Value VectorMath::toInteger(Value x) {
  return arith::BitcastOp::create(builder, loc, integerType(x.getType()), x);
}
Value VectorMath::toFloat(Value x) {
  return arith::BitcastOp::create(builder, loc, floatType(x.getType()), x);
}
Value VectorMath::widen(Value x) {
  return arith::ExtFOp::create(
      builder, loc, withElement(x.getType(), builder.getF64Type()), x);
}
Value VectorMath::narrow(Value x) {
  return arith::TruncFOp::create(
      builder, loc, withElement(x.getType(), builder.getF32Type()), x);
}

// Compare and select in this order is one vminps or vmaxps and keeps a NaN.
Value VectorMath::atMost(Value x, double bound) {
  Value limit = constant(bound, x.getType());
  return select(compare(arith::CmpFPredicate::OLT, limit, x), limit, x);
}
Value VectorMath::atLeast(Value x, double bound) {
  Value limit = constant(bound, x.getType());
  return select(compare(arith::CmpFPredicate::OGT, limit, x), limit, x);
}

Value VectorMath::polynomial(Value x, ArrayRef<double> coefficients) {
  Value sum = constant(coefficients.back(), x.getType());
  for (double coefficient : llvm::reverse(coefficients.drop_back()))
    sum = fma(sum, x, constant(coefficient, x.getType()));
  return sum;
}

//===----------------------------------------------------------------------===//
// Exponentials
//===----------------------------------------------------------------------===//

Value VectorMath::scale(Value x, Value shifted) {
  Value power = arith::ShLIOp::create(builder, loc, toInteger(shifted),
                                      bits(23, x.getType()));
  return mul(x, toFloat(power));
}

Value VectorMath::twiceExp(Value x, Value n) {
  Type type = x.getType();
  // ln 2 in two parts, the first with 10 trailing zeros.
  Value r = fma(n, constant(-0.693359375f, type), x);
  r = fma(n, constant(2.12194440e-4f, type), r);
  return polynomial(r, {2.0f, 2.0f, 9.99999881e-1f, 3.33330423e-1f,
                        8.33367780e-2f, 1.67374332e-2f, 2.76291976e-3f});
}

// e^x = 2^n e^r with |r| <= ln 2 / 2. The result is 2 e^r times 2^(n - 1), so
// that n = 128 has an exponent, too.
Value VectorMath::exp(Value x) {
  Type type = x.getType();
  x = atLeast(atMost(x, 88.8f), -87.5f);
  Value rounder = constant(kPowerRounder, type);
  Value shifted = fma(x, constant(1.44269504f, type), rounder);
  return scale(twiceExp(x, sub(shifted, rounder)), shifted);
}

// As exp, but ln 2 is one number, whose error counts 126 times at most.
Value VectorMath::expNotPositive(Value x) {
  Type type = x.getType();
  x = atLeast(x, -87.5f);
  Value rounder = constant(kPowerRounder, type);
  Value shifted = fma(x, constant(1.44269504f, type), rounder);
  Value r = fma(sub(shifted, rounder), constant(-0.693147182f, type), x);
  Value twice =
      polynomial(r, {2.0f, 1.99999940f, 9.99983013e-1f, 3.33352745e-1f,
                     8.37959498e-2f, 1.65806133e-2f});
  return scale(twice, shifted);
}

Value VectorMath::exp2(Value x) {
  Type type = x.getType();
  x = atLeast(atMost(x, 128.4f), -126.25f);
  Value rounder = constant(kPowerRounder, type);
  Value shifted = add(x, rounder);
  Value r = sub(x, sub(shifted, rounder));
  Value twice =
      polynomial(r, {2.0f, 1.38629436f, 4.80452955e-1f, 1.11006647e-1f,
                     1.92368738e-2f, 2.67977500e-3f, 3.07067239e-4f});
  return scale(twice, shifted);
}

Value VectorMath::exp2NotPositive(Value x) {
  Type type = x.getType();
  x = atLeast(x, -126.25f);
  Value rounder = constant(kPowerRounder, type);
  Value shifted = add(x, rounder);
  Value r = sub(x, sub(shifted, rounder));
  Value twice =
      polynomial(r, {2.0f, 1.38629401f, 4.80444849e-1f, 1.11014672e-1f,
                     1.93430260e-2f, 2.65294546e-3f});
  return scale(twice, shifted);
}

Value VectorMath::expm1(Value x) {
  Type type = x.getType();
  Value p = polynomial(x, {4.99999940e-1f, 1.66665211e-1f, 4.16683890e-2f,
                           8.36874545e-3f, 1.38145394e-3f});
  Value near = fma(p, mul(x, x), x);
  Value far = sub(exp(x), constant(1.0f, type));
  return select(compare(arith::CmpFPredicate::OLT, absolute(x), 0.34f), near,
                far);
}

// As exp, with one power of 2 less: e^x / 2 is finite where e^x no longer is.
Value VectorMath::halfExp(Value x) {
  Type type = x.getType();
  x = atMost(x, 89.5f);
  Value rounder = constant(kPowerRounder - 1, type);
  Value shifted = fma(x, constant(1.44269504f, type), rounder);
  return scale(twiceExp(x, sub(shifted, rounder)), shifted);
}

Value VectorMath::sinh(Value x) {
  Type type = x.getType();
  Value square = mul(x, x);
  Value p = polynomial(square, {1.66667163e-1f, 8.33027065e-3f, 2.03733405e-4f});
  Value near = fma(mul(x, square), p, x);
  Value magnitude = absolute(x);
  Value half = halfExp(magnitude);
  Value far = sub(half, div(constant(0.25f, type), half));
  return select(compare(arith::CmpFPredicate::OLT, magnitude, 1.0f), near,
                copySign(far, x));
}

Value VectorMath::cosh(Value x) {
  Value half = halfExp(absolute(x));
  return add(half, div(constant(0.25f, x.getType()), half));
}

//===----------------------------------------------------------------------===//
// Logarithms
//===----------------------------------------------------------------------===//

// x = 2^e m with m in [sqrt(1/2), sqrt(2)); ln m = f - f^2 / 2 + f^3 P(f) with
// f = m - 1.
Value VectorMath::log(Value x) {
  Type type = x.getType();
  Value denormal = compare(arith::CmpFPredicate::OLT, x, 1.17549435e-38f);
  Value scaled = select(denormal, mul(x, constant(8388608.0f, type)), x);
  Value offset = bits(0x3f3504f3, type);
  Value distance =
      arith::SubIOp::create(builder, loc, toInteger(scaled), offset);
  Value exponent =
      arith::ShRSIOp::create(builder, loc, distance, bits(23, type));
  Value shifted = arith::ShLIOp::create(builder, loc, exponent, bits(23, type));
  Value m =
      toFloat(arith::SubIOp::create(builder, loc, toInteger(scaled), shifted));
  Value e = arith::SIToFPOp::create(builder, loc, type, exponent);
  e = select(denormal, sub(e, constant(23.0f, type)), e);
  Value f = sub(m, constant(1.0f, type));
  Value square = mul(f, f);
  Value p = polynomial(f, {3.33333105e-1f, -2.50000089e-1f, 2.00021669e-1f,
                           -1.66680902e-1f, 1.42185539e-1f, -1.24030836e-1f,
                           1.18934923e-1f, -1.16943352e-1f, 6.75757006e-2f});
  Value rest = mul(mul(square, f), p);
  rest = fma(e, constant(-2.12194440e-4f, type), rest);
  rest = fma(square, constant(-0.5f, type), rest);
  Value result = fma(e, constant(0.693359375f, type), add(rest, f));
  // Beyond the positive finite numbers: x itself for infinity and NaN.
  result = select(compare(arith::CmpFPredicate::ULT, x, kInfinity), result, x);
  result = select(compare(arith::CmpFPredicate::UNO, x, 0.0f), x, result);
  result = select(compare(arith::CmpFPredicate::OEQ, x, 0.0f),
                  constant(-kInfinity, type), result);
  return select(compare(arith::CmpFPredicate::OLT, x, 0.0f),
                constant(std::numeric_limits<float>::quiet_NaN(), type),
                result);
}

Value VectorMath::log2(Value x) {
  return mul(log(x), constant(1.44269504f, x.getType()));
}

Value VectorMath::log10(Value x) {
  return mul(log(x), constant(0.434294482f, x.getType()));
}

// ln(1 + x) = ln(u) x / (u - 1) with u = 1 + x rounded: the error of u cancels
// (Kahan).
Value VectorMath::log1p(Value x) {
  Type type = x.getType();
  Value one = constant(1.0f, type);
  Value u = add(x, one);
  Value difference = sub(u, one);
  Value ratio = arith::DivFOp::create(builder, loc, x, difference);
  Value result = mul(log(u), ratio);
  // Tiny x, and infinity, where the ratio is not a number.
  result =
      select(compare(arith::CmpFPredicate::OEQ, difference, 0.0f), x, result);
  return select(compare(arith::CmpFPredicate::OEQ, x, kInfinity), x, result);
}

//===----------------------------------------------------------------------===//
// Sigmoids
//===----------------------------------------------------------------------===//

Value VectorMath::oddRational(Value x, float range, ArrayRef<double> p,
                              ArrayRef<double> q) {
  x = atLeast(atMost(x, range), -range);
  Value square = mul(x, x);
  Value above = mul(x, polynomial(square, p));
  Value below = polynomial(square, q);
  Value quotient = arith::DivFOp::create(builder, loc, above, below);
  return atLeast(atMost(quotient, 1.0f), -1.0f);
}

// The ranges of tanh and erf end where the quotient rounds to 1.
Value VectorMath::tanh(Value x) {
  return oddRational(x, 9.0199995f,
                     {1.0f, 1.30831614e-1f, 3.10300617e-3f, 1.11443042e-5f,
                      -2.01841512e-8f, 5.25785943e-11f, -8.43623470e-14f},
                     {1.0f, 4.64164883e-1f, 2.44914014e-2f, 2.54475803e-4f});
}

// 2 / (1 + e^-2x). With e^-2x = 2^n e^-2r as in expNotPositive, the factor -2 is in
// the coefficients. Below -44, e^-2x is infinite: the result is 0, as GELU multiplies
// it by x.
Value VectorMath::onePlusTanh(Value x) {
  Type type = x.getType();
  x = atLeast(atMost(x, 43.7f), -44.4f);
  Value rounder = constant(kPowerRounder, type);
  Value shifted = fma(x, constant(-2.88539004f, type), rounder);
  Value r = fma(sub(shifted, rounder), constant(0.346573591f, type), x);
  Value twice =
      polynomial(r, {2.0f, -3.99999881f, 3.99993205f, -2.66682196f,
                     1.34073520f, -5.30579627e-1f});
  Value power = arith::ShLIOp::create(builder, loc, toInteger(shifted),
                                      bits(23, type));
  Value below = fma(twice, toFloat(power), constant(1.0f, type));
  return arith::DivFOp::create(builder, loc, constant(2.0f, type), below);
}

Value VectorMath::erf(Value x) {
  return oddRational(
      x, 3.9499998f,
      {1.12837911f, 2.02579424e-1f, 5.09227924e-2f, 3.80768906e-3f,
       1.43805286e-4f, -1.95088069e-6f, 1.96038243e-8f},
      {1.0f, 5.12862861e-1f, 1.16093062e-1f, 1.45754460e-2f, 9.79808276e-4f});
}

//===----------------------------------------------------------------------===//
// Rounding
//===----------------------------------------------------------------------===//

// Adding the largest float below 1/2 never reaches the next integer from below.
Value VectorMath::round(Value x) {
  Type type = x.getType();
  Value sign = arith::AndIOp::create(builder, loc, toInteger(x),
                                     bits(0x80000000u, type));
  Value half = toFloat(arith::OrIOp::create(
      builder, loc, sign, toInteger(constant(0.49999997f, type))));
  return math::TruncOp::create(builder, loc, add(x, half));
}
