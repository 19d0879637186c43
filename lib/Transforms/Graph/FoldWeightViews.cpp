// Turns transposes, reversals, slices and reshapes of weights into steps of their recipes.
#include "lib/Transforms/Graph/Passes.h"
#include "lib/Transforms/Graph/WeightParts.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"

namespace tessera {
#define GEN_PASS_DEF_FOLDWEIGHTVIEWS
#include "lib/Transforms/Graph/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

/// Whether all that is read of `weight` are slices that have no more elements
/// together: others would be stored beside what they are parts of.
bool isCutIntoSlices(graph::WeightOp weight) {
  int64_t left = weight.getType().getNumElements();
  for (Operation *user : weight.getResult().getUsers()) {
    auto slice = dyn_cast<tensor::ExtractSliceOp>(user);
    if (!slice || !viewStepOf(slice))
      return false;
    left -= slice.getType().getNumElements();
  }
  return left >= 0;
}

struct FoldWeightViews : tessera::impl::FoldWeightViewsBase<FoldWeightViews> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    // Weights that exist already, so that equal views share one.
    DenseMap<std::pair<Attribute, Attribute>, FlatSymbolRefAttr> made;
    SmallVector<graph::WeightOp> pending;
    module.walk([&](graph::WeightOp weight) { pending.push_back(weight); });
    while (!pending.empty()) {
      graph::WeightOp weight = pending.pop_back_val();
      bool takesSlices = isCutIntoSlices(weight);
      for (Operation *user :
           llvm::make_early_inc_range(weight.getResult().getUsers())) {
        Attribute step = user->getOperand(0) == weight.getResult()
                             ? viewStepOf(user)
                             : Attribute();
        auto type = user->getNumResults() == 1
                        ? dyn_cast<RankedTensorType>(user->getResult(0).getType())
                        : RankedTensorType();
        if (!step || !type || !type.hasStaticShape() ||
            (isa<tensor::ExtractSliceOp>(user) && !takesSlices))
          continue;
        FlatSymbolRefAttr &name = made[{weight.getWeightsAttr(), step}];
        if (!name)
          name = declare(weight, step, type, symbols);
        OpBuilder builder(user);
        auto view = graph::WeightOp::create(builder, user->getLoc(), type, name);
        user->getResult(0).replaceAllUsesWith(view);
        user->erase();
        pending.push_back(view);
      }
      if (weight->use_empty())
        weight.erase();
    }
  }

  FlatSymbolRefAttr declare(graph::WeightOp weight, Attribute step,
                            RankedTensorType type, SymbolTable &symbols) {
    auto from = symbols.lookup<graph::WeightsOp>(weight.getWeights());
    OpBuilder builder(from);
    auto to = graph::WeightsOp::create(
        builder, from.getLoc(), from.getSymNameAttr(), TypeAttr::get(type),
        from.getSource(), from.getSourceTypeAttr(),
        graph::withSteps(from.getPart(), step).getRecipe());
    to->remove();
    symbols.insert(to, Block::iterator(from));
    return FlatSymbolRefAttr::get(to);
  }
};

} // namespace
