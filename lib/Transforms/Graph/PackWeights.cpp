// Stores the right-hand sides of contractions as column panels.
#include "lib/Transforms/Graph/Passes.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/TypicalValue.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Remarks.h"

namespace tessera {
#define GEN_PASS_DEF_PACKWEIGHTS
#include "lib/Transforms/Graph/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

/// The places that read one declaration.
using WeightReads = SmallVector<graph::WeightOp>;

/// Whether the operand is read as [K, N] with N the columns of the result, and each
/// panel of `width` columns by one product: the right-hand side of a plain product,
/// or the filter of a convolution whose groups are whole panels.
bool isColumnOperand(OpOperand &use, int64_t width) {
  if (use.getOperandNumber() != 1)
    return false;
  FailureOr<Contraction> product = contractionOf(use.getOwner());
  if (failed(product) || product->rhsUse != &use || product->lhsIsVector ||
      product->rhsMap.getNumResults() != 2)
    return false;
  AffineExpr rows = product->rhsMap.getResult(0);
  AffineExpr columns = product->rhsMap.getResult(1);
  AffineExpr column = getAffineDimExpr(product->column, use.get().getContext());
  // The filter of a convolution is collapsed to a matrix.
  if (product->rhsGroups.empty())
    return product->reduction.size() == 1 && columns == column &&
           rows.isFunctionOfDim(product->reduction[0]);
  return columns.replace(column, column * width).isMultipleOf(width);
}

/// Whether the operand is the table of a gather, which reads a part of it.
bool isGathered(OpOperand &use) {
  return use.getOperandNumber() == 0 && isa<graph::GatherOp>(use.getOwner());
}

bool hasColumnOperand(const WeightReads &reads, int64_t width) {
  return llvm::any_of(reads, [&](graph::WeightOp weight) {
    return llvm::any_of(weight->getUses(), [&](OpOperand &use) {
      return isColumnOperand(use, width);
    });
  });
}

/// Multiply-adds of the module's products at typical sizes.
double multiplyAddsOf(ModuleOp module) {
  graph::SizeAnalysis sizes(module.getContext());
  double total = 0;
  module.walk([&](Operation *op) {
    FailureOr<Contraction> product = contractionOf(op);
    if (failed(product))
      return;
    double count = graph::typicalElementCountOf(product->result, sizes);
    for (unsigned number : product->reduction) {
      const ContractionLoop &loop = product->loops[number];
      count *= ShapedType::isDynamic(loop.size)
                   ? graph::typicalValueOf(
                         sizes.dimOf(loop.origin.tensor, loop.origin.dimension),
                         sizes, op)
                   : loop.size;
    }
    total += count;
  });
  return total;
}

/// Whether what reads a weight, but for column operands, are gathers that may
/// read panels instead. Elements of a panel's column lie `width` apart: each one is
/// a cache line, whose time is that of about 128 multiply-adds.
bool mayReadPanels(const WeightReads &reads, int64_t width,
                   double multiplyAdds) {
  constexpr double kLine = 128, kShare = 1.0 / 32;
  double lines = 0;
  for (graph::WeightOp weight : reads) {
    graph::SizeAnalysis sizes(weight.getContext());
    for (OpOperand &use : weight->getUses()) {
      if (isColumnOperand(use, width))
        continue;
      if (!isGathered(use))
        return false;
      lines +=
          graph::typicalElementCountOf(use.getOwner()->getResult(0), sizes);
    }
  }
  return lines * kLine <= multiplyAdds * kShare;
}

/// Whether the recipes of `a` and `b` make one the transpose of the other.
bool areTransposes(graph::WeightsOp a, graph::WeightsOp b) {
  if (a.getSource() != b.getSource() ||
      a.getSourceTypeAttr() != b.getSourceTypeAttr())
    return false;
  ArrayRef<Attribute> shorter = a.getRecipe().getValue();
  ArrayRef<Attribute> longer = b.getRecipe().getValue();
  if (shorter.size() > longer.size())
    std::swap(shorter, longer);
  if (shorter.size() + 1 != longer.size() || longer.drop_back() != shorter)
    return false;
  auto step = dyn_cast<graph::TransposeAttr>(longer.back());
  return step && step.getPermutation() == ArrayRef<int64_t>{1, 0};
}

class WeightPacker {
public:
  WeightPacker(ModuleOp module, int64_t width)
      : symbols(module), width(width) {}

  /// Declares the panels of `weights` and makes `reads` read them.
  graph::WeightsOp pack(graph::WeightsOp weights, WeightReads &reads);

  /// Makes `reads`, of the transpose of the matrix that `packed` holds, read the
  /// panels.
  void readTransposed(graph::WeightsOp packed, WeightReads &reads);

private:
  void replace(WeightReads &reads,
               llvm::function_ref<Value(OpBuilder &, graph::WeightOp)> value);
  Value unpacked(OpBuilder &builder, Location loc, graph::WeightsOp packed,
                 RankedTensorType matrix);

  SymbolTable symbols;
  int64_t width;
};

} // namespace

graph::WeightsOp WeightPacker::pack(graph::WeightsOp weights,
                                    WeightReads &reads) {
  auto type = cast<RankedTensorType>(weights.getType());
  // A filter [spatial..., C, N] is a matrix of spatial * C rows.
  int64_t columns = type.getShape().back();
  int64_t rows = ShapedType::getNumElements(type.getShape().drop_back());
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
  replace(reads, [&](OpBuilder &at, graph::WeightOp read) -> Value {
    Value value = unpacked(at, read.getLoc(), packed, matrix);
    if (matrix == type)
      return value;
    SmallVector<ReassociationIndices> groups(2);
    for (int64_t i = 0; i + 1 < type.getRank(); ++i)
      groups[0].push_back(i);
    groups[1].push_back(type.getRank() - 1);
    return tensor::ExpandShapeOp::create(at, read.getLoc(), type, value,
                                         groups);
  });
  return packed;
}

void WeightPacker::readTransposed(graph::WeightsOp packed, WeightReads &reads) {
  replace(reads, [&](OpBuilder &at, graph::WeightOp read) -> Value {
    auto type = cast<RankedTensorType>(read.getType());
    auto matrix = RankedTensorType::get({type.getDimSize(1), type.getDimSize(0)},
                                        type.getElementType());
    Value into = tensor::EmptyOp::create(at, read.getLoc(), type.getShape(),
                                         type.getElementType());
    return linalg::TransposeOp::create(
               at, read.getLoc(), unpacked(at, read.getLoc(), packed, matrix),
               into, ArrayRef<int64_t>{1, 0})
        ->getResult(0);
  });
}

void WeightPacker::replace(
    WeightReads &reads,
    llvm::function_ref<Value(OpBuilder &, graph::WeightOp)> value) {
  for (graph::WeightOp read : reads) {
    OpBuilder builder(read);
    read.replaceAllUsesWith(value(builder, read));
    read.erase();
  }
  reads.clear();
}

Value WeightPacker::unpacked(OpBuilder &builder, Location loc,
                             graph::WeightsOp packed, RankedTensorType matrix) {
  Value panels =
      graph::WeightOp::create(builder, loc, packed.getType(),
                              FlatSymbolRefAttr::get(packed));
  Value into = tensor::EmptyOp::create(builder, loc, matrix.getShape(),
                                       matrix.getElementType());
  return linalg::UnPackOp::create(builder, loc, panels, into,
                                  /*innerDimsPos=*/ArrayRef<int64_t>{1},
                                  {builder.getIndexAttr(width)},
                                  /*outerDimsPerm=*/ArrayRef<int64_t>{1, 0})
      .getResult();
}

namespace {
struct PackWeights : tessera::impl::PackWeightsBase<PackWeights> {
  using PackWeightsBase::PackWeightsBase;
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    llvm::MapVector<graph::WeightsOp, WeightReads> reads;
    module.walk([&](graph::WeightOp weight) {
      auto weights = symbols.lookup<graph::WeightsOp>(weight.getWeights());
      reads[weights].push_back(weight);
    });
    const double multiplyAdds = multiplyAddsOf(module);
    WeightPacker packer(module, width);
    SmallVector<graph::WeightsOp> replaced;
    for (auto &[weights, own] : reads) {
      auto type = cast<RankedTensorType>(weights.getType());
      if (type.getRank() < 2 || !isa<FloatType>(type.getElementType()) ||
          !hasColumnOperand(own, width) ||
          !mayReadPanels(own, width, multiplyAdds))
        continue;
      graph::WeightsOp packed = packer.pack(weights, own);
      replaced.push_back(weights);
      for (auto &[other, reading] : reads) {
        if (reading.empty() || !areTransposes(weights, other) ||
            hasColumnOperand(reading, width))
          continue;
        if (!mayReadPanels(reading, width, multiplyAdds)) {
          remark::missed(other.getLoc(),
                         remark::RemarkOpts::name("tied").category("weights"))
              << ("'" + other.getSymName() + "' is stored a second time: more "
                  "is read of it than gathers do well through panels")
                     .str();
          continue;
        }
        packer.readTransposed(packed, reading);
        replaced.push_back(other);
      }
    }
    for (graph::WeightsOp weights : replaced)
      weights.erase();
  }
};
} // namespace
