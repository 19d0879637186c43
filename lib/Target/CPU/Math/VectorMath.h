// Elementary functions of f32 scalars and vectors as polynomial code.
//
// Every function is emitted in arith and math.fma, works for any number of
// lanes and takes no branches. NaN gives NaN. Coefficients are our own minimax
// fits (Lawson's iteration on Chebyshev nodes); the evaluation scheme of each
// is in the source: VectorAngles.cpp has the circular functions and their
// inverses, VectorPowers.cpp those that are computed in f64, whose digits a
// logarithm of f32 accuracy would lose, VectorMath.cpp the others.
#ifndef TESSERA_TARGET_CPU_VECTORMATH_H
#define TESSERA_TARGET_CPU_VECTORMATH_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"

namespace tessera::cpu {

/// On a math.exp: its operand is not above 0, and 4e-7 relative will do.
constexpr llvm::StringLiteral kNotPositiveAttr = "kernel.not_positive";

/// Emits functions of values of type f32 or vector<... x f32>. Errors are the
/// largest ones found against double precision.
class VectorMath {
public:
  VectorMath(mlir::OpBuilder &builder, mlir::Location loc)
      : builder(builder), loc(loc) {}

  /// e^x, 1 ulp. Results below 1.7e-38 are 0, so that no denormal number arises
  /// (those take microcode assists); above FLT_MAX infinity.
  mlir::Value exp(mlir::Value x);
  /// 2^x, 1.3 ulp; otherwise as exp.
  mlir::Value exp2(mlir::Value x);
  /// e^x for x that is not above 0, 4e-7 relative (2e-7 from -3 on); exactly 0
  /// below -87. For softmax: takes two thirds of the time of exp.
  mlir::Value expNotPositive(mlir::Value x);
  /// 2^x for x that is not above 0, 2.1 ulp; exactly 0 below -125.5.
  mlir::Value exp2NotPositive(mlir::Value x);
  /// e^x - 1, 3.4 ulp.
  mlir::Value expm1(mlir::Value x);
  /// ln x, 1 ulp (log2 and log10 2 ulp), denormal x included; -infinity for 0,
  /// NaN for x < 0.
  mlir::Value log(mlir::Value x);
  mlir::Value log2(mlir::Value x);
  mlir::Value log10(mlir::Value x);
  /// ln(1 + x), 3 ulp; -infinity for -1, NaN for x < -1.
  mlir::Value log1p(mlir::Value x);
  /// 3e-7 absolute, 5 ulp; within [-1, 1].
  mlir::Value tanh(mlir::Value x);
  /// 1 + tanh x, 5e-7 relative: digits that the sum of the two loses where x is
  /// below 0 stay. Faster than tanh.
  mlir::Value onePlusTanh(mlir::Value x);
  /// 3.5e-7 absolute, 6 ulp; within [-1, 1].
  mlir::Value erf(mlir::Value x);
  /// 1.6 ulp; above FLT_MAX infinity.
  mlir::Value sinh(mlir::Value x);
  mlir::Value cosh(mlir::Value x);
  /// x^y, 0.6 ulp, denormal results included; special cases as C's pow.
  mlir::Value pow(mlir::Value x, mlir::Value y);
  /// 0.6 ulp.
  mlir::Value asinh(mlir::Value x);
  /// 0.6 ulp; NaN for x < 1.
  mlir::Value acosh(mlir::Value x);
  /// 0.6 ulp; infinities for +-1, NaN beyond.
  mlir::Value atanh(mlir::Value x);
  /// 1e-7 absolute where |x| is at most `kLargestAngle`.
  mlir::Value sin(mlir::Value x);
  mlir::Value cos(mlir::Value x);
  /// 3 ulp where |x| is at most `kLargestAngle`.
  mlir::Value tan(mlir::Value x);
  /// 2.3 ulp; NaN beyond +-1.
  mlir::Value asin(mlir::Value x);
  mlir::Value acos(mlir::Value x);
  /// 1.3 ulp.
  mlir::Value atan(mlir::Value x);
  /// To the nearest integer, halfway cases away from zero.
  mlir::Value round(mlir::Value x);

  static constexpr float kLargestAngle = 30000.0f;

private:
  /// Constants of the type, f32 or f64, or of the integers as wide.
  mlir::Value constant(double value, mlir::Type type);
  mlir::Value bits(uint64_t value, mlir::Type floatType);
  mlir::Value add(mlir::Value a, mlir::Value b);
  mlir::Value sub(mlir::Value a, mlir::Value b);
  mlir::Value mul(mlir::Value a, mlir::Value b);
  mlir::Value div(mlir::Value a, mlir::Value b);
  mlir::Value fma(mlir::Value a, mlir::Value b, mlir::Value c);
  mlir::Value sqrt(mlir::Value x);
  mlir::Value absolute(mlir::Value x);
  mlir::Value copySign(mlir::Value magnitude, mlir::Value sign);
  /// The constant where x is beyond it, else x; NaN stays.
  mlir::Value atMost(mlir::Value x, double bound);
  mlir::Value atLeast(mlir::Value x, double bound);
  /// coefficients[0] + coefficients[1] x + ...
  mlir::Value polynomial(mlir::Value x, llvm::ArrayRef<double> coefficients);
  /// x P(x^2) / Q(x^2), x clamped to +-`range`, the result to +-1.
  mlir::Value oddRational(mlir::Value x, float range,
                          llvm::ArrayRef<double> p, llvm::ArrayRef<double> q);
  mlir::Value select(mlir::Value condition, mlir::Value a, mlir::Value b);
  mlir::Value compare(mlir::arith::CmpFPredicate predicate, mlir::Value a,
                      double b);
  mlir::Value compare(mlir::arith::CmpFPredicate predicate, mlir::Value a,
                      mlir::Value b);
  mlir::Value toInteger(mlir::Value x);
  mlir::Value toFloat(mlir::Value x);
  /// f32 to f64 and back.
  mlir::Value widen(mlir::Value x);
  mlir::Value narrow(mlir::Value x);
  /// x * 2^(n - 1) where `shifted` is n + kPowerRounder and n is in [-126, 128].
  mlir::Value scale(mlir::Value x, mlir::Value shifted);
  /// 2 e^(x - n ln 2), n the integer nearest to x / ln 2.
  mlir::Value twiceExp(mlir::Value x, mlir::Value n);
  /// e^x / 2 for x that is not below 0, 1 ulp.
  mlir::Value halfExp(mlir::Value x);
  /// Of f64: log2 x, 2^-45 relative, for x that is positive and finite;
  /// and 2^x, 2^-29 relative, for |x| of at most 1000.
  mlir::Value wideLog2(mlir::Value x);
  mlir::Value wideExp2(mlir::Value x);
  /// ln x of f64 as above; infinity for infinity.
  mlir::Value wideLog(mlir::Value x);
  /// x = n pi / 2 + r: n + kRounder, and sine and cosine of r.
  struct Angle {
    mlir::Value shifted, sine, cosine;
  };
  Angle reduceAngle(mlir::Value x);
  /// Whether bit `bit` of n + `quadrant` is set.
  mlir::Value quadrantBit(const Angle &angle, uint32_t quadrant, uint32_t bit);
  /// sin(x + quadrant * pi / 2).
  mlir::Value sine(mlir::Value x, uint32_t quadrant);
  /// asin |x| up to 1/2, half of acos |x| above.
  mlir::Value partOfArcSine(mlir::Value magnitude, mlir::Value isAbove);

  mlir::OpBuilder &builder;
  mlir::Location loc;
};

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_VECTORMATH_H
