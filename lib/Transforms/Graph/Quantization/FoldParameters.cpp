// Makes scales and zero points constants, and leaves out what changes nothing.
#include "lib/Transforms/Graph/ConstantValues.h"
#include "lib/Transforms/Graph/Quantization/Parameters.h"
#include "lib/Transforms/Graph/Quantization/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/SymbolTable.h"
#include "llvm/ADT/TypeSwitch.h"

namespace tessera::quantization {
#define GEN_PASS_DEF_FOLDPARAMETERS
#include "lib/Transforms/Graph/Quantization/Passes.h.inc"
} // namespace tessera::quantization

using namespace mlir;
using namespace tessera;
using namespace tessera::quantization;

/// Longer vectors are weights, which kernels read as operands.
static constexpr int64_t kMostConstants = 256;

static bool isAllZero(DenseElementsAttr elements) {
  TypedAttr number = elements ? equalElement(elements) : TypedAttr();
  if (auto integer = dyn_cast_or_null<IntegerAttr>(number))
    return integer.getValue().isZero();
  auto real = dyn_cast_or_null<FloatAttr>(number);
  return real && real.getValue().isZero();
}

static Value scalarConstant(OpBuilder &builder, Location loc, TypedAttr number) {
  return arith::ConstantOp::create(
      builder, loc,
      DenseElementsAttr::get(RankedTensorType::get({}, number.getType()),
                             number));
}

/// A constant in place of `operand` if its numbers are known and few.
static void makeConstant(ConstantValues &values, OpOperand &operand) {
  DenseElementsAttr known = values.of(operand.get());
  if (!known || known.getNumElements() > kMostConstants ||
      operand.get().getDefiningOp<arith::ConstantOp>())
    return;
  OpBuilder builder(operand.getOwner());
  operand.set(arith::ConstantOp::create(builder, operand.getOwner()->getLoc(),
                                        known));
}

/// Parameters of indices or blocks that are one number each become the tensor's.
template <typename Op> static void makeScalar(ConstantValues &values, Op op) {
  auto equal = [&](Value value) {
    DenseElementsAttr known = value ? values.of(value) : DenseElementsAttr();
    return known ? equalElement(known) : TypedAttr();
  };
  TypedAttr scale = equal(op.getScale()), zero = equal(op.getZero());
  if (!scale || (op.getZero() && !zero))
    return;
  OpBuilder builder(op);
  op.getScaleMutable().assign(scalarConstant(builder, op.getLoc(), scale));
  if (zero)
    op.getZeroMutable().assign(scalarConstant(builder, op.getLoc(), zero));
  op.removeAxisAttr();
  op.removeBlockAttr();
}

template <typename Op> static void foldElements(ConstantValues &values, Op op) {
  // Adding 0 to floats is what changes -0.
  if (op.getZero() && isInteger(op.getFormat()) &&
      isAllZero(values.of(op.getZero())))
    op.getZeroMutable().clear();
  if (op.getAxis())
    makeScalar(values, op);
  makeConstant(values, op->getOpOperand(1));
  if (op.getZero())
    makeConstant(values, op->getOpOperand(2));
}

static void dropZero(ConstantValues &values, Value zero,
                     MutableOperandRange operand) {
  if (zero && isAllZero(values.of(zero)))
    operand.clear();
}

namespace {
struct FoldParameters
    : quantization::impl::FoldParametersBase<FoldParameters> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    ConstantValues values(symbols);
    getOperation().walk([&](Operation *op) {
      llvm::TypeSwitch<Operation *>(op)
          .Case([&](QuantizeOp each) { foldElements(values, each); })
          .Case([&](DequantizeOp each) {
            if (!each.getGroups())
              foldElements(values, each);
          })
          .Case([&](MatmulOp each) {
            dropZero(values, each.getAZero(), each.getAZeroMutable());
            dropZero(values, each.getBZero(), each.getBZeroMutable());
          })
          .Case([&](ConvOp each) {
            dropZero(values, each.getInputZero(), each.getInputZeroMutable());
            dropZero(values, each.getFilterZero(), each.getFilterZeroMutable());
          });
    });
  }
};
} // namespace
