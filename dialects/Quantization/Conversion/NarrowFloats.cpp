// Floats of 4 and 8 bits; see the header.
#include "dialects/Quantization/Conversion/NarrowFloats.h"

#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::quantization;

namespace {

/// How a float of sign, exponent and mantissa stores numbers.
struct FloatFormat {
  unsigned mantissaBits;
  int bias;
  /// Bits of the largest finite number, of infinity and of a NaN, without sign;
  /// -1 where there is none.
  int largest, infinity, nan;
  /// The only NaN is what would be -0 (the UZ types).
  bool nanIsNegativeZero;
  unsigned bits;
};

std::optional<FloatFormat> layoutOf(Format format) {
  switch (format) {
  case Format::E4M3FN:
    return FloatFormat{3, 7, 0x7e, -1, 0x7f, false, 8};
  case Format::E4M3FNUZ:
    return FloatFormat{3, 8, 0x7f, -1, -1, true, 8};
  case Format::E5M2:
    return FloatFormat{2, 15, 0x7b, 0x7c, 0x7e, false, 8};
  case Format::E5M2FNUZ:
    return FloatFormat{2, 16, 0x7f, -1, -1, true, 8};
  case Format::E2M1:
    // A NaN becomes -0, the bits that others encode it in.
    return FloatFormat{1, 1, 0x7, -1, 0x8, false, 4};
  default:
    return std::nullopt;
  }
}

/// Bits of the f32 2^`exponent`.
int64_t powerOfTwo(int exponent) { return int64_t(exponent + 127) << 23; }

/// Operations on i32 and f32, all scalars or all tensors of one shape.
class Lanes {
public:
  Lanes(TensorBuilder &b, Value like) : b(b), like(like) {}

  Value bitcast(Value value, Type to) {
    return b.create<arith::BitcastOp>(withElements(value, to), value);
  }
  Value toBits(Value value) { return bitcast(value, b.i32()); }
  Value toFloat(Value value) { return bitcast(value, b.f32()); }
  Value toBytes(Value value) {
    return b.create<arith::TruncIOp>(
        withElements(value, b.builder.getI8Type()), value);
  }
  Value integer(int64_t value) { return b.filled(value, b.i32(), like); }
  template <typename Op> Value apply(Value x, Value y) {
    return b.create<Op>(x, y);
  }
  Value shiftLeft(Value value, int64_t bits) {
    return apply<arith::ShLIOp>(value, integer(bits));
  }
  Value shiftRight(Value value, int64_t bits) {
    return apply<arith::ShRUIOp>(value, integer(bits));
  }
  Value mask(Value value, int64_t bits) {
    return apply<arith::AndIOp>(value, integer(bits));
  }
  Value compare(arith::CmpIPredicate predicate, Value x, int64_t y) {
    return b.create<arith::CmpIOp>(predicate, x, integer(y));
  }
  Value select(Value condition, Value x, Value y) {
    return b.create<arith::SelectOp>(condition, x, y);
  }
  /// The integer nearest to `value`, f32, half to even, which i32 holds.
  Value rounded(Value value) {
    return b.create<arith::FPToSIOp>(withElements(value, b.i32()),
                                     b.create<math::RoundEvenOp>(value));
  }

private:
  TensorBuilder &b;
  Value like;
};

constexpr int64_t kNan = 0x7fc00000, kInfinity = 0x7f800000;

/// A power of two by its biased exponent; 255 is NaN.
Value decodePower(Lanes lanes, Value bits) {
  using P = arith::CmpIPredicate;
  // 2^-127 is a subnormal f32.
  Value power = lanes.select(lanes.compare(P::eq, bits, 0),
                             lanes.integer(0x00400000),
                             lanes.shiftLeft(bits, 23));
  return lanes.toFloat(lanes.select(lanes.compare(P::eq, bits, 255),
                                    lanes.integer(kNan), power));
}

Value encodePower(Lanes lanes, Value value, StringRef roundMode) {
  using P = arith::CmpIPredicate;
  Value magnitude = lanes.mask(lanes.toBits(value), 0x7fffffff);
  Value exponent = lanes.shiftRight(magnitude, 23);
  Value mantissa = lanes.mask(magnitude, 0x7fffff);
  // Subnormal numbers lie below 2^-126, the smallest but one.
  Value isSubnormal = lanes.compare(P::eq, exponent, 0);
  int64_t normalLimit = roundMode == "up" ? 1 : 0x400000;
  int64_t subnormalLimit = roundMode == "up" ? 0x400001 : 0x600000;
  Value up = lanes.select(
      isSubnormal, lanes.compare(P::uge, mantissa, subnormalLimit),
      lanes.compare(P::uge, mantissa, normalLimit));
  Value rounded = exponent;
  if (roundMode != "down")
    rounded = lanes.select(
        up, lanes.apply<arith::AddIOp>(exponent, lanes.integer(1)), exponent);
  rounded = lanes.select(lanes.compare(P::ugt, rounded, 254),
                         lanes.integer(254), rounded);
  return lanes.select(lanes.compare(P::ugt, magnitude, kInfinity),
                      lanes.integer(255), rounded);
}

/// `magnitude`, bits of an f32, rounded to the bits of `format` without sign, not
/// limited above.
Value roundMagnitude(Lanes lanes, Value magnitude,
                     const FloatFormat &format) {
  int64_t dropped = 23 - format.mantissaBits;
  Value even = lanes.mask(lanes.shiftRight(magnitude, dropped), 1);
  Value sum = lanes.apply<arith::AddIOp>(
      lanes.apply<arith::AddIOp>(magnitude, even),
      lanes.integer((int64_t(1) << (dropped - 1)) - 1));
  Value normal = lanes.apply<arith::SubIOp>(
      lanes.shiftRight(sum, dropped),
      lanes.integer(int64_t(127 - format.bias) << format.mantissaBits));
  // Below the smallest normal number: a multiple of the last bit's value. A
  // power of two times a number rounds nothing.
  int last = 1 - format.bias - int(format.mantissaBits);
  Value scaled = lanes.apply<arith::MulFOp>(
      lanes.toFloat(magnitude),
      lanes.toFloat(lanes.integer(powerOfTwo(-last))));
  Value isSmall = lanes.compare(arith::CmpIPredicate::ult, magnitude,
                                powerOfTwo(1 - format.bias));
  // Only what is small is converted: the rest may not fit.
  Value limited = lanes.select(isSmall, lanes.toBits(scaled), lanes.integer(0));
  return lanes.select(isSmall, lanes.rounded(lanes.toFloat(limited)), normal);
}

} // namespace

Value quantization::decodeNarrowFloat(TensorBuilder &b, Value bytes,
                                      Format stored) {
  Lanes lanes(b, bytes);
  Value bits = b.extended(bytes, /*isUnsigned=*/true);
  std::optional<FloatFormat> format = layoutOf(stored);
  if (!format)
    return decodePower(lanes, bits);
  using P = arith::CmpIPredicate;
  int64_t signBit = int64_t(1) << (format->bits - 1);
  Value magnitude = lanes.mask(bits, signBit - 1);
  Value sign = lanes.shiftLeft(lanes.mask(bits, signBit), 32 - format->bits);
  // The exponent moves to its place and is rebased by a product, which also
  // normalises subnormal numbers.
  Value moved = lanes.shiftLeft(magnitude, 23 - format->mantissaBits);
  Value number = lanes.toBits(lanes.apply<arith::MulFOp>(
      lanes.toFloat(moved),
      lanes.toFloat(lanes.integer(powerOfTwo(127 - format->bias)))));
  if (format->infinity >= 0)
    number = lanes.select(lanes.compare(P::eq, magnitude, format->infinity),
                          lanes.integer(kInfinity), number);
  Value isNan;
  if (format->nanIsNegativeZero)
    isNan = lanes.compare(P::eq, bits, signBit);
  else if (format->nan >= 0)
    isNan = lanes.compare(P::ugt, magnitude,
                          std::max(format->infinity, format->largest));
  if (isNan)
    number = lanes.select(isNan, lanes.integer(kNan), number);
  return lanes.toFloat(lanes.apply<arith::OrIOp>(number, sign));
}

Value quantization::encodePowerOfTwo(TensorBuilder &b, Value value,
                                     StringRef roundMode) {
  Lanes lanes(b, value);
  return lanes.toBytes(encodePower(lanes, value, roundMode));
}

Value quantization::encodeNarrowFloat(TensorBuilder &b, Value value,
                                      Format stored, bool saturate) {
  Lanes lanes(b, value);
  std::optional<FloatFormat> format = layoutOf(stored);
  if (!format)
    return encodePowerOfTwo(b, value, "up");
  using P = arith::CmpIPredicate;
  int64_t signBit = int64_t(1) << (format->bits - 1);
  Value bits = lanes.toBits(value);
  Value magnitude = lanes.mask(bits, 0x7fffffff);
  Value sign = lanes.mask(lanes.shiftRight(bits, 32 - format->bits), signBit);
  Value rounded = roundMagnitude(lanes, magnitude, *format);
  saturate |= stored == Format::E2M1;
  bool hasNan = format->nanIsNegativeZero || format->nan >= 0;
  // A NaN that is -0 is marked by a magnitude that no number has.
  int64_t nan = format->nanIsNegativeZero ? signBit : format->nan;
  int64_t above = format->largest;
  if (!saturate && hasNan)
    above = format->infinity >= 0 ? format->infinity : nan;
  rounded = lanes.select(lanes.compare(P::sgt, rounded, format->largest),
                         lanes.integer(above), rounded);
  if (hasNan)
    rounded = lanes.select(lanes.compare(P::ugt, magnitude, kInfinity),
                           lanes.integer(nan), rounded);
  Value result = lanes.apply<arith::OrIOp>(rounded, sign);
  if (format->nanIsNegativeZero)
    // There is no -0, and the NaN has no sign.
    result = lanes.select(lanes.compare(P::eq, rounded, 0), lanes.integer(0),
                          lanes.select(lanes.compare(P::eq, rounded, signBit),
                                       lanes.integer(signBit), result));
  return lanes.toBytes(result);
}

Value quantization::wrapNarrowInteger(TensorBuilder &b, Value value,
                                      Format format) {
  unsigned bits = bitsOf(format);
  Type i8 = b.builder.getI8Type();
  if (!isInteger(format) || bits >= 8)
    return value;
  if (isUnsigned(format))
    return b.create<arith::AndIOp>(value, b.filled((1 << bits) - 1, i8, value));
  Value distance = b.filled(8 - bits, i8, value);
  return b.create<arith::ShRSIOp>(b.create<arith::ShLIOp>(value, distance),
                                  distance);
}
