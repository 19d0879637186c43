// Makes products of dequantized numbers integer products, scaled behind.
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Quantization/Conversion/Lowering.h"
#include "lib/Transforms/Graph/ConstantValues.h"
#include "lib/Transforms/Graph/Quantization/Parameters.h"
#include "lib/Transforms/Graph/Quantization/Passes.h"
#include "lib/Transforms/Graph/Quantization/ProductOperands.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Remarks.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/Support/FormatVariadic.h"

#include <cmath>

namespace tessera::quantization {
#define GEN_PASS_DEF_RAISECONTRACTIONS
#include "lib/Transforms/Graph/Quantization/Passes.h.inc"
} // namespace tessera::quantization

using namespace mlir;
using namespace tessera;
using namespace tessera::quantization;

static remark::RemarkOpts remarkOptions() {
  return remark::RemarkOpts::name("raise").category("quantization");
}

namespace {

/// A bias that joins the sums, and the addition that it makes needless.
struct JoinedBias {
  Value stored;
  Operation *addition = nullptr;
};

/// One product, from its operands to what replaces it.
class ProductRaising {
public:
  ProductRaising(Operation *op, const ProductShape &product,
                 ConstantValues &values, graph::SizeAnalysis &sizes)
      : op(op), product(product), values(values), sizes(sizes) {}

  /// Fails with `reason` set.
  LogicalResult match();
  /// The operation that the raised product stands for, which nothing reads any more: it,
  /// and the float product if that is another one, may be erased.
  Operation *rewrite();

  std::string reason;

private:
  JoinedBias findBias();
  /// Whether `scale` of a bias is the product of the operands' scales everywhere.
  bool isScaleOfSums(DequantizeOp bias);
  Value createProduct(OpBuilder &builder, Value bias);
  Value scaleOfSums(TensorBuilder &b);

  Operation *op;
  ProductShape product;
  ConstantValues &values;
  graph::SizeAnalysis &sizes;
  SmallVector<QuantizedOperand> operands;
};

} // namespace

LogicalResult ProductRaising::match() {
  for (unsigned i = 0; i < 2; ++i) {
    FailureOr<QuantizedOperand> operand = quantizedOperand(product, i, reason);
    if (failed(operand))
      return failure();
    operands.push_back(*operand);
  }
  if (isa<graph::ConvOp>(op) && operands[0].scaleDim) {
    reason = "its left operand has several scales";
    return failure();
  }
  if (areScoresOfFloatAttention(product.result)) {
    reason = "its attention stays one operation, whose probabilities are floats";
    return failure();
  }
  if (!sumsFit(product, operands)) {
    reason = "its sums may be too large for i32";
    return failure();
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Bias
//===----------------------------------------------------------------------===//

/// `value` before broadcasts and the sizes of 1 that are put around a vector.
static Value beforeBroadcast(Value value) {
  while (auto repeat = value.getDefiningOp<graph::BroadcastToOp>())
    value = repeat.getSource();
  return value;
}

bool ProductRaising::isScaleOfSums(DequantizeOp bias) {
  DenseElementsAttr given = values.of(bias.getScale()),
                    left = values.of(operands[0].from.getScale()),
                    right = values.of(operands[1].from.getScale());
  if (!given || !left || !right || left.getNumElements() != 1)
    return false;
  auto at = [](DenseElementsAttr numbers, int64_t i) {
    if (numbers.getNumElements() == 1)
      i = 0;
    return double((*(numbers.getValues<APFloat>().begin() + i)).convertToFloat());
  };
  int64_t count = std::max(given.getNumElements(), right.getNumElements());
  for (int64_t i = 0; i < count; ++i) {
    double ratio = at(given, i) / (at(left, 0) * at(right, i));
    if (!(std::abs(ratio - 1) <= 1e-6))
      return false;
  }
  return true;
}

JoinedBias ProductRaising::findBias() {
  Value result = product.result;
  if (!result.hasOneUse())
    return {};
  auto addition = dyn_cast<arith::AddFOp>(*result.getUsers().begin());
  if (!addition || addition.getLhs() == addition.getRhs())
    return {};
  Value other =
      addition.getLhs() == result ? addition.getRhs() : addition.getLhs();
  auto bias = beforeBroadcast(other).getDefiningOp<DequantizeOp>();
  if (!bias || bias.getFormat() != Format::I32 || !isZero(bias.getZero()) ||
      bias.getBlock() || bias.getGroups())
    return {};
  RankedTensorType type = typeOf(bias.getSource());
  int64_t columns = typeOf(result).getShape().back();
  bool isOfColumns = type.getRank() >= 1 && type.hasStaticShape() &&
                     type.getShape().back() == columns &&
                     type.getNumElements() == columns &&
                     operands[1].scaleDim.value_or(typeOf(result).getRank() - 1) ==
                         typeOf(result).getRank() - 1;
  if (!isOfColumns)
    return {};
  if (!isScaleOfSums(bias)) {
    remark::missed(bias.getLoc(), remarkOptions())
        << "the bias stays a float: its scale is not the product of the "
           "operands' scales";
    return {};
  }
  return {bias.getSource(), addition};
}

//===----------------------------------------------------------------------===//
// Rewriting
//===----------------------------------------------------------------------===//

Value ProductRaising::createProduct(OpBuilder &builder, Value bias) {
  DequantizeOp a = operands[0].from, b = operands[1].from;
  auto zeroOf = [](DequantizeOp from) {
    return isZero(from.getZero()) ? Value() : Value(from.getZero());
  };
  auto type = typeOf(product.result).clone(builder.getI32Type());
  if (auto conv = dyn_cast<graph::ConvOp>(op))
    return ConvOp::create(builder, op->getLoc(), type, a.getSource(),
                          b.getSource(), zeroOf(a), zeroOf(b), bias,
                          a.getFormat(), b.getFormat(), conv.getStrides(),
                          conv.getDilations(), conv.getPadLow(),
                          conv.getPadHigh(), conv.getGroups());
  auto linalgOp = cast<linalg::LinalgOp>(op);
  return MatmulOp::create(
      builder, op->getLoc(), type, a.getSource(), b.getSource(), zeroOf(a),
      zeroOf(b), bias, a.getFormat(), b.getFormat(),
      builder.getAffineMapArrayAttr(linalgOp.getIndexingMapsArray()));
}

/// The product of both scales, which broadcasts to the result.
Value ProductRaising::scaleOfSums(TensorBuilder &b) {
  int64_t rank = typeOf(product.result).getRank();
  Value scales[2];
  for (unsigned i = 0; i < 2; ++i) {
    scales[i] = operands[i].from.getScale();
    if (operands[i].scaleDim)
      scales[i] = b.placed(scales[i], *operands[i].scaleDim, rank);
  }
  if (operands[0].scaleDim && operands[1].scaleDim) {
    scales[0] = b.broadcastLike(scales[0], product.result);
    scales[1] = b.broadcastLike(scales[1], product.result);
  }
  bool leftIsLarger = typeOf(scales[0]).getRank() > typeOf(scales[1]).getRank();
  Value &smaller = scales[leftIsLarger ? 1 : 0];
  smaller = b.broadcastLike(smaller, scales[leftIsLarger ? 0 : 1]);
  return b.create<arith::MulFOp>(scales[0], scales[1]);
}

Operation *ProductRaising::rewrite() {
  JoinedBias bias = findBias();
  Operation *replaced = bias.addition ? bias.addition : op;
  OpBuilder builder(replaced);
  TensorBuilder b(builder, op->getLoc(), sizes);
  Value stored = bias.stored;
  if (stored && typeOf(stored).getRank() > 1)
    stored = b.collapse(stored, {llvm::to_vector<2>(llvm::seq<int64_t>(
                                    0, typeOf(stored).getRank()))});
  Value sums = b.toFloat(createProduct(builder, stored));
  Value scaled =
      b.create<arith::MulFOp>(sums, b.broadcastLike(scaleOfSums(b), sums));
  replaced->getResult(0).replaceAllUsesWith(scaled);
  return replaced;
}

static bool isQuantized(func::FuncOp entry) {
  return entry
      .walk([](DequantizeOp) { return WalkResult::interrupt(); })
      .wasInterrupted();
}

namespace {
struct RaiseContractions
    : quantization::impl::RaiseContractionsBase<RaiseContractions> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto entry : getOperation().getOps<func::FuncOp>())
      if (isQuantized(entry))
        raise(entry, symbols);
  }

  void raise(func::FuncOp entry, SymbolTable &symbols) {
    SmallVector<std::pair<Operation *, ProductShape>> products;
    entry.walk([&](Operation *op) {
      if (std::optional<ProductShape> product = floatProduct(op))
        products.push_back({op, *product});
    });
    ConstantValues values(symbols);
    graph::SizeAnalysis sizes(&getContext());
    SmallVector<Operation *> replaced;
    size_t left = 0;
    for (auto &[op, product] : products) {
      ProductRaising raising(op, product, values, sizes);
      if (failed(raising.match())) {
        ++left;
        remark::missed(op->getLoc(), remarkOptions())
            << ("the product stays in float: " + raising.reason);
        continue;
      }
      remark::passed(op->getLoc(), remarkOptions())
          << "raised to a product of integers";
      Operation *last = raising.rewrite();
      if (last != op)
        replaced.push_back(last);
      replaced.push_back(op);
    }
    // At the end: the analysis knows sizes by the values that have them.
    for (Operation *op : replaced)
      op->erase();
    if (left > 0)
      remark::missed(entry.getLoc(), remarkOptions())
          << llvm::formatv("{0} of {1} products are computed in float", left,
                           products.size())
                 .str();
  }
};
} // namespace
