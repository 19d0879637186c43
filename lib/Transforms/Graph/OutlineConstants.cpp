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
        elements = cast<DenseIntElementsAttr>(elements).mapValues(
            IntegerType::get(&getContext(), 8),
            [](const llvm::APInt &bit) { return bit.zext(8); });
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
  }
};

} // namespace
