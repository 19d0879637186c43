// Computes elementwise operations on small constants and weights.
#include "lib/Transforms/Graph/ConstantValues.h"
#include "lib/Transforms/Graph/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/SymbolTable.h"

namespace tessera {
#define GEN_PASS_DEF_FOLDCONSTANTS
#include "lib/Transforms/Graph/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {
struct FoldConstants : tessera::impl::FoldConstantsBase<FoldConstants> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    ConstantValues values(symbols);
    getOperation().walk([&](Operation *op) {
      if (!OpTrait::hasElementwiseMappableTraits(op) ||
          op->hasTrait<OpTrait::ConstantLike>() || op->getNumResults() != 1)
        return;
      DenseElementsAttr elements = values.of(op->getResult(0));
      if (!elements)
        return;
      OpBuilder builder(op);
      Value constant =
          arith::ConstantOp::create(builder, op->getLoc(), elements);
      op->getResult(0).replaceAllUsesWith(constant);
    });
  }
};
} // namespace
