// Expresses quantized tensors and products as arithmetic and products of bytes.
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Quantization/Conversion/Lowering.h"
#include "dialects/Quantization/Conversion/Passes.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Iterators.h"
#include "llvm/ADT/TypeSwitch.h"

namespace tessera::quantization {
#define GEN_PASS_DEF_QUANTIZATIONTOARITH
#include "dialects/Quantization/Conversion/Passes.h.inc"
} // namespace tessera::quantization

using namespace mlir;
using namespace tessera;
using namespace tessera::quantization;

static SmallVector<Value> lowered(TensorBuilder &b, Operation *op) {
  if (auto range = dyn_cast<RangeOp>(op)) {
    auto [scale, zero] = lower(b, range);
    return {scale, zero};
  }
  return {TypeSwitch<Operation *, Value>(op)
              .Case<QuantizeOp, DequantizeOp, LookupOp, MatmulOp, ConvOp,
                    BlockMatmulOp>([&](auto each) { return lower(b, each); })};
}

namespace {
struct QuantizationToArith
    : quantization::impl::QuantizationToArithBase<QuantizationToArith> {
  void runOnOperation() override {
    Dialect *dialect = getContext().getLoadedDialect<QuantizationDialect>();
    SmallVector<Operation *> ops;
    // Users first: they may look at what they read, and what nothing reads needs no form.
    getOperation()->walk<WalkOrder::PostOrder, ReverseIterator>(
        [&](Operation *op) {
          if (op->getDialect() != dialect)
            return;
          if (op->use_empty())
            op->erase();
          else
            ops.push_back(op);
        });
    OpBuilder builder(&getContext());
    graph::SizeAnalysis sizes(&getContext());
    for (Operation *op : ops) {
      // Readers that have their form may have looked at what it reads instead.
      if (llvm::all_of(op->getUsers(), [&](Operation *user) {
            return user->getDialect() == dialect;
          }))
        continue;
      builder.setInsertionPoint(op);
      TensorBuilder b(builder, op->getLoc(), sizes);
      for (auto [result, value] : llvm::zip(op->getResults(), lowered(b, op))) {
        // Sizes that are known now may not be in the type.
        if (value.getType() != result.getType())
          value = tensor::CastOp::create(builder, op->getLoc(),
                                         result.getType(), value);
        result.replaceAllUsesWith(value);
      }
    }
    // At the end: the analysis knows sizes by the values that have them.
    for (Operation *op : ops)
      op->erase();
  }
};
} // namespace
