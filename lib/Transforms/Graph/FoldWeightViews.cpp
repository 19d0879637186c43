// Turns transposes, reversals, slices and reshapes of weights into steps of their recipes.
#include "lib/Transforms/Graph/Passes.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"

namespace tessera {
#define GEN_PASS_DEF_FOLDWEIGHTVIEWS
#include "lib/Transforms/Graph/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

/// Null if a number is not known, or dimensions go away.
Attribute sliceStep(tensor::ExtractSliceOp slice) {
  auto isDynamic = [](ArrayRef<int64_t> values) {
    return llvm::any_of(values, ShapedType::isDynamic);
  };
  if (isDynamic(slice.getStaticOffsets()) || isDynamic(slice.getStaticSizes()) ||
      isDynamic(slice.getStaticStrides()) ||
      slice.getType().getRank() != slice.getSourceType().getRank())
    return {};
  return graph::SliceAttr::get(slice.getContext(), slice.getStaticOffsets(),
                               slice.getStaticSizes(),
                               slice.getStaticStrides());
}

/// The recipe step that `op`, which reads a weight, stands for; null if none.
Attribute stepOf(Operation *op) {
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op))
    return graph::TransposeAttr::get(op->getContext(),
                                     transpose.getPermutation());
  if (auto reverse = dyn_cast<graph::ReverseOp>(op))
    return graph::ReverseAttr::get(op->getContext(), reverse.getDimensions());
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return sliceStep(slice);
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, graph::ReshapeOp>(op))
    return graph::ReshapeAttr::get(
        op->getContext(),
        cast<RankedTensorType>(op->getResult(0).getType()).getShape());
  return {};
}

/// Whether all that is read of `weight` are slices that have no more elements
/// together: others would be stored beside what they are parts of.
bool isCutIntoSlices(graph::WeightOp weight) {
  int64_t left = weight.getType().getNumElements();
  for (Operation *user : weight.getResult().getUsers()) {
    auto slice = dyn_cast<tensor::ExtractSliceOp>(user);
    if (!slice || !sliceStep(slice))
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
                             ? stepOf(user)
                             : Attribute();
        auto type = user->getNumResults() == 1
                        ? dyn_cast<RankedTensorType>(user->getResult(0).getType())
                        : RankedTensorType();
        if (!step || !type || !type.hasStaticShape() ||
            (isa<graph::SliceAttr>(step) && !takesSlices))
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
    SmallVector<Attribute> recipe(from.getRecipe().getValue());
    recipe.push_back(step);
    auto to = graph::WeightsOp::create(
        builder, from.getLoc(), from.getSymNameAttr(), TypeAttr::get(type),
        from.getSource(), from.getSourceTypeAttr(),
        builder.getArrayAttr(recipe));
    to->remove();
    symbols.insert(to, Block::iterator(from));
    return FlatSymbolRefAttr::get(to);
  }
};

} // namespace
