// Stores the right-hand sides of contractions as column panels.
#include "lib/Transforms/Graph/Passes.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"

namespace tessera {
#define GEN_PASS_DEF_PACKWEIGHTS
#include "lib/Transforms/Graph/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

/// Whether the operand is read as [K, N] with N the columns of the result: the
/// right-hand side of a plain product, or the filter of an ungrouped convolution.
bool isColumnOperand(OpOperand &use) {
  Operation *op = use.getOwner();
  if (auto conv = dyn_cast<graph::ConvOp>(op))
    return use.getOperandNumber() == 1 && conv.getGroups() == 1;
  if (use.getOperandNumber() != 1)
    return false;
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  if (!linalgOp || !linalg::isaContractionOpInterface(linalgOp))
    return false;
  FailureOr<linalg::ContractionDimensions> dims =
      linalg::inferContractionDims(linalgOp);
  if (failed(dims) || dims->n.size() != 1 || dims->k.size() != 1)
    return false;
  AffineMap map = linalgOp.getMatchingIndexingMap(&use);
  AffineMap result =
      linalgOp.getMatchingIndexingMap(linalgOp.getDpsInitOperand(0));
  return map.getNumResults() == 2 && map.getDimPosition(0) == dims->k[0] &&
         map.getDimPosition(1) == dims->n[0] &&
         result.getDimPosition(result.getNumResults() - 1) == dims->n[0];
}

class WeightPacker {
public:
  WeightPacker(ModuleOp module, int64_t width)
      : module(module), symbols(module), width(width) {}

  void pack(graph::WeightsOp weights, ArrayRef<graph::WeightOp> uses) {
    auto type = cast<RankedTensorType>(weights.getType());
    // A filter [spatial..., C, N] is a matrix of spatial * C rows.
    int64_t columns = type.getShape().back();
    int64_t rows = type.getNumElements() / std::max<int64_t>(columns, 1);
    auto matrix = RankedTensorType::get({rows, columns}, type.getElementType());
    OpBuilder builder(weights);
    SmallVector<Attribute> recipe(weights.getRecipe().getValue());
    if (matrix != type)
      recipe.push_back(
          graph::ReshapeAttr::get(builder.getContext(), matrix.getShape()));
    recipe.push_back(graph::PackAttr::get(builder.getContext(), width));
    auto packedType = RankedTensorType::get(
        {llvm::divideCeilSigned(columns, width), rows, width},
        type.getElementType());
    auto packed = graph::WeightsOp::create(
        builder, weights.getLoc(),
        builder.getStringAttr(weights.getSymName() + "_packed"),
        TypeAttr::get(packedType), weights.getSource(),
        weights.getSourceTypeAttr(), builder.getArrayAttr(recipe));
    symbols.insert(packed);
    for (graph::WeightOp use : uses) {
      builder.setInsertionPoint(use);
      use.replaceAllUsesWith(unpacked(builder, use.getLoc(), packed, type,
                                      matrix, packedType));
      use.erase();
    }
    symbols.erase(weights);
  }

private:
  Value unpacked(OpBuilder &builder, Location loc, graph::WeightsOp packed,
                 RankedTensorType type, RankedTensorType matrix,
                 RankedTensorType packedType) {
    Value panels = graph::WeightOp::create(builder, loc, packedType,
                                           FlatSymbolRefAttr::get(packed));
    Value into = tensor::EmptyOp::create(builder, loc, matrix.getShape(),
                                         matrix.getElementType());
    Value value =
        linalg::UnPackOp::create(builder, loc, panels, into,
                                 /*innerDimsPos=*/ArrayRef<int64_t>{1},
                                 {builder.getIndexAttr(width)},
                                 /*outerDimsPerm=*/ArrayRef<int64_t>{1, 0})
            .getResult();
    if (matrix == type)
      return value;
    SmallVector<ReassociationIndices> groups(2);
    for (int64_t i = 0; i + 1 < type.getRank(); ++i)
      groups[0].push_back(i);
    groups[1].push_back(type.getRank() - 1);
    return tensor::ExpandShapeOp::create(builder, loc, type, value, groups);
  }

  ModuleOp module;
  SymbolTable symbols;
  int64_t width;
};

struct PackWeights : tessera::impl::PackWeightsBase<PackWeights> {
  using PackWeightsBase::PackWeightsBase;
  void runOnOperation() override {
    ModuleOp module = getOperation();
    llvm::MapVector<Attribute, SmallVector<graph::WeightOp>> uses;
    module.walk([&](graph::WeightOp weight) {
      uses[weight.getWeightsAttr()].push_back(weight);
    });
    WeightPacker packer(module, width);
    for (auto &[name, weightOps] : uses) {
      auto weights = module.lookupSymbol<graph::WeightsOp>(
          cast<FlatSymbolRefAttr>(name).getAttr());
      auto type = cast<RankedTensorType>(weights.getType());
      bool packable =
          type.getRank() >= 2 && isa<FloatType>(type.getElementType()) &&
          llvm::all_of(weightOps, [](graph::WeightOp weight) {
            return llvm::all_of(weight->getUses(), isColumnOperand);
          });
      if (packable)
        packer.pack(weights, weightOps);
    }
  }
};

} // namespace
