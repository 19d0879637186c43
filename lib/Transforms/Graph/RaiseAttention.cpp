// Makes attention one operation, whatever an exporter made of it.
//
// What a match (RaiseAttentionMatch.h) found is rebuilt as [batch, heads, length,
// dim] from where index maps begin.
#include "dialects/Attention/IR/Attention.h"
#include "dialects/Graph/IR/Graph.h"
#include "lib/Transforms/Graph/ConstantNumber.h"
#include "lib/Transforms/Graph/Passes.h"
#include "lib/Transforms/Graph/RaiseAttentionMatch.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/PatternMatch.h"
#include "mlir/IR/Remarks.h"

namespace tessera {
#define GEN_PASS_DEF_RAISEATTENTION
#include "lib/Transforms/Graph/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

/// `value` in the float type `type`.
static Value castElements(OpBuilder &builder, Location loc, Value value,
                          Type type) {
  auto tensor = cast<RankedTensorType>(value.getType());
  unsigned from = tensor.getElementTypeBitWidth(),
           to = type.getIntOrFloatBitWidth();
  if (tensor.getElementType() == type)
    return value;
  if (from < to)
    return arith::ExtFOp::create(builder, loc, tensor.clone(type), value);
  return arith::TruncFOp::create(builder, loc, tensor.clone(type), value);
}

Value AttentionMatch::buildOperand(OpBuilder &builder, const Labelled &operand,
                                   const AxisLabels &layout, Type type) {
  Location loc = product.getLoc();
  Value wide =
      axes.relayout(builder, loc, operand.value, operand.labels, layout,
                    /*repeat=*/true);
  return castElements(builder, loc, wide, type);
}

/// The query, times the factors of the scores that are no constants: none varies
/// along the keys.
Value AttentionMatch::buildQuery(OpBuilder &builder,
                                 ScoreOperandBuilder &operands, Type type) {
  Location loc = product.getLoc();
  AxisList heads(keyHeads);
  heads.append(group);
  Value made = buildOperand(builder, query, {batch, heads, queries, depth},
                            type);
  for (const ScoreFactor &factor : scores.factors) {
    Value narrow = factor.labels.empty()
                       ? factor.value
                       : operands.build(factor.value, factor.labels);
    Value wide = createBroadcast(builder, castElements(builder, loc, narrow, type),
                                 sizes.dimsOf(made), sizes);
    if (factor.divides)
      made = arith::DivFOp::create(builder, loc, made, wide);
    else
      made = arith::MulFOp::create(builder, loc, made, wide);
  }
  return made;
}

/// A tensor of the shape of `like` of one number.
static Value filledLike(OpBuilder &builder, Location loc, double number,
                        Value like, graph::SizeAnalysis &sizes) {
  auto scalar = RankedTensorType::get({}, builder.getF32Type());
  Value constant = arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(scalar, static_cast<float>(number)));
  return createBroadcast(builder, constant, sizes.dimsOf(like), sizes);
}

Value AttentionMatch::buildBias(OpBuilder &builder,
                                ScoreOperandBuilder &operands,
                                const ScoreOperand &bias) {
  Location loc = product.getLoc();
  Value made = operands.build(bias.value, bias.labels);
  if (bias.elseValue) {
    Value low = filledLike(builder, loc, *bias.elseValue, made, sizes);
    Value zero = filledLike(builder, loc, 0.0, made, sizes);
    return arith::SelectOp::create(builder, loc, made,
                                   bias.inverted ? low : zero,
                                   bias.inverted ? zero : low);
  }
  if (bias.factor == 1)
    return made;
  made = castElements(builder, loc, made, builder.getF32Type());
  Value factor = filledLike(builder, loc, bias.factor, made, sizes);
  return arith::MulFOp::create(builder, loc, made, factor);
}

Value AttentionMatch::buildMask(OpBuilder &builder,
                                ScoreOperandBuilder &operands,
                                const ScoreOperand &mask) {
  Location loc = product.getLoc();
  Value made = operands.build(mask.value, mask.labels);
  if (!mask.inverted)
    return made;
  auto scalar = RankedTensorType::get({}, builder.getI1Type());
  Value yes = arith::ConstantOp::create(builder, loc,
                                        DenseElementsAttr::get(scalar, true));
  yes = createBroadcast(builder, yes, sizes.dimsOf(made), sizes);
  return arith::XOrIOp::create(builder, loc, made, yes);
}

template <typename Op>
Value AttentionMatch::join(OpBuilder &builder, ScoreOperandBuilder &operands,
                           ArrayRef<Value> parts) {
  Value joined;
  for (Value part : parts) {
    if (!joined) {
      joined = part;
      continue;
    }
    SmallVector<Value> both = {joined, part};
    operands.broadcastTogether(both);
    joined = Op::create(builder, product.getLoc(), both[0], both[1]);
  }
  return joined;
}

/// The type that the operation computes with: that of all operands, or f32.
static Type commonType(ArrayRef<Value> operands) {
  Type common = getElementTypeOrSelf(operands.front());
  for (Value operand : operands)
    if (getElementTypeOrSelf(operand) != common)
      return Float32Type::get(common.getContext());
  return common;
}

void AttentionMatch::rewrite(RewriterBase &rewriter) {
  rewriter.setInsertionPoint(product);
  Location loc = product.getLoc();
  Type type = commonType({query.value, key.value, value.value});
  // A product that is not rounded to the operands' type keeps its precision.
  Value replaced = product->getResult(0);
  Type resultType = getElementTypeOrSelf(replaced);
  if (type != resultType &&
      !llvm::all_of(replaced.getUsers(), [&](Operation *user) {
        return isa<arith::TruncFOp>(user) &&
               getElementTypeOrSelf(user->getResult(0)) == type;
      }))
    type = rewriter.getF32Type();

  AxisList heads(keyHeads);
  heads.append(group);
  ScoreOperandBuilder operands(rewriter, loc, axes, sizes,
                               {batch, heads, queries, keys});
  Value q = buildQuery(rewriter, operands, type);
  Value k = buildOperand(rewriter, key, {batch, keyHeads, keys, depth},
                         type);
  Value v = buildOperand(rewriter, value, {batch, keyHeads, keys, columns},
                         type);
  SmallVector<Value> biases, masks;
  for (const ScoreOperand &bias : scores.biases)
    biases.push_back(buildBias(rewriter, operands, bias));
  for (const ScoreOperand &mask : scores.masks)
    masks.push_back(buildMask(rewriter, operands, mask));
  // What adds nothing or hides nothing is dropped.
  llvm::erase_if(biases, [](Value bias) {
    auto select = bias.getDefiningOp<arith::SelectOp>();
    return constantNumber(bias) == 0.0 ||
           (select && constantNumber(select.getTrueValue()) == 0.0 &&
            isAlwaysTrue(select.getCondition()));
  });
  llvm::erase_if(masks, isAlwaysTrue);
  if (!biases.empty()) {
    Type biasType = commonType(biases);
    for (Value &bias : biases)
      bias = castElements(rewriter, loc, bias, biasType);
  }
  Value bias = join<arith::AddFOp>(rewriter, operands, biases);
  if (bias && scores.floor)
    bias = arith::MaximumFOp::create(
        rewriter, loc, bias,
        castElements(rewriter, loc,
                     filledLike(rewriter, loc, *scores.floor, bias, sizes),
                     getElementTypeOrSelf(bias)));
  auto queryType = cast<RankedTensorType>(q.getType());
  SmallVector<int64_t> shape(queryType.getShape());
  shape[3] = cast<RankedTensorType>(v.getType()).getDimSize(3);
  auto attention = attention::SdpaOp::create(
      rewriter, loc, queryType.clone(shape), q, k, v,
      bias,
      join<arith::AndIOp>(rewriter, operands, masks),
      static_cast<float>(scores.scale));
  if (scores.softcap)
    attention.setSoftcapAttr(rewriter.getF32FloatAttr(*scores.softcap));
  attention.setMaskedRows(maskedRows);

  Value result =
      axes.relayout(rewriter, loc, attention.getResult(),
                    {batch, heads, queries, columns}, resultLabels,
                    /*repeat=*/true);
  result = castElements(rewriter, loc, result, resultType);
  if (result.getType() != replaced.getType())
    result =
        tensor::CastOp::create(rewriter, loc, replaced.getType(), result);
  rewriter.replaceOp(product, result);
}

namespace {
struct RaiseAttention : tessera::impl::RaiseAttentionBase<RaiseAttention> {
  void runOnOperation() override {
    SmallVector<linalg::LinalgOp> products;
    getOperation().walk([&](linalg::LinalgOp op) {
      if (isPlainContraction(op))
        products.push_back(op);
    });
    IRRewriter rewriter(&getContext());
    for (linalg::LinalgOp product : products) {
      graph::SizeAnalysis sizes(&getContext());
      AttentionMatch match(product, sizes);
      Location loc = product.getLoc();
      auto options = remark::RemarkOpts::name("raise").category("attention");
      if (succeeded(match.match())) {
        match.rewrite(rewriter);
        remark::passed(loc, options) << "raised to one operation";
      } else if (match.miss.op) {
        remark::missed(match.miss.op->getLoc(), options)
            << ("no attention: " + match.miss.reason);
      }
    }
  }
};
} // namespace
