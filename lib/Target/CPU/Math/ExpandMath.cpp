// Replaces elementary functions on f32 by polynomial code, others by libm calls
// in double precision.
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"

#include "lib/Target/CPU/Passes.h"
#include "lib/Target/CPU/Math/VectorMath.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace tessera::cpu {
#define GEN_PASS_DEF_EXPANDMATH
#include "lib/Target/CPU/Passes.h.inc"
} // namespace tessera::cpu

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

namespace {

bool isScalarOrVector(Type type) {
  auto vector = dyn_cast<VectorType>(type);
  return !isa<ShapedType>(type) ||
         (vector && !vector.isScalable() && vector.hasRank());
}

/// math.log %x : vector<8xf32>  ==>  its polynomial
template <typename Op, Value (VectorMath::*emit)(Value)>
struct ExpandUnary : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (!isScalarOrVector(type) || !getElementTypeOrSelf(type).isF32())
      return rewriter.notifyMatchFailure(op, "expects f32");
    VectorMath math(rewriter, op.getLoc());
    rewriter.replaceOp(op, (math.*emit)(op.getOperand()));
    return success();
  }
};

/// math.exp %x : vector<8xf32>  ==>  its polynomial, for what is not above 0 the
/// shorter one
struct ExpandExp : OpRewritePattern<math::ExpOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::ExpOp op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (!isScalarOrVector(type) || !getElementTypeOrSelf(type).isF32())
      return rewriter.notifyMatchFailure(op, "expects f32");
    VectorMath math(rewriter, op.getLoc());
    rewriter.replaceOp(op, op->hasAttr(kNotPositiveAttr)
                               ? math.expNotPositive(op.getOperand())
                               : math.exp(op.getOperand()));
    return success();
  }
};

/// math.powf %x, %y  ==>  its polynomials
struct ExpandPow : OpRewritePattern<math::PowFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::PowFOp op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (!isScalarOrVector(type) || !getElementTypeOrSelf(type).isF32())
      return rewriter.notifyMatchFailure(op, "expects f32");
    rewriter.replaceOp(op, VectorMath(rewriter, op.getLoc())
                               .pow(op.getLhs(), op.getRhs()));
    return success();
  }
};

/// math.tanh %x  ==>  its rational form; 1 + math.tanh %x, as in GELU  ==>  by e^-2x
struct ExpandTanh : OpRewritePattern<math::TanhOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::TanhOp op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (!isScalarOrVector(type) || !getElementTypeOrSelf(type).isF32())
      return rewriter.notifyMatchFailure(op, "expects f32");
    VectorMath math(rewriter, op.getLoc());
    auto sum = op->hasOneUse() ? dyn_cast<arith::AddFOp>(*op->user_begin())
                               : arith::AddFOp();
    if (sum && (matchPattern(sum.getLhs(), m_OneFloat()) ||
                matchPattern(sum.getRhs(), m_OneFloat())))
      rewriter.replaceOp(sum, math.onePlusTanh(op.getOperand()));
    else
      rewriter.replaceOp(op, math.tanh(op.getOperand()));
    return success();
  }
};

/// math.rsqrt %x  ==>  1 / math.sqrt %x
struct ExpandRsqrt : OpRewritePattern<math::RsqrtOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(math::RsqrtOp op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (!isScalarOrVector(type))
      return rewriter.notifyMatchFailure(op, "expects no tensor");
    Value one = arith::ConstantOp::create(rewriter, op.getLoc(),
                                          rewriter.getOneAttr(type));
    Value root = math::SqrtOp::create(rewriter, op.getLoc(), op.getOperand());
    rewriter.replaceOpWithNewOp<arith::DivFOp>(op, one, root);
    return success();
  }
};

/// Applies `op` to single elements, in f64.
Value emitByElement(OpBuilder &builder, Operation *op, ValueRange operands) {
  Location loc = op->getLoc();
  Type type = op->getResult(0).getType();
  Type element = getElementTypeOrSelf(type);
  auto single = [&](ValueRange scalars) -> Value {
    SmallVector<Value> wide;
    for (Value scalar : scalars)
      wide.push_back(scalar.getType().isF32()
                         ? arith::ExtFOp::create(builder, loc,
                                                 builder.getF64Type(), scalar)
                         : scalar);
    OperationState state(loc, op->getName(), wide, builder.getF64Type());
    Value result = builder.create(state)->getResult(0);
    return arith::TruncFOp::create(builder, loc, element, result);
  };
  auto vector = dyn_cast<VectorType>(type);
  if (!vector)
    return single(operands);
  SmallVector<Value> elements;
  SmallVector<int64_t> strides = computeStrides(vector.getShape());
  for (int64_t i = 0; i < vector.getNumElements(); ++i) {
    SmallVector<int64_t> position = mlir::delinearize(i, strides);
    SmallVector<Value> scalars;
    for (Value operand : operands)
      scalars.push_back(
          vector::ExtractOp::create(builder, loc, operand, position));
    elements.push_back(single(scalars));
  }
  return vector::FromElementsOp::create(builder, loc, vector, elements);
}

/// math.cbrt %x : vector<2xf32>  ==>  two math.cbrt in f64 and arith.truncf
template <typename Op> struct ExpandByElement : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (!isScalarOrVector(type) || !getElementTypeOrSelf(type).isF32())
      return rewriter.notifyMatchFailure(op, "expects f32");
    rewriter.replaceOp(op, emitByElement(rewriter, op, op->getOperands()));
    return success();
  }
};

/// math.sin %x  ==>  if any |%x| is large: by element, else: its polynomial
template <typename Op, Value (VectorMath::*emit)(Value)>
struct ExpandAngle : OpRewritePattern<Op> {
  using OpRewritePattern<Op>::OpRewritePattern;
  LogicalResult matchAndRewrite(Op op,
                                PatternRewriter &rewriter) const override {
    Type type = op.getType();
    if (!isScalarOrVector(type) || !getElementTypeOrSelf(type).isF32())
      return rewriter.notifyMatchFailure(op, "expects f32");
    Location loc = op.getLoc();
    Value x = op.getOperand();
    Value size = math::AbsFOp::create(rewriter, loc, x);
    TypedAttr limit = rewriter.getF32FloatAttr(VectorMath::kLargestAngle);
    auto vector = dyn_cast<VectorType>(type);
    if (vector)
      limit = DenseElementsAttr::get(vector, Attribute(limit));
    Value bound = arith::ConstantOp::create(rewriter, loc, limit);
    Value large = arith::CmpFOp::create(rewriter, loc,
                                        arith::CmpFPredicate::OGT, size, bound);
    if (vector && vector.getRank() > 1)
      return rewriter.notifyMatchFailure(op, "expects one dimension of lanes");
    if (vector)
      large = vector::ReductionOp::create(rewriter, loc,
                                          vector::CombiningKind::OR, large);
    auto branch = scf::IfOp::create(rewriter, loc, type, large,
                                    /*withElseRegion=*/true);
    OpBuilder slow = branch.getThenBodyBuilder();
    scf::YieldOp::create(slow, loc, emitByElement(slow, op, x));
    OpBuilder fast = branch.getElseBodyBuilder();
    VectorMath math(fast, loc);
    scf::YieldOp::create(fast, loc, (math.*emit)(x));
    rewriter.replaceOp(op, branch.getResults());
    return success();
  }
};

/// math.exp %x : f16  ==>  arith.truncf (math.exp (arith.extf %x))
struct WidenNarrow : RewritePattern {
  explicit WidenNarrow(MLIRContext *context)
      : RewritePattern(MatchAnyOpTypeTag(), /*benefit=*/2, context) {}
  LogicalResult matchAndRewrite(Operation *op,
                                PatternRewriter &rewriter) const override {
    if (!isa<math::MathDialect>(op->getDialect()) || op->getNumResults() != 1 ||
        isa<math::AbsFOp, math::CopySignOp>(op))
      return rewriter.notifyMatchFailure(op, "expects a function");
    Type type = op->getResult(0).getType();
    Type element = getElementTypeOrSelf(type);
    if (!isScalarOrVector(type) || !(element.isF16() || element.isBF16()))
      return rewriter.notifyMatchFailure(op, "expects f16 or bf16");
    auto widened = [&](Type narrow) -> Type {
      auto vector = dyn_cast<VectorType>(narrow);
      return vector ? Type(vector.clone(rewriter.getF32Type()))
                    : rewriter.getF32Type();
    };
    SmallVector<Value> operands;
    for (Value operand : op->getOperands())
      operands.push_back(getElementTypeOrSelf(operand.getType()) == element
                             ? arith::ExtFOp::create(rewriter, op->getLoc(),
                                                     widened(operand.getType()),
                                                     operand)
                             : operand);
    OperationState state(op->getLoc(), op->getName(), operands, widened(type));
    Value wide = rewriter.create(state)->getResult(0);
    rewriter.replaceOpWithNewOp<arith::TruncFOp>(op, type, wide);
    return success();
  }
};

struct ExpandMath : cpu::impl::ExpandMathBase<ExpandMath> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<WidenNarrow, ExpandRsqrt, ExpandExp, ExpandTanh,
                 ExpandUnary<math::Exp2Op, &VectorMath::exp2>,
                 ExpandUnary<math::ExpM1Op, &VectorMath::expm1>,
                 ExpandUnary<math::LogOp, &VectorMath::log>,
                 ExpandUnary<math::Log2Op, &VectorMath::log2>,
                 ExpandUnary<math::Log10Op, &VectorMath::log10>,
                 ExpandUnary<math::Log1pOp, &VectorMath::log1p>,
                 ExpandUnary<math::ErfOp, &VectorMath::erf>,
                 ExpandUnary<math::RoundOp, &VectorMath::round>,
                 ExpandAngle<math::SinOp, &VectorMath::sin>,
                 ExpandAngle<math::CosOp, &VectorMath::cos>,
                 ExpandAngle<math::TanOp, &VectorMath::tan>,
                 ExpandUnary<math::AsinOp, &VectorMath::asin>,
                 ExpandUnary<math::AcosOp, &VectorMath::acos>,
                 ExpandUnary<math::AtanOp, &VectorMath::atan>,
                 ExpandUnary<math::SinhOp, &VectorMath::sinh>,
                 ExpandUnary<math::CoshOp, &VectorMath::cosh>,
                 ExpandUnary<math::AsinhOp, &VectorMath::asinh>,
                 ExpandUnary<math::AcoshOp, &VectorMath::acosh>,
                 ExpandUnary<math::AtanhOp, &VectorMath::atanh>, ExpandPow,
                 ExpandByElement<math::Atan2Op>, ExpandByElement<math::CbrtOp>,
                 ExpandByElement<math::ErfcOp>>(&getContext());
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
