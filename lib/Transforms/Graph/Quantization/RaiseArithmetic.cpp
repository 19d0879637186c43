// Makes quantization that exporters took apart whole again.
#include "dialects/Graph/IR/Graph.h"
#include "lib/Transforms/Graph/ConstantNumber.h"
#include "lib/Transforms/Graph/Quantization/Parameters.h"
#include "lib/Transforms/Graph/Quantization/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/Transforms/WalkPatternRewriteDriver.h"

#include <cmath>

namespace tessera::quantization {
#define GEN_PASS_DEF_RAISEARITHMETIC
#include "lib/Transforms/Graph/Quantization/Passes.h.inc"
} // namespace tessera::quantization

using namespace mlir;
using namespace tessera;
using namespace tessera::quantization;

static Value scalarConstant(OpBuilder &builder, Location loc, TypedAttr number) {
  return arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(RankedTensorType::get({}, number.getType()),
                             number));
}

namespace {
/// A scale as operations of the dialect have it.
struct Scale {
  Value value;
  std::optional<int64_t> axis;
};
} // namespace

/// `tensor`, which has one dimension that is not 1, without the others.
static Value asVector(OpBuilder &builder, Value tensor) {
  int64_t rank = typeOf(tensor).getRank();
  if (rank == 1)
    return tensor;
  auto expand = tensor.getDefiningOp<tensor::ExpandShapeOp>();
  if (expand && expand.getSrcType().getRank() == 1)
    return expand.getSrc();
  DenseElementsAttr numbers;
  auto all = llvm::to_vector<2>(llvm::seq<int64_t>(0, rank));
  if (!matchPattern(tensor, m_Constant(&numbers)))
    return tensor::CollapseShapeOp::create(builder, tensor.getLoc(), tensor,
                                           ArrayRef<ReassociationIndices>{all});
  auto type = RankedTensorType::get(numbers.getNumElements(),
                                    numbers.getElementType());
  return arith::ConstantOp::create(builder, tensor.getLoc(),
                                   numbers.reshape(type));
}

/// The numbers that `factor` repeats: one, or one for each index of an axis. Nothing for
/// any other tensor.
static std::optional<Scale> repeatedScale(OpBuilder &builder, Value factor) {
  if (std::optional<double> number = constantNumber(factor))
    return Scale{scalarConstant(builder, factor.getLoc(),
                                builder.getF32FloatAttr(*number)),
                 {}};
  auto repeat = factor.getDefiningOp<graph::BroadcastToOp>();
  if (!repeat)
    return std::nullopt;
  Value source = repeat.getSource();
  int64_t rank = typeOf(factor).getRank(), sourceRank = typeOf(source).getRank();
  if (sourceRank == 0)
    return Scale{source, {}};
  std::optional<int64_t> axis;
  for (auto [i, size] : llvm::enumerate(typeOf(source).getShape()))
    if (size != 1) {
      if (axis)
        return std::nullopt;
      axis = rank - sourceRank + i;
    }
  if (!axis)
    return std::nullopt;
  return Scale{asVector(builder, source), axis};
}

/// `zero` as a zero point of `format`; null if it is no number of it.
static Value zeroPoint(OpBuilder &builder, Value zero, Format format) {
  std::optional<double> number = constantNumber(zero);
  if (!number || std::floor(*number) != *number || *number < leastOf(format) ||
      *number > largestOf(format))
    return {};
  auto type = storageOf(format, builder.getContext());
  return scalarConstant(
      builder, zero.getLoc(),
      IntegerAttr::get(type, APInt(type.getWidth(), int64_t(*number),
                                   /*isSigned=*/true, /*implicitTrunc=*/true)));
}

//===----------------------------------------------------------------------===//
// Dequantization
//===----------------------------------------------------------------------===//

namespace {

/// Bytes and the constant that is taken from them.
struct CentredBytes {
  Value bytes, zero;
  bool isUnsigned = false;
};

/// The bytes with a sign that small weights, converted by whoever imported them, were;
/// null for other numbers.
static Value convertedBytes(OpBuilder &builder, Value number) {
  DenseFPElementsAttr numbers;
  if (!matchPattern(number, m_Constant(&numbers)) || numbers.isSplat() ||
      numbers.getType().getRank() < 2)
    return {};
  SmallVector<int8_t> bytes;
  for (const APFloat &each : numbers.getValues<APFloat>()) {
    float value = each.convertToFloat();
    if (!(value >= -128 && value <= 127) || std::floor(value) != value)
      return {};
    bytes.push_back(static_cast<int8_t>(value));
  }
  auto type = cast<RankedTensorType>(numbers.getType());
  return arith::ConstantOp::create(
      builder, number.getLoc(),
      DenseElementsAttr::get(type.clone(builder.getI8Type()), ArrayRef(bytes)));
}

/// (float(%bytes) - zero) * scale  ==>  dequantize %bytes
struct RaiseDequantize : OpRewritePattern<arith::MulFOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::MulFOp op,
                                PatternRewriter &rewriter) const override {
    if (!isa<RankedTensorType>(op.getType()) || !getElementTypeOrSelf(op).isF32())
      return rewriter.notifyMatchFailure(op, "expects a tensor of f32");
    for (auto [number, factor] : {std::pair(op.getLhs(), op.getRhs()),
                                  std::pair(op.getRhs(), op.getLhs())}) {
      std::optional<CentredBytes> centred = centredBytes(rewriter, number);
      if (!centred)
        continue;
      Format format = centred->isUnsigned ? Format::U8 : Format::I8;
      Value zero;
      if (centred->zero &&
          !(zero = zeroPoint(rewriter, centred->zero, format)))
        return rewriter.notifyMatchFailure(op, "expects a zero point of a byte");
      std::optional<Scale> scale = repeatedScale(rewriter, factor);
      if (!scale || (scale->axis && zero))
        return rewriter.notifyMatchFailure(op, "expects one scale");
      rewriter.replaceOpWithNewOp<DequantizeOp>(
          op, op.getType(), centred->bytes, scale->value, zero,
          /*groups=*/Value(), format,
          scale->axis ? rewriter.getI64IntegerAttr(*scale->axis) : IntegerAttr(),
          /*block=*/IntegerAttr());
      return success();
    }
    return rewriter.notifyMatchFailure(op, "expects bytes as floats");
  }

private:
  static std::optional<CentredBytes> centredBytes(OpBuilder &builder,
                                                  Value number) {
    CentredBytes centred;
    if (auto difference = number.getDefiningOp<arith::SubFOp>()) {
      centred.zero = difference.getRhs();
      number = difference.getLhs();
    }
    if ((centred.bytes = convertedBytes(builder, number)))
      return centred;
    Operation *convert = number.getDefiningOp();
    if (!isa_and_nonnull<arith::SIToFPOp, arith::UIToFPOp>(convert))
      return std::nullopt;
    centred.isUnsigned = isa<arith::UIToFPOp>(convert);
    Value integers = convert->getOperand(0);
    // A difference of bytes would wrap.
    if (auto difference = integers.getDefiningOp<arith::SubIOp>();
        difference && !centred.zero &&
        getElementTypeOrSelf(integers).isInteger(32)) {
      centred.zero = difference.getRhs();
      integers = difference.getLhs();
    }
    Operation *extend = integers.getDefiningOp();
    if (isa_and_nonnull<arith::ExtSIOp, arith::ExtUIOp>(extend)) {
      // A wide number has the sign of what was extended.
      if (centred.isUnsigned && !isa<arith::ExtUIOp>(extend))
        return std::nullopt;
      centred.isUnsigned = isa<arith::ExtUIOp>(extend);
      integers = extend->getOperand(0);
    }
    centred.bytes = integers;
    if (!getElementTypeOrSelf(integers).isInteger(8))
      return std::nullopt;
    return centred;
  }
};

//===----------------------------------------------------------------------===//
// Quantization
//===----------------------------------------------------------------------===//

/// trunci (fptosi (clamp(roundeven(%x / scale) + zero)))  ==>  quantize %x
struct RaiseQuantize : OpRewritePattern<arith::TruncIOp> {
  using OpRewritePattern::OpRewritePattern;
  LogicalResult matchAndRewrite(arith::TruncIOp op,
                                PatternRewriter &rewriter) const override {
    auto convert = op.getIn().getDefiningOp<arith::FPToSIOp>();
    if (!isa<RankedTensorType>(op.getType()) || !convert ||
        !getElementTypeOrSelf(op).isInteger(8) ||
        !getElementTypeOrSelf(convert.getIn()).isF32())
      return rewriter.notifyMatchFailure(op, "expects f32 as bytes");
    Value value = withoutGuard(convert.getIn());
    std::optional<Format> format = clampedFormat(value);
    if (!format)
      return rewriter.notifyMatchFailure(op, "expects the limits of a byte");
    Value zero;
    if (auto sum = value.getDefiningOp<arith::AddFOp>()) {
      zero = zeroPoint(rewriter, sum.getRhs(), *format);
      if (!zero)
        return rewriter.notifyMatchFailure(op, "expects a zero point of a byte");
      value = sum.getLhs();
    }
    auto round = value.getDefiningOp<math::RoundEvenOp>();
    if (!round)
      return rewriter.notifyMatchFailure(op, "expects rounding half to even");
    value = round.getOperand();
    Scale scale{scalarConstant(rewriter, op.getLoc(), rewriter.getF32FloatAttr(1)),
                {}};
    // A product with the reciprocal rounds otherwise: it stays.
    if (auto quotient = value.getDefiningOp<arith::DivFOp>())
      if (std::optional<Scale> found = repeatedScale(rewriter, quotient.getRhs());
          found && !found->axis) {
        scale = *found;
        value = quotient.getLhs();
      }
    rewriter.replaceOpWithNewOp<QuantizeOp>(
        op, op.getType(), value, scale.value, zero, *format,
        /*axis=*/IntegerAttr(), /*block=*/IntegerAttr(), /*saturate=*/true);
    return success();
  }

private:
  /// `value` without the selection that keeps what does not fit away from fptosi.
  static Value withoutGuard(Value value) {
    auto select = value.getDefiningOp<arith::SelectOp>();
    if (!select)
      return value;
    auto compare = select.getCondition().getDefiningOp<arith::CmpFOp>();
    auto magnitude = compare ? compare.getLhs().getDefiningOp<math::AbsFOp>()
                             : math::AbsFOp();
    return magnitude && magnitude.getOperand() == select.getTrueValue()
               ? select.getTrueValue()
               : value;
  }

  /// The format whose limits `value` is clamped to, and in `value` what is clamped.
  static std::optional<Format> clampedFormat(Value &value) {
    std::optional<double> least, largest;
    for (int i = 0; i < 2; ++i) {
      Operation *limit = value.getDefiningOp();
      if (isa_and_nonnull<arith::MaximumFOp, arith::MaxNumFOp>(limit))
        least = constantNumber(limit->getOperand(1));
      else if (isa_and_nonnull<arith::MinimumFOp, arith::MinNumFOp>(limit))
        largest = constantNumber(limit->getOperand(1));
      else
        return std::nullopt;
      value = limit->getOperand(0);
    }
    for (Format format : {Format::I8, Format::U8})
      if (least == double(leastOf(format)) && largest == double(largestOf(format)))
        return format;
    return std::nullopt;
  }
};

struct RaiseArithmetic
    : quantization::impl::RaiseArithmeticBase<RaiseArithmetic> {
  void runOnOperation() override {
    RewritePatternSet patterns(&getContext());
    patterns.add<RaiseDequantize, RaiseQuantize>(&getContext());
    walkAndApplyPatterns(getOperation(), std::move(patterns));
  }
};
} // namespace
