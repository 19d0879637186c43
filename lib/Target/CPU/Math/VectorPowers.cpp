// Powers and inverse hyperbolic functions, through f64; see VectorMath.h.
//
// y log2 x of f32 numbers goes to 150, and its absolute error is the relative one
// of x^y: a logarithm needs 8 bits more than the result has. The same digits let
// the inverse hyperbolic functions take the logarithm of what is near 1.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include "lib/Target/CPU/Math/VectorMath.h"

#include <limits>

using namespace mlir;
using namespace tessera::cpu;

static constexpr double kInfinity = std::numeric_limits<double>::infinity();
static constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
static constexpr double kLn2 = 0.69314718055994531;
// Below it a function that is x - a x^3 + ... has no more terms in f32.
static constexpr float kSmall = 1.0f / 4096;

// x = 2^e m with m in [sqrt(1/2), sqrt(2)); log2 m = s P(s^2) with
// s = (m - 1) / (m + 1).
Value VectorMath::wideLog2(Value x) {
  constexpr uint64_t one = 0x3ff0000000000000, rootOfHalf = 0x3fe6a09e667f3bcd;
  Type type = x.getType();
  Value shift = bits(52, type);
  Value number = toInteger(x);
  // The exponent field of x / sqrt(1/2).
  Value exponent = arith::ShRUIOp::create(
      builder, loc,
      arith::AddIOp::create(builder, loc, number, bits(one - rootOfHalf, type)),
      shift);
  Value power = arith::SubIOp::create(
      builder, loc, arith::ShLIOp::create(builder, loc, exponent, shift),
      bits(one, type));
  Value m = toFloat(arith::SubIOp::create(builder, loc, number, power));
  // As the low digits of 2^52.
  constexpr double large = 4503599627370496.0;
  Value digits = arith::OrIOp::create(builder, loc, exponent,
                                      toInteger(constant(large, type)));
  Value e = sub(toFloat(digits), constant(large + 1023, type));
  Value unit = constant(1.0, type);
  Value s = div(sub(m, unit), add(m, unit));
  Value p = polynomial(mul(s, s),
                       {2.8853900817778499, 0.96179669411330149,
                        0.57707794237141619, 0.41220925210925846,
                        0.31990569552906251, 0.28290031653872733});
  return fma(s, p, e);
}

// 2^x = 2^n 2^r with |r| <= 1/2; n is in the low bits of n + 1.5 * 2^52.
Value VectorMath::wideExp2(Value x) {
  Type type = x.getType();
  Value rounder = constant(6755399441055744.0, type);
  Value shifted = add(x, rounder);
  Value r = sub(x, sub(shifted, rounder));
  Value p = polynomial(
      r, {1.0000000005541667, 0.69314720573726196, 0.24022646890630606,
          0.055503287769767498, 0.0096184889575364769, 0.001339993121544078,
          0.00015345811881666092});
  Value power = arith::ShLIOp::create(builder, loc, toInteger(shifted),
                                      bits(52, type));
  return toFloat(arith::AddIOp::create(builder, loc, toInteger(p), power));
}

Value VectorMath::wideLog(Value x) {
  Value result = mul(wideLog2(x), constant(kLn2, x.getType()));
  return select(compare(arith::CmpFPredicate::OLT, x, kInfinity), result, x);
}

Value VectorMath::pow(Value x, Value y) {
  Type type = x.getType();
  Value one = constant(1.0f, type);
  // An infinite exponent acts as the largest finite one: 1 stays 1.
  constexpr float largest = std::numeric_limits<float>::max();
  Value exponent = atLeast(atMost(y, largest), -largest);
  Value base = widen(absolute(x));
  Value logarithm = wideLog2(base);
  logarithm = select(compare(arith::CmpFPredicate::OEQ, base, 0.0),
                     constant(-kInfinity, base.getType()), logarithm);
  logarithm = select(compare(arith::CmpFPredicate::OLT, base, kInfinity),
                     logarithm, base);
  // Beyond these, f32 has infinity and 0.
  Value product =
      atLeast(atMost(mul(widen(exponent), logarithm), 200.0), -200.0);
  Value isNumber = compare(arith::CmpFPredicate::ORD, product, product);
  Value result = narrow(select(isNumber, wideExp2(product), product));
  // Of negative numbers: integer powers only, whose sign is that of odd ones.
  auto isInteger = [&](Value value) {
    return compare(arith::CmpFPredicate::OEQ,
                   math::FloorOp::create(builder, loc, value), value);
  };
  Value isWhole = isInteger(exponent);
  Value isEven = isInteger(mul(exponent, constant(0.5f, type)));
  Value isOdd = arith::AndIOp::create(
      builder, loc, isWhole,
      arith::XOrIOp::create(builder, loc, isEven,
                            compare(arith::CmpFPredicate::ORD, one, one)));
  result = select(isOdd, copySign(result, x), result);
  Value isNegative = arith::AndIOp::create(
      builder, loc, compare(arith::CmpFPredicate::OLT, x, 0.0f),
      compare(arith::CmpFPredicate::OGT, x, -kInfinity));
  result = select(isNegative, select(isWhole, result, constant(kNaN, type)),
                  result);
  Value isOne = arith::OrIOp::create(
      builder, loc, compare(arith::CmpFPredicate::OEQ, y, 0.0f),
      compare(arith::CmpFPredicate::OEQ, x, 1.0f));
  return select(isOne, one, result);
}

// ln(|x| + sqrt(x^2 + 1)), x - x^3 / 6 near 0.
Value VectorMath::asinh(Value x) {
  Value magnitude = absolute(x), wide = widen(magnitude);
  Type type = wide.getType();
  Value root = sqrt(fma(wide, wide, constant(1.0, type)));
  Value far = narrow(wideLog(add(wide, root)));
  Value cube = mul(mul(magnitude, magnitude), magnitude);
  Value near = fma(cube, constant(-1.0f / 6, x.getType()), magnitude);
  Value isSmall = compare(arith::CmpFPredicate::OLT, magnitude, kSmall);
  return copySign(select(isSmall, near, far), x);
}

// ln(x + sqrt(x^2 - 1)); the square is exact.
Value VectorMath::acosh(Value x) {
  Value wide = widen(x);
  Type type = wide.getType();
  Value root = sqrt(fma(wide, wide, constant(-1.0, type)));
  Value result = narrow(wideLog(add(wide, root)));
  return select(compare(arith::CmpFPredicate::OLT, x, 1.0f),
                constant(kNaN, x.getType()), result);
}

// ln((1 + |x|) / (1 - |x|)) / 2, x + x^3 / 3 near 0.
Value VectorMath::atanh(Value x) {
  Value magnitude = absolute(x), wide = widen(magnitude);
  Value one = constant(1.0, wide.getType());
  Value logarithm = wideLog(div(add(one, wide), sub(one, wide)));
  Value far = narrow(mul(logarithm, constant(0.5, wide.getType())));
  Value cube = mul(mul(magnitude, magnitude), magnitude);
  Value near = fma(cube, constant(1.0f / 3, x.getType()), magnitude);
  Value isSmall = compare(arith::CmpFPredicate::OLT, magnitude, kSmall);
  Value result = copySign(select(isSmall, near, far), x);
  return select(compare(arith::CmpFPredicate::OGT, magnitude, 1.0f),
                constant(kNaN, x.getType()), result);
}
