// Removes quantization of what was dequantized with the same parameters.
#include "lib/Transforms/Graph/Quantization/Parameters.h"
#include "lib/Transforms/Graph/Quantization/Passes.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"

#include <cmath>

namespace tessera::quantization {
#define GEN_PASS_DEF_CANCEL
#include "lib/Transforms/Graph/Quantization/Passes.h.inc"
} // namespace tessera::quantization

using namespace mlir;
using namespace tessera;
using namespace tessera::quantization;

/// Whether (n * s) / s rounds to n for all differences n of two numbers of 16 bits: no
/// product is infinite, or so small that it loses bits.
static bool isHarmless(Value scale) {
  if (scale.getDefiningOp<RangeOp>())
    return true;
  DenseElementsAttr numbers;
  return matchPattern(scale, m_Constant(&numbers)) &&
         llvm::all_of(numbers.getValues<APFloat>(), [](const APFloat &number) {
           double s = number.convertToDouble();
           return s > std::ldexp(1.0, -100) && s < std::ldexp(1.0, 100);
         });
}

namespace {
struct Cancel : quantization::impl::CancelBase<Cancel> {
  void runOnOperation() override {
    getOperation().walk([&](QuantizeOp op) {
      auto source = op.getSource().getDefiningOp<DequantizeOp>();
      if (!source || source.getGroups() || !isInteger(op.getFormat()) ||
          bitsOf(op.getFormat()) < 8 || !haveEqualParameters(op, source) ||
          !isHarmless(op.getScale()))
        return;
      op.getResult().replaceAllUsesWith(source.getSource());
      op.erase();
    });
  }
};
} // namespace
