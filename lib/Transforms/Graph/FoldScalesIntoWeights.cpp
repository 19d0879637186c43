// Multiplies constant factors of a contraction's columns into its weight, and
// joins the constants that are added to them: batch normalization behind a
// convolution becomes the convolution's weight and bias.
#include "lib/Transforms/Graph/ConstantValues.h"
#include "lib/Transforms/Graph/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"

namespace tessera {
#define GEN_PASS_DEF_FOLDSCALESINTOWEIGHTS
#include "lib/Transforms/Graph/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

/// The operand of a contraction that its columns, the result's last dimension,
/// come from, and the operand's dimension that they are.
struct ColumnOperand {
  OpOperand *operand = nullptr;
  int64_t axis = 0;

  static std::optional<ColumnOperand> of(Operation *op);
};

/// Constant arithmetic on the columns behind a contraction: the result of the
/// last operation is columns * scale + shift.
struct ColumnChain {
  SmallVector<Operation *> operations;
  SmallVector<float> scale, shift;
  /// Run-time sizes of the result, from a broadcast.
  ValueRange sizes;
  bool isScaled = false;
  int64_t additions = 0;
};

class ScaleFolder {
public:
  ScaleFolder(SymbolTable &symbols) : symbols(symbols), values(symbols) {}

  void fold(Operation *contraction);

private:
  std::optional<SmallVector<float>> columnConstants(Value value,
                                                    int64_t columns);
  bool extend(ColumnChain &chain, Value value, Operation *user);
  ColumnChain chainBehind(Operation *contraction, int64_t columns);
  Value scaledWeight(OpBuilder &builder, graph::WeightOp weight, int64_t axis,
                     ArrayRef<float> scale);

  SymbolTable &symbols;
  ConstantValues values;
};

} // namespace

std::optional<ColumnOperand> ColumnOperand::of(Operation *op) {
  FailureOr<Contraction> product = contractionOf(op);
  if (failed(product) || product->init || !isa<FloatType>(product->rhsType()))
    return std::nullopt;
  // A filter [spatial..., channels, columns] is collapsed.
  if (!product->rhsGroups.empty())
    return ColumnOperand{product->rhsUse,
                         product->rhsGroups.back().back()};
  std::optional<unsigned> axis = product->rhsMap.getResultPosition(
      getAffineDimExpr(product->column, op->getContext()));
  if (!axis)
    return std::nullopt;
  return ColumnOperand{product->rhsUse, *axis};
}

/// The constant for each column that `value`, of a contraction's shape, holds.
std::optional<SmallVector<float>>
ScaleFolder::columnConstants(Value value, int64_t columns) {
  if (auto broadcast = value.getDefiningOp<graph::BroadcastToOp>())
    value = broadcast.getSource();
  DenseElementsAttr elements;
  if (!matchPattern(value, m_Constant(&elements)))
    elements = values.of(value);
  if (!elements || !elements.getElementType().isF32())
    return std::nullopt;
  if (elements.isSplat())
    return SmallVector<float>(columns, elements.getSplatValue<float>());
  ArrayRef<int64_t> shape = elements.getType().getShape();
  if (shape.back() != columns || elements.getNumElements() != columns)
    return std::nullopt;
  return llvm::to_vector(elements.getValues<float>());
}

/// Takes `user`, which reads `value`, into the chain if it is such arithmetic.
bool ScaleFolder::extend(ColumnChain &chain, Value value, Operation *user) {
  if (!isa<arith::AddFOp, arith::SubFOp, arith::MulFOp, arith::DivFOp>(user))
    return false;
  bool isSecond = user->getOperand(1) == value;
  Value other = user->getOperand(isSecond ? 0 : 1);
  if (other == value ||
      (isSecond && isa<arith::SubFOp, arith::DivFOp>(user)))
    return false;
  std::optional<SmallVector<float>> constants =
      columnConstants(other, chain.scale.size());
  if (!constants)
    return false;
  if (isa<arith::DivFOp>(user) && llvm::is_contained(*constants, 0.0f))
    return false;
  for (auto [scale, shift, constant] :
       llvm::zip(chain.scale, chain.shift, *constants)) {
    if (isa<arith::AddFOp>(user)) {
      shift += constant;
    } else if (isa<arith::SubFOp>(user)) {
      shift -= constant;
    } else {
      bool isProduct = isa<arith::MulFOp>(user);
      scale = isProduct ? scale * constant : scale / constant;
      shift = isProduct ? shift * constant : shift / constant;
    }
  }
  if (isa<arith::MulFOp, arith::DivFOp>(user))
    chain.isScaled = true;
  else
    ++chain.additions;
  if (auto broadcast = other.getDefiningOp<graph::BroadcastToOp>())
    chain.sizes = broadcast.getSizes();
  chain.operations.push_back(user);
  return true;
}

ColumnChain ScaleFolder::chainBehind(Operation *contraction, int64_t columns) {
  ColumnChain chain;
  chain.scale.assign(columns, 1.0f);
  chain.shift.assign(columns, 0.0f);
  Value value = contraction->getResult(0);
  while (value.hasOneUse() && extend(chain, value, *value.user_begin()))
    value = chain.operations.back()->getResult(0);
  return chain;
}

/// `weight` with one more step: times `scale` along dimension `axis`.
Value ScaleFolder::scaledWeight(OpBuilder &builder, graph::WeightOp weight,
                                int64_t axis, ArrayRef<float> scale) {
  auto from = symbols.lookup<graph::WeightsOp>(weight.getWeights());
  auto type = RankedTensorType::get(static_cast<int64_t>(scale.size()),
                                    builder.getF32Type());
  Attribute step = graph::ScaleAttr::get(builder.getContext(), axis,
                                         DenseElementsAttr::get(type, scale));
  OpBuilder atWeights(from);
  auto scaled = graph::WeightsOp::create(
      atWeights, from.getLoc(), from.getSymNameAttr(), from.getTypeAttr(),
      from.getSource(), from.getSourceTypeAttr(),
      graph::withSteps(from.getPart(), step).getRecipe());
  scaled->remove();
  symbols.insert(scaled, Block::iterator(from));
  return graph::WeightOp::create(builder, weight.getLoc(), weight.getType(),
                                 FlatSymbolRefAttr::get(scaled));
}

void ScaleFolder::fold(Operation *contraction) {
  auto type = dyn_cast<RankedTensorType>(contraction->getResult(0).getType());
  std::optional<ColumnOperand> column = ColumnOperand::of(contraction);
  if (!column || !type || type.isDynamicDim(type.getRank() - 1))
    return;
  auto weight = column->operand->get().getDefiningOp<graph::WeightOp>();
  if (!weight || !cast<RankedTensorType>(weight.getType()).getElementType().isF32())
    return;
  ColumnChain chain = chainBehind(contraction, type.getShape().back());
  if (!chain.isScaled && chain.additions < 2)
    return;
  if (chain.sizes.size() != static_cast<size_t>(type.getNumDynamicDims()))
    return;

  OpBuilder builder(contraction);
  if (chain.isScaled)
    column->operand->set(
        scaledWeight(builder, weight, column->axis, chain.scale));
  if (weight->use_empty())
    weight.erase();
  Operation *last = chain.operations.back();
  Value result = contraction->getResult(0);
  if (chain.additions) {
    builder.setInsertionPointAfter(last);
    auto vectorType = RankedTensorType::get(type.getShape().take_back(),
                                            builder.getF32Type());
    Value shift = arith::ConstantOp::create(
        builder, last->getLoc(),
        DenseElementsAttr::get(vectorType, ArrayRef<float>(chain.shift)));
    Value wide = graph::BroadcastToOp::create(builder, last->getLoc(), type,
                                              shift, chain.sizes);
    result = arith::AddFOp::create(builder, last->getLoc(), result, wide);
  }
  last->getResult(0).replaceAllUsesWith(result);
  for (Operation *op : llvm::reverse(chain.operations))
    op->erase();
}

namespace {
struct FoldScalesIntoWeights
    : tessera::impl::FoldScalesIntoWeightsBase<FoldScalesIntoWeights> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    ScaleFolder folder(symbols);
    SmallVector<Operation *> contractions;
    getOperation().walk([&](Operation *op) {
      if (isContraction(op) && op->getNumResults() == 1)
        contractions.push_back(op);
    });
    for (Operation *op : contractions)
      folder.fold(op);
  }
};
} // namespace
