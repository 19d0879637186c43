// Computes f16 and bf16 in f32 and expands the conversions for which LLVM would
// call helpers of a compiler's runtime library.
#include "lib/Target/CPU/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Arith/Transforms/Passes.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Math/Transforms/Passes.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/Transforms/DialectConversion.h"
#include "mlir/Transforms/GreedyPatternRewriteDriver.h"

namespace tessera::cpu {
#define GEN_PASS_DEF_EXPANDNARROWFLOATS
#include "lib/Target/CPU/Passes.h.inc"
} // namespace tessera::cpu

using namespace mlir;
using namespace tessera;

namespace {

/// `like` with the element type `element`: a scalar or a vector.
Type withElement(Type like, Type element) {
  if (auto shaped = dyn_cast<ShapedType>(like))
    return shaped.clone(element);
  return element;
}

/// Emits integer and float operations on scalars or vectors of one shape.
struct LaneBuilder {
  OpBuilder &builder;
  Location loc;
  Type shape;

  Type type(Type element) const { return withElement(shape, element); }
  Value integer(Type element, int64_t value) const {
    Type full = type(element);
    TypedAttr attribute = builder.getIntegerAttr(element, value);
    if (auto shaped = dyn_cast<ShapedType>(full))
      attribute = DenseElementsAttr::get(shaped, Attribute(attribute));
    return arith::ConstantOp::create(builder, loc, attribute);
  }
  template <typename Op> Value binary(Value a, Value b) const {
    return Op::create(builder, loc, a, b);
  }
  Value compare(arith::CmpIPredicate predicate, Value a, Value b) const {
    return arith::CmpIOp::create(builder, loc, predicate, a, b);
  }
  Value select(Value condition, Value a, Value b) const {
    return arith::SelectOp::create(builder, loc, condition, a, b);
  }
  Value bitcast(Value value, Type element) const {
    return arith::BitcastOp::create(builder, loc, type(element), value);
  }
};

/// f64 to f32, rounding to odd: a later rounding to fewer bits is then right
/// (Boldo and Melquiond, "Emulation of a FMA and correctly rounded sums", 2008).
/// Takes the nearest f32, steps towards zero if that is larger in magnitude, and
/// sets the last bit if it is inexact.
Value emitRoundToOdd(LaneBuilder lanes, Value wide) {
  OpBuilder &builder = lanes.builder;
  Location loc = lanes.loc;
  Type i32 = builder.getI32Type();
  Value nearest = arith::TruncFOp::create(builder, loc,
                                          lanes.type(builder.getF32Type()), wide);
  Value back = arith::ExtFOp::create(builder, loc, wide.getType(), nearest);
  Value bits = lanes.bitcast(nearest, i32);
  auto magnitude = [&](Value value) -> Value {
    return math::AbsFOp::create(builder, loc, value);
  };
  // Ordered comparisons: a NaN stays as it is.
  Value larger = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::OGT,
                                       magnitude(back), magnitude(wide));
  Value inexact = arith::CmpFOp::create(builder, loc, arith::CmpFPredicate::ONE,
                                        back, wide);
  Value one = lanes.integer(i32, 1);
  Value below = lanes.select(larger, lanes.binary<arith::SubIOp>(bits, one), bits);
  Value odd = lanes.binary<arith::OrIOp>(below, one);
  return lanes.bitcast(lanes.select(inexact, odd, bits), builder.getF32Type());
}

/// arith.truncf : f64 to f16  ==>  round to odd to f32; arith.truncf : f32 to f16
struct TruncateDouble : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::TruncFOp op,
                                PatternRewriter &rewriter) const override {
    Type to = getElementTypeOrSelf(op.getType());
    if (!getElementTypeOrSelf(op.getIn()).isF64() || to.isF32())
      return rewriter.notifyMatchFailure(op, "expects f64 to less than f32");
    LaneBuilder lanes{rewriter, op.getLoc(), op.getType()};
    rewriter.replaceOpWithNewOp<arith::TruncFOp>(
        op, op.getType(), emitRoundToOdd(lanes, op.getIn()));
    return success();
  }
};

/// arith.extf : f16 to f64  ==>  arith.extf to f32, then to f64
struct ExtendToDouble : OpRewritePattern<arith::ExtFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::ExtFOp op,
                                PatternRewriter &rewriter) const override {
    Type from = getElementTypeOrSelf(op.getIn());
    if (!getElementTypeOrSelf(op.getType()).isF64() || from.isF32())
      return rewriter.notifyMatchFailure(op, "expects less than f32 to f64");
    Value middle = arith::ExtFOp::create(
        rewriter, op.getLoc(),
        withElement(op.getType(), rewriter.getF32Type()), op.getIn());
    rewriter.replaceOpWithNewOp<arith::ExtFOp>(op, op.getType(), middle);
    return success();
  }
};

/// arith.extf : f16 to f32 as integer operations: the exponent is moved, then
/// rebased by a multiplication that also normalises subnormal numbers.
struct ExtendHalf : OpRewritePattern<arith::ExtFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::ExtFOp op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getIn()).isF16() ||
        !getElementTypeOrSelf(op.getType()).isF32())
      return rewriter.notifyMatchFailure(op, "expects f16 to f32");
    Location loc = op.getLoc();
    LaneBuilder lanes{rewriter, loc, op.getType()};
    Type i32 = rewriter.getI32Type(), f32 = rewriter.getF32Type();
    Value half = arith::ExtUIOp::create(
        rewriter, loc, lanes.type(i32),
        lanes.bitcast(op.getIn(), rewriter.getI16Type()));
    Value magnitude = lanes.binary<arith::AndIOp>(half, lanes.integer(i32, 0x7fff));
    Value sign = lanes.binary<arith::ShLIOp>(
        lanes.binary<arith::AndIOp>(half, lanes.integer(i32, 0x8000)),
        lanes.integer(i32, 16));
    Value moved = lanes.binary<arith::ShLIOp>(magnitude, lanes.integer(i32, 13));
    // 2^112, the difference of the exponents' biases.
    Value rebase = lanes.bitcast(lanes.integer(i32, (127 + 112) << 23), f32);
    Value finite = lanes.bitcast(
        lanes.binary<arith::MulFOp>(lanes.bitcast(moved, f32), rebase), i32);
    Value special = lanes.binary<arith::OrIOp>(moved, lanes.integer(i32, 0x7f800000));
    Value isSpecial = lanes.compare(arith::CmpIPredicate::uge, magnitude,
                                    lanes.integer(i32, 0x7c00));
    Value bits = lanes.select(isSpecial, special, finite);
    rewriter.replaceOp(op, lanes.bitcast(lanes.binary<arith::OrIOp>(bits, sign), f32));
    return success();
  }
};

/// arith.truncf : f32 to f16 as integer operations, rounding to nearest even.
struct TruncateToHalf : OpRewritePattern<arith::TruncFOp> {
  using OpRewritePattern::OpRewritePattern;

  LogicalResult matchAndRewrite(arith::TruncFOp op,
                                PatternRewriter &rewriter) const override {
    if (!getElementTypeOrSelf(op.getIn()).isF32() ||
        !getElementTypeOrSelf(op.getType()).isF16())
      return rewriter.notifyMatchFailure(op, "expects f32 to f16");
    Location loc = op.getLoc();
    LaneBuilder lanes{rewriter, loc, op.getType()};
    Type i32 = rewriter.getI32Type();
    auto constant = [&](int64_t value) { return lanes.integer(i32, value); };
    Value bits = lanes.bitcast(op.getIn(), i32);
    Value magnitude = lanes.binary<arith::AndIOp>(bits, constant(0x7fffffff));
    Value sign = lanes.binary<arith::ShRUIOp>(
        lanes.binary<arith::XOrIOp>(bits, magnitude), constant(16));

    // Normal: rebase the exponent, add half of a last bit, ties to even.
    Value even = lanes.binary<arith::AndIOp>(
        lanes.binary<arith::ShRUIOp>(magnitude, constant(13)), constant(1));
    Value rounded = lanes.binary<arith::AddIOp>(
        lanes.binary<arith::AddIOp>(magnitude, even),
        constant(0xfff - (int64_t(112) << 23)));
    Value normal = lanes.binary<arith::ShRUIOp>(rounded, constant(13));
    // Subnormal: adding 0.5 leaves the rounded value in the last bits.
    Value half = lanes.bitcast(constant(0x3f000000), rewriter.getF32Type());
    Value sum = lanes.binary<arith::AddFOp>(
        lanes.bitcast(magnitude, rewriter.getF32Type()), half);
    Value subnormal = lanes.binary<arith::SubIOp>(lanes.bitcast(sum, i32),
                                                  constant(0x3f000000));
    // From 65520 on infinity; a NaN keeps its upper bits and is quiet.
    Value nan = lanes.binary<arith::OrIOp>(
        lanes.binary<arith::AndIOp>(
            lanes.binary<arith::ShRUIOp>(magnitude, constant(13)),
            constant(0x1ff)),
        constant(0x7e00));
    Value result = lanes.select(
        lanes.compare(arith::CmpIPredicate::ult, magnitude, constant(0x38800000)),
        subnormal, normal);
    result = lanes.select(
        lanes.compare(arith::CmpIPredicate::uge, magnitude, constant(0x477ff000)),
        constant(0x7c00), result);
    result = lanes.select(
        lanes.compare(arith::CmpIPredicate::ugt, magnitude, constant(0x7f800000)),
        nan, result);
    Value narrow = arith::TruncIOp::create(
        rewriter, loc, lanes.type(rewriter.getI16Type()),
        lanes.binary<arith::OrIOp>(result, sign));
    rewriter.replaceOp(op, lanes.bitcast(narrow, rewriter.getF16Type()));
    return success();
  }
};

/// Arithmetic on f16 and bf16  ==>  extf, the same on f32, truncf
LogicalResult computeInFloat(Operation *root) {
  MLIRContext *context = root->getContext();
  Type f16 = Float16Type::get(context), bf16 = BFloat16Type::get(context);
  Type f32 = Float32Type::get(context);
  {
    TypeConverter converter;
    ConversionTarget target(*context);
    SetVector<Type> supported;
    supported.insert(f32);
    supported.insert(Float64Type::get(context));
    math::populateExtendToSupportedTypesTypeConverter(converter, supported, f32);
    math::populateExtendToSupportedTypesConversionTarget(target, converter);
    RewritePatternSet patterns(context);
    math::populateExtendToSupportedTypesPatterns(patterns, converter);
    if (failed(applyPartialConversion(root, target, std::move(patterns))))
      return failure();
  }
  TypeConverter converter;
  arith::populateEmulateUnsupportedFloatsConversions(converter, {f16, bf16}, f32);
  ConversionTarget target(*context);
  arith::populateEmulateUnsupportedFloatsLegality(target, converter);
  RewritePatternSet patterns(context);
  arith::populateEmulateUnsupportedFloatsPatterns(patterns, converter);
  return applyPartialConversion(root, target, std::move(patterns));
}

/// Whether rounding the operands as well would change the result by no more than
/// its own rounding: no step in what it computes.
bool isContinuous(Operation *op) {
  return isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp,
             arith::NegFOp, arith::MaximumFOp, arith::MinimumFOp,
             arith::MaxNumFOp, arith::MinNumFOp, arith::SelectOp, math::FmaOp,
             math::AbsFOp, math::CopySignOp>(op);
}

/// Upstream lets `extf (truncf %x)` fold to %x, so that f32 goes from one operation
/// of a kernel to the next. That is kept for chains of arithmetic, which it spares
/// two conversions a step; integers that become floats are rounded, and so is what
/// a comparison, a remainder or the like takes.
void roundBeforeSteps(Operation *root) {
  root->walk([](Operation *op) {
    if (auto narrow = dyn_cast<arith::TruncFOp>(op)) {
      if (isa_and_nonnull<arith::SIToFPOp, arith::UIToFPOp>(
              narrow.getIn().getDefiningOp()))
        narrow.setFastmath(arith::FastMathFlags::none);
    } else if (auto wide = dyn_cast<arith::ExtFOp>(op)) {
      if (!llvm::all_of(op->getUsers(), isContinuous))
        wide.setFastmath(arith::FastMathFlags::none);
    }
  });
}

struct ExpandNarrowFloats
    : cpu::impl::ExpandNarrowFloatsBase<ExpandNarrowFloats> {
  using ExpandNarrowFloatsBase::ExpandNarrowFloatsBase;

  void runOnOperation() override {
    if (failed(computeInFloat(getOperation())))
      return signalPassFailure();
    roundBeforeSteps(getOperation());
    RewritePatternSet patterns(&getContext());
    patterns.add<TruncateDouble, ExtendToDouble>(&getContext(), /*benefit=*/2);
    if (!f16c)
      patterns.add<ExtendHalf, TruncateToHalf>(&getContext());
    arith::populateExpandBFloat16Patterns(patterns);
    arith::populateCeilFloorDivExpandOpsPatterns(patterns);
    if (failed(applyPatternsGreedily(getOperation(), std::move(patterns))))
      signalPassFailure();
  }
};

} // namespace
