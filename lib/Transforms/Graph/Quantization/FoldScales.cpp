// Requantizes sums of integer products by one multiplication.
#include "dialects/Graph/IR/Graph.h"
#include "lib/Transforms/Graph/Quantization/Parameters.h"
#include "lib/Transforms/Graph/Quantization/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"

namespace tessera::quantization {
#define GEN_PASS_DEF_FOLDSCALES
#include "lib/Transforms/Graph/Quantization/Passes.h.inc"
} // namespace tessera::quantization

using namespace mlir;
using namespace tessera;
using namespace tessera::quantization;

/// Whether `product` is the scaled sums of an integer product.
static bool isScaledSums(arith::MulFOp product) {
  auto sums = product.getLhs().getDefiningOp<arith::SIToFPOp>();
  return sums &&
         isa_and_nonnull<MatmulOp, ConvOp>(sums.getIn().getDefiningOp());
}

/// `factor`, a number or numbers that are repeated, divided by `scale`; null where it is
/// neither.
static Value dividedFactor(OpBuilder &builder, Location loc, Value factor,
                           DenseElementsAttr scale) {
  auto quotient = [&](Value dividend) -> Value {
    auto type = cast<RankedTensorType>(dividend.getType());
    Value divisor =
        arith::ConstantOp::create(builder, loc, scale.resizeSplat(type));
    return arith::DivFOp::create(builder, loc, dividend, divisor);
  };
  if (matchPattern(factor, m_Constant()))
    return quotient(factor);
  auto repeat = factor.getDefiningOp<graph::BroadcastToOp>();
  if (!repeat ||
      !cast<RankedTensorType>(repeat.getSource().getType()).hasStaticShape())
    return {};
  return graph::BroadcastToOp::create(builder, loc, repeat.getType(),
                                      quotient(repeat.getSource()),
                                      repeat.getSizes());
}

/// max(x, 0), which a positive factor may go through.
static bool isLimitAtZero(Operation *op) {
  return isa_and_nonnull<arith::MaximumFOp, arith::MaxNumFOp>(op) &&
         matchPattern(op->getOperand(1), m_AnyZeroFloat());
}

/// Moves the scale of `op` into the factor of the product that it quantizes.
static void foldScale(QuantizeOp op) {
  DenseElementsAttr scale;
  if (!isInteger(op.getFormat()) ||
      !matchPattern(op.getScale(), m_Constant(&scale)) ||
      scale.getType().getRank() != 0 || matchPattern(op.getScale(), m_OneFloat()))
    return;
  bool isPositive = !scale.getSplatValue<APFloat>().isNegative();
  Operation *limit = op.getSource().getDefiningOp();
  if (!isLimitAtZero(limit) || !limit->hasOneUse() || !isPositive)
    limit = nullptr;
  auto product = (limit ? limit->getOperand(0) : op.getSource())
                     .getDefiningOp<arith::MulFOp>();
  if (!product || !product->hasOneUse() || !isScaledSums(product))
    return;
  OpBuilder builder(product);
  Location loc = product.getLoc();
  Value factor = dividedFactor(builder, loc, product.getRhs(), scale);
  if (!factor)
    return;
  product.getRhsMutable().assign(factor);
  auto one = DenseElementsAttr::get(cast<ShapedType>(scale.getType()),
                                    builder.getF32FloatAttr(1));
  op.getScaleMutable().assign(arith::ConstantOp::create(builder, loc, one));
}

namespace {
struct FoldScales : quantization::impl::FoldScalesBase<FoldScales> {
  void runOnOperation() override { getOperation().walk(foldScale); }
};
} // namespace
