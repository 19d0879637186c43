// Makes constants that are not splats weights. Booleans are bytes in storage.
#include "lib/Transforms/Graph/Passes.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"

namespace tessera {
#define GEN_PASS_DEF_OUTLINECONSTANTS
#include "lib/Transforms/Graph/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

/// The bytes of booleans, 0 or 1.
static DenseElementsAttr bytesOf(DenseElementsAttr booleans) {
  return cast<DenseIntElementsAttr>(booleans).mapValues(
      IntegerType::get(booleans.getContext(), 8),
      [](const llvm::APInt &bit) { return bit.zext(8); });
}

/// Weights of booleans, as large constants are imported, in files or not.
///
///   graph.weight @w : tensor<4xi1>   ==>   %b = graph.weight @w : tensor<4xi8>
///                                          arith.trunci %b
static void storeBooleansAsBytes(ModuleOp module) {
  auto bytesType = [](Type type) {
    auto tensor = cast<RankedTensorType>(type);
    return tensor.clone(IntegerType::get(type.getContext(), 8));
  };
  for (auto weights : module.getOps<graph::WeightsOp>()) {
    if (!getElementTypeOrSelf(weights.getType()).isInteger(1))
      continue;
    weights.setType(bytesType(weights.getType()));
    // Booleans that a recipe computes, or joins, become bytes at its end.
    auto isView = [](Attribute step) {
      return cast<graph::RecipeStep>(step).mapsIndices();
    };
    if (isa<graph::ConcatAttr>(weights.getSource()) ||
        !llvm::all_of(weights.getRecipe(), isView)) {
      Attribute widen = graph::ElementwiseAttr::get(
          weights.getContext(), "arith.extui",
          getElementTypeOrSelf(weights.getType()), {}, 0, 0);
      weights.setRecipeAttr(
          graph::withSteps(weights.getPart(), widen).getRecipe());
      continue;
    }
    weights.setSourceType(bytesType(weights.getSourceType()));
    if (auto elements = dyn_cast<DenseElementsAttr>(weights.getSource()))
      weights.setSourceAttr(bytesOf(elements));
  }
  module.walk([&](graph::WeightOp weight) {
    auto type = cast<RankedTensorType>(weight.getType());
    if (!type.getElementType().isInteger(1))
      return;
    OpBuilder builder(weight->getContext());
    builder.setInsertionPointAfter(weight);
    weight.getResult().setType(bytesType(type));
    auto truth =
        arith::TruncIOp::create(builder, weight.getLoc(), type, weight);
    weight.getResult().replaceAllUsesExcept(truth, truth);
  });
}

namespace {

struct OutlineConstants
    : tessera::impl::OutlineConstantsBase<OutlineConstants> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    DenseMap<Attribute, FlatSymbolRefAttr> made;
    module.walk([&](arith::ConstantOp constant) {
      auto elements = dyn_cast<DenseElementsAttr>(constant.getValue());
      if (!elements || elements.isSplat() ||
          !isa<RankedTensorType>(elements.getType()))
        return;
      bool isBoolean = elements.getElementType().isInteger(1);
      if (isBoolean)
        elements = bytesOf(elements);
      FlatSymbolRefAttr &name = made[elements];
      if (!name) {
        OpBuilder builder(&getContext());
        auto type = TypeAttr::get(elements.getType());
        auto weights = graph::WeightsOp::create(
            builder, constant.getLoc(), builder.getStringAttr("constant"), type,
            elements, type, builder.getArrayAttr({}));
        symbols.insert(weights, module.getBody()->begin());
        name = FlatSymbolRefAttr::get(weights);
      }
      OpBuilder builder(constant);
      Value weight = graph::WeightOp::create(builder, constant.getLoc(),
                                             elements.getType(), name);
      if (isBoolean)
        weight = arith::TruncIOp::create(builder, constant.getLoc(),
                                         constant.getType(), weight);
      constant.replaceAllUsesWith(weight);
      constant.erase();
    });
    storeBooleansAsBytes(module);
  }
};

} // namespace
