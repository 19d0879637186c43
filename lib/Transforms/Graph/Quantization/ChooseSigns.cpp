// Quantizes to bytes without a sign for left operands of products, with one for right
// ones.
#include "lib/Transforms/Graph/Quantization/Parameters.h"
#include "lib/Transforms/Graph/Quantization/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

namespace tessera::quantization {
#define GEN_PASS_DEF_CHOOSESIGNS
#include "lib/Transforms/Graph/Quantization/Passes.h.inc"
} // namespace tessera::quantization

using namespace mlir;
using namespace tessera;
using namespace tessera::quantization;

namespace {
/// Who reads quantized bytes as numbers.
struct Readers {
  SmallVector<Operation *> operations;
  bool areLeft = false, areRight = false;
};
} // namespace

/// Adds who reads `bytes`, through movement. Fails if anything does that does not read
/// them as numbers of a format.
static LogicalResult collectReaders(Value bytes, Readers &readers) {
  for (OpOperand &use : bytes.getUses()) {
    Operation *user = use.getOwner();
    if (movesElements(user) && use.getOperandNumber() == 0) {
      if (failed(collectReaders(user->getResult(0), readers)))
        return failure();
      continue;
    }
    bool isProduct = isa<MatmulOp, ConvOp>(user);
    // Products have their operands first, zero points and biases behind.
    if (isProduct ? use.getOperandNumber() > 1
                  : !isa<DequantizeOp>(user) || use.getOperandNumber() > 0)
      return failure();
    auto dequantize = dyn_cast<DequantizeOp>(user);
    if (dequantize && dequantize.getZero() &&
        isa<FloatType>(getElementTypeOrSelf(dequantize.getZero())))
      return failure();
    readers.areLeft |= isProduct && use.getOperandNumber() == 0;
    readers.areRight |= isProduct && use.getOperandNumber() == 1;
    readers.operations.push_back(user);
  }
  return success();
}

static Format withOtherSign(Format format) {
  return format == Format::I8 ? Format::U8 : Format::I8;
}

/// The zero point for numbers of the other sign, of the shape of `like` if there is none
/// yet; null if it is 0.
static Value movedZero(OpBuilder &builder, Location loc, Value zero,
                       RankedTensorType like) {
  IntegerAttr sign = builder.getI8IntegerAttr(-128);
  if (!zero)
    return arith::ConstantOp::create(
        builder, loc, DenseElementsAttr::get(like.clone(sign.getType()), sign));
  auto type = cast<RankedTensorType>(zero.getType());
  DenseIntElementsAttr known;
  if (!matchPattern(zero, m_Constant(&known))) {
    Value signs = arith::ConstantOp::create(builder, loc,
                                            DenseElementsAttr::get(type, sign));
    return arith::XOrIOp::create(builder, loc, zero, signs);
  }
  DenseElementsAttr moved = known.mapValues(
      sign.getType(), [&](const APInt &value) { return value ^ sign.getValue(); });
  return matchPattern(moved, m_Zero())
             ? Value()
             : arith::ConstantOp::create(builder, loc, moved).getResult();
}

static void assign(MutableOperandRange operand, Value value) {
  if (value)
    operand.assign(value);
  else
    operand.clear();
}

/// Gives the elements `op` reads or writes, quantized by its scale, the other sign.
template <typename Op> static void changeElements(Op op) {
  OpBuilder builder(op);
  assign(op.getZeroMutable(),
         movedZero(builder, op.getLoc(), op.getZero(),
                   cast<RankedTensorType>(op.getScale().getType())));
  op.setFormat(withOtherSign(op.getFormat()));
}

/// Gives operand `isRight` of a product the other sign.
static void changeOperand(Operation *op, bool isRight) {
  OpBuilder builder(op);
  auto single = RankedTensorType::get({}, builder.getI8Type());
  auto moved = [&](Value zero) {
    return movedZero(builder, op->getLoc(), zero, single);
  };
  if (auto product = dyn_cast<MatmulOp>(op)) {
    if (isRight) {
      assign(product.getBZeroMutable(), moved(product.getBZero()));
      product.setBFormat(withOtherSign(product.getBFormat()));
    } else {
      assign(product.getAZeroMutable(), moved(product.getAZero()));
      product.setAFormat(withOtherSign(product.getAFormat()));
    }
    return;
  }
  auto conv = cast<ConvOp>(op);
  if (isRight) {
    assign(conv.getFilterZeroMutable(), moved(conv.getFilterZero()));
    conv.setFilterFormat(withOtherSign(conv.getFilterFormat()));
  } else {
    assign(conv.getInputZeroMutable(), moved(conv.getInputZero()));
    conv.setInputFormat(withOtherSign(conv.getInputFormat()));
  }
}

static void chooseSign(QuantizeOp op) {
  if (op.getFormat() != Format::I8 && op.getFormat() != Format::U8)
    return;
  Readers readers;
  if (failed(collectReaders(op.getResult(), readers)) ||
      readers.areLeft == readers.areRight ||
      isUnsigned(op.getFormat()) == readers.areLeft)
    return;
  changeElements(op);
  for (Operation *reader : readers.operations) {
    if (auto dequantize = dyn_cast<DequantizeOp>(reader))
      changeElements(dequantize);
    else
      changeOperand(reader, readers.areRight);
  }
}

namespace {
struct ChooseSigns : quantization::impl::ChooseSignsBase<ChooseSigns> {
  void runOnOperation() override { getOperation().walk(chooseSign); }
};
} // namespace
