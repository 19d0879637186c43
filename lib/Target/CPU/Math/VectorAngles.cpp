// Circular functions and their inverses; see VectorMath.h.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"

#include "lib/Target/CPU/Math/VectorMath.h"

using namespace mlir;
using namespace tessera::cpu;

// Adding 1.5 * 2^23 to a float below 2^22 rounds it to the nearest integer,
// which then is in the low bits.
static constexpr float kRounder = 12582912.0f;
// pi / 2 is kHalfPi - kHalfPiError.
static constexpr float kHalfPi = 1.57079637f, kHalfPiError = 4.37113883e-8f;

// x = n pi / 2 + r with |r| <= pi / 4, pi / 2 in three parts (Cody and Waite).
VectorMath::Angle VectorMath::reduceAngle(Value x) {
  Type type = x.getType();
  Value shifted =
      fma(x, constant(0.636619772f, type), constant(kRounder, type));
  Value n = sub(shifted, constant(kRounder, type));
  Value r = fma(n, constant(-kHalfPi, type), x);
  r = fma(n, constant(kHalfPiError, type), r);
  r = fma(n, constant(1.71512465e-15f, type), r);
  Value square = mul(r, r);
  Value s = polynomial(square, {-1.66666672e-1f, 8.33332911e-3f,
                                -1.98393042e-4f, 2.71804652e-6f});
  Value c = polynomial(square, {-0.5f, 4.16666679e-2f, -1.38888811e-3f,
                                2.47990301e-5f, -2.71793510e-7f});
  return {shifted, fma(mul(r, square), s, r),
          fma(square, c, constant(1.0f, type))};
}

Value VectorMath::quadrantBit(const Angle &angle, uint32_t quadrant,
                              uint32_t bit) {
  Type type = angle.shifted.getType();
  Value turns = arith::AddIOp::create(builder, loc, toInteger(angle.shifted),
                                      bits(quadrant, type));
  Value masked = arith::AndIOp::create(builder, loc, turns, bits(bit, type));
  return arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::ne, masked,
                               bits(0, type));
}

// The quadrant n mod 4 chooses sine or cosine of r and the sign.
Value VectorMath::sine(Value x, uint32_t quadrant) {
  Angle angle = reduceAngle(x);
  Value result =
      select(quadrantBit(angle, quadrant, 1), angle.cosine, angle.sine);
  return select(quadrantBit(angle, quadrant, 2),
                arith::NegFOp::create(builder, loc, result), result);
}

Value VectorMath::sin(Value x) { return sine(x, 0); }
Value VectorMath::cos(Value x) { return sine(x, 1); }

// tan(r + pi / 2) = -cos r / sin r.
Value VectorMath::tan(Value x) {
  Angle angle = reduceAngle(x);
  Value isOdd = quadrantBit(angle, 0, 1);
  Value above = select(isOdd, angle.cosine, angle.sine);
  Value below =
      select(isOdd, arith::NegFOp::create(builder, loc, angle.sine),
             angle.cosine);
  return div(above, below);
}

// asin s = s + s z P(z) with z = s^2 <= 1/4; above 1/2 of s = sqrt((1 - |x|) / 2),
// as acos |x| = 2 asin s.
Value VectorMath::partOfArcSine(Value magnitude, Value isAbove) {
  Type type = magnitude.getType();
  Value half = constant(0.5f, type);
  Value square = select(isAbove, fma(magnitude, constant(-0.5f, type), half),
                        mul(magnitude, magnitude));
  Value s = select(isAbove, sqrt(square), magnitude);
  Value p = polynomial(square, {1.66667521e-1f, 7.49530941e-2f, 4.54691499e-2f,
                                2.41847616e-2f, 4.21583429e-2f});
  return fma(mul(s, square), p, s);
}

Value VectorMath::asin(Value x) {
  Type type = x.getType();
  Value magnitude = absolute(x);
  Value isAbove = compare(arith::CmpFPredicate::OGT, magnitude, 0.5f);
  Value part = partOfArcSine(magnitude, isAbove);
  Value rest = fma(part, constant(2.0f, type), constant(kHalfPiError, type));
  return copySign(select(isAbove, sub(constant(kHalfPi, type), rest), part), x);
}

Value VectorMath::acos(Value x) {
  Type type = x.getType();
  Value magnitude = absolute(x);
  Value isAbove = compare(arith::CmpFPredicate::OGT, magnitude, 0.5f);
  Value part = partOfArcSine(magnitude, isAbove);
  Value near = sub(constant(kHalfPi, type),
                   add(copySign(part, x), constant(kHalfPiError, type)));
  Value positive = add(part, part);
  Value negative = sub(constant(2 * kHalfPi, type),
                       add(positive, constant(2 * kHalfPiError, type)));
  Value far = select(compare(arith::CmpFPredicate::OLT, x, 0.0f), negative,
                     positive);
  return select(isAbove, far, near);
}

// atan q = q + q z P(z) with z = q^2 <= 1; above 1 atan x = pi / 2 - atan(1 / x).
Value VectorMath::atan(Value x) {
  Type type = x.getType();
  Value magnitude = absolute(x), one = constant(1.0f, type);
  Value isAbove = compare(arith::CmpFPredicate::OGT, magnitude, 1.0f);
  Value q = div(select(isAbove, one, magnitude),
                select(isAbove, magnitude, one));
  Value square = mul(q, q);
  Value p = polynomial(square, {-3.33332986e-1f, 1.99985296e-1f,
                                -1.42640159e-1f, 1.09508775e-1f,
                                -8.39928985e-2f, 5.78809269e-2f,
                                -3.10962945e-2f, 1.08681666e-2f,
                                -1.78266678e-3f});
  Value near = fma(mul(q, square), p, q);
  Value far = sub(constant(kHalfPi, type),
                  add(near, constant(kHalfPiError, type)));
  return copySign(select(isAbove, far, near), x);
}
