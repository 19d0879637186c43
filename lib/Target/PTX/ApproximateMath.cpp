// Expansions of erf, tanh, exp and rsqrt for PTX: the special function unit gives
// 2^x, 1/x, 1/sqrt(x) and a coarse tanh; polynomials do the rest. Coefficients
// are minimax fits on the named ranges, rounded to f32.
#include "lib/Target/PTX/ApproximateMath.h"

#include "lib/Target/PTX/DeviceBuilder.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace tessera::ptx {

namespace {
/// f32 arithmetic on scalars.
struct FloatBuilder : DeviceBuilder {
  using DeviceBuilder::DeviceBuilder;

  Value call(StringRef intrinsic, Value x) {
    return LLVM::CallIntrinsicOp::create(*this, getF32Type(),
                                         getStringAttr(intrinsic), x)
        .getResult(0);
  }
  /// The unit's tanh, which LLVM has no intrinsic for.
  Value coarseTanh(Value x) {
    return LLVM::InlineAsmOp::create(
               *this, getF32Type(), x, "tanh.approx.f32 $0, $1;", "=f,f",
               /*has_side_effects=*/false, /*is_align_stack=*/false,
               LLVM::tailcallkind::TailCallKind::None,
               LLVM::AsmDialectAttr::get(getContext(),
                                         LLVM::AsmDialect::AD_ATT),
               ArrayAttr())
        .getRes();
  }
  Value exp2(Value x) { return call("llvm.nvvm.ex2.approx.f32", x); }
  Value reciprocal(Value x) { return call("llvm.nvvm.rcp.approx.ftz.f", x); }
  Value mulf(Value a, Value b) { return arith::MulFOp::create(*this, a, b); }
  Value subf(Value a, Value b) { return arith::SubFOp::create(*this, a, b); }
  Value fma(Value a, Value b, Value c) {
    return math::FmaOp::create(*this, a, b, c);
  }
  Value abs(Value x) { return math::AbsFOp::create(*this, x); }
  Value copySign(Value x, Value sign) {
    return math::CopySignOp::create(*this, x, sign);
  }
  /// Ordered a < b.
  Value lessThan(Value a, double b) {
    return arith::CmpFOp::create(*this, arith::CmpFPredicate::OLT, a, f32(b));
  }
  /// c[0] + x (c[1] + x (c[2] + ...)).
  Value polynomial(Value x, ArrayRef<float> c) {
    Value sum = f32(c.back());
    for (float coefficient : llvm::reverse(c.drop_back()))
      sum = fma(sum, x, f32(coefficient));
    return sum;
  }
};

using Function = Value (*)(FloatBuilder &, Value x, bool approximate);
} // namespace

/// erf(x) = sign(x) (1 - 2^(-t q(t))), t = min(|x|, 4), where q(t) is
/// -log2(erfc(t)) / t. Beyond 4 erf is 1 in f32. That is good to 1e-7 absolute;
/// below 1/2, where the subtraction loses relative precision, erf is an odd
/// polynomial.
static Value emitErf(FloatBuilder &b, Value x, bool approximate) {
  static constexpr float q[] = {1.62790859f,    0.918416381f,   0.148481622f,
                                -0.0282536894f, 0.000774638203f, 0.00148943649f,
                                -0.000445506128f, 4.53584253e-05f};
  static constexpr float odd[] = {1.12837917f, -0.376126086f, 0.112828226f,
                                  -0.0267571718f, 0.00471796316f};
  Value magnitude = b.abs(x);
  // The minimum propagates NaN.
  Value t = arith::MinimumFOp::create(b, magnitude, b.f32(4.0));
  Value exponent = b.mulf(b.polynomial(t, q),
                          arith::NegFOp::create(b, t).getResult());
  Value tail = b.copySign(b.subf(b.f32(1.0), b.exp2(exponent)), x);
  if (approximate)
    return tail;
  Value near = b.mulf(x, b.polynomial(b.mulf(x, x), odd));
  return b.select(b.lessThan(magnitude, 0.5), near, tail);
}

/// 2^(x log2(e)): the exponent is split at an integer, for a relative error
/// that does not grow with |x|.
static Value emitExp(FloatBuilder &b, Value x, bool approximate) {
  static constexpr float kLog2E = 1.44269502f, kLog2ELow = 1.92596299e-08f;
  Value exponent = b.mulf(x, b.f32(kLog2E));
  if (approximate)
    return b.exp2(exponent);
  // Clamped so that 2^whole stays finite and above 0: the product overflows or
  // underflows by itself.
  Value whole = math::FloorOp::create(b, exponent);
  whole = arith::MaximumFOp::create(b, whole, b.f32(-149.0));
  whole = arith::MinimumFOp::create(b, whole, b.f32(127.0));
  Value fraction = b.fma(x, b.f32(kLog2E), arith::NegFOp::create(b, whole));
  fraction = b.fma(x, b.f32(kLog2ELow), fraction);
  return b.mulf(b.exp2(fraction), b.exp2(whole));
}

/// tanh(x) = sign(x) (1 - 2 / (1 + e^(2|x|))); near zero an odd polynomial.
static Value emitTanh(FloatBuilder &b, Value x, bool approximate) {
  if (approximate)
    return b.coarseTanh(x);
  static constexpr float kTwoLog2E = 2.88539008f;
  static constexpr float odd[] = {1.0f, -0.333333281f, 0.133330213f,
                                  -0.0539069526f, 0.0213388344f,
                                  -0.00672061114f};
  Value magnitude = b.abs(x);
  Value power = b.exp2(b.mulf(magnitude, b.f32(kTwoLog2E)));
  Value inverse =
      b.reciprocal(arith::AddFOp::create(b, power, b.f32(1.0)));
  Value tail = b.copySign(b.fma(b.f32(-2.0), inverse, b.f32(1.0)), x);
  Value near = b.mulf(x, b.polynomial(b.mulf(x, x), odd));
  return b.select(b.lessThan(magnitude, 0.5), near, tail);
}

static Value emitRsqrt(FloatBuilder &b, Value x, bool) {
  return b.call("llvm.nvvm.rsqrt.approx.f", x);
}

/// Every use of `op` is a sum with a constant of at least 1 in magnitude, as in
/// gelu's 1 + erf(x): an error of 1e-7 drowns in the sum's rounding.
static bool onlyAddsToOne(Operation *op) {
  return llvm::all_of(op->getUsers(), [&](Operation *user) {
    auto sum = dyn_cast<arith::AddFOp>(user);
    Attribute value;
    if (!sum || !(matchPattern(sum.getLhs(), m_Constant(&value)) ||
                  matchPattern(sum.getRhs(), m_Constant(&value))))
      return false;
    if (auto splat = dyn_cast<SplatElementsAttr>(value))
      value = splat.getSplatValue<Attribute>();
    auto constant = dyn_cast<FloatAttr>(value);
    return constant && std::abs(constant.getValueAsDouble()) >= 1.0;
  });
}

namespace {
/// math.F on a scalar or vector of floats  ==>  its f32 expansion on each lane.
template <typename Op>
struct ExpandOnLanes : OpRewritePattern<Op> {
  ExpandOnLanes(MLIRContext *context, Function function)
      : OpRewritePattern<Op>(context, /*benefit=*/2), function(function) {}

  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getType(), element = getElementTypeOrSelf(type);
    if (!element.isF32() && !element.isF16() && !element.isBF16())
      return rewriter.notifyMatchFailure(op, "expects f32, f16 or bf16");
    auto vectorType = dyn_cast<VectorType>(type);
    if (vectorType && (vectorType.getRank() != 1 || vectorType.isScalable()))
      return rewriter.notifyMatchFailure(op, "expects a vector of rank 1");
    bool approximate =
        !element.isF32() ||
        bitEnumContainsAll(op.getFastmath(), arith::FastMathFlags::afn) ||
        (std::is_same_v<Op, math::ErfOp> && onlyAddsToOne(op));
    FloatBuilder b(op.getLoc(), rewriter);
    auto apply = [&](Value x) -> Value {
      if (element.isF32())
        return function(b, x, approximate);
      Value wide = arith::ExtFOp::create(b, b.getF32Type(), x);
      return arith::TruncFOp::create(b, element,
                                     function(b, wide, approximate));
    };
    if (!vectorType) {
      rewriter.replaceOp(op, apply(op.getOperand()));
      return success();
    }
    SmallVector<Value> lanes;
    for (int64_t i = 0; i < vectorType.getNumElements(); ++i)
      lanes.push_back(
          apply(vector::ExtractOp::create(b, op.getOperand(), i)));
    rewriter.replaceOp(op, vector::FromElementsOp::create(b, type, lanes));
    return success();
  }

  Function function;
};
} // namespace

void populateApproximateMathPatterns(RewritePatternSet &patterns) {
  MLIRContext *context = patterns.getContext();
  patterns.add<ExpandOnLanes<math::ErfOp>>(context, emitErf);
  patterns.add<ExpandOnLanes<math::ExpOp>>(context, emitExp);
  patterns.add<ExpandOnLanes<math::TanhOp>>(context, emitTanh);
  patterns.add<ExpandOnLanes<math::RsqrtOp>>(context, emitRsqrt);
  populateMathF32ExpansionPatterns(patterns, [](StringRef) { return true; });
  populateMathPolynomialApproximationPatterns(
      patterns, [](StringRef) { return true; });
}

} // namespace tessera::ptx
