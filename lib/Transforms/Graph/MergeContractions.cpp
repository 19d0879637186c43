// Makes contractions of one operand with several weights one contraction, whose
// results are read as slices of its columns.
#include "lib/Transforms/Graph/ContractionMembers.h"
#include "lib/Transforms/Graph/Passes.h"

#include "dialects/Graph/IR/TransposedPart.h"

#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/Matchers.h"
#include "mlir/IR/Remarks.h"

namespace tessera {
#define GEN_PASS_DEF_MERGECONTRACTIONS
#include "lib/Transforms/Graph/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

class ContractionMerger {
public:
  ContractionMerger(SymbolTable &symbols) : symbols(symbols) {}

  /// Merges those of `members`, of one operand, that are read in parts.
  void merge(SmallVector<ContractionMember> members);

private:
  Value product(OpBuilder &builder, Location loc, MutableArrayRef<ContractionMember> members);
  Value vector(OpBuilder &builder, Location loc, MutableArrayRef<ContractionMember> members,
               unsigned step);
  graph::PartAttr part(Value vector, int64_t columns);
  Value declare(OpBuilder &builder, Location loc, graph::WeightsOp like,
                graph::PartAttr part);
  graph::WeightsOp weightsOf(graph::WeightOp weight) {
    return symbols.lookup<graph::WeightsOp>(weight.getWeights());
  }

  SymbolTable &symbols;
};

} // namespace

/// `parts` of type `type`, one after another.
static graph::PartAttr joined(ArrayRef<graph::PartAttr> parts,
                              RankedTensorType type) {
  MLIRContext *context = type.getContext();
  return graph::PartAttr::get(context, graph::ConcatAttr::get(context, parts),
                              type, ArrayAttr::get(context, {}));
}

/// The weight that `part` makes, read at the builder's place.
Value ContractionMerger::declare(OpBuilder &builder, Location loc,
                                 graph::WeightsOp like, graph::PartAttr part) {
  std::string reason;
  FailureOr<RankedTensorType> type = graph::typeOf(part, reason);
  assert(succeeded(type) && "expects parts that fit");
  OpBuilder atWeights(like);
  auto weights = graph::WeightsOp::create(
      atWeights, like.getLoc(),
      builder.getStringAttr(like.getSymName() + "_merged"),
      TypeAttr::get(*type), part.getSource(),
      TypeAttr::get(part.getSourceType()), part.getRecipe());
  weights->remove();
  symbols.insert(weights, Block::iterator(like));
  return graph::WeightOp::create(builder, loc, *type,
                                 FlatSymbolRefAttr::get(weights));
}

/// `columns` elements of a vector or splat.
graph::PartAttr ContractionMerger::part(Value vector, int64_t columns) {
  auto weight = vector.getDefiningOp<graph::WeightOp>();
  auto type = RankedTensorType::get(columns, getElementTypeOrSelf(vector));
  if (weight) {
    SmallVector<Attribute> steps;
    if (weight.getType() != type)
      steps.push_back(
          graph::ReshapeAttr::get(vector.getContext(), type.getShape()));
    return graph::withSteps(weightsOf(weight).getPart(), steps);
  }
  DenseElementsAttr splat;
  matchPattern(vector, m_Constant(&splat));
  return graph::PartAttr::get(vector.getContext(), splat.resizeSplat(type), type,
                              ArrayAttr::get(vector.getContext(), {}));
}

/// The columns of all products in one. Columns that are joined are rows of the
/// transposes.
Value ContractionMerger::product(OpBuilder &builder, Location loc,
                                 MutableArrayRef<ContractionMember> members) {
  ContractionMember &first = members.front();
  SmallVector<graph::PartAttr> parts;
  int64_t columns = 0;
  for (ContractionMember &member : members) {
    parts.push_back(graph::transposed(weightsOf(member.weight).getPart()));
    columns += member.columns();
  }
  auto type = cast<RankedTensorType>(first.weight.getType());
  graph::PartAttr rows =
      joined(parts, type.clone({columns, type.getDimSize(0)}));
  Value rhs = declare(builder, loc, weightsOf(first.weight),
                      graph::transposed(rows));
  SmallVector<OpFoldResult> sizes = first.destination.getMixedSizes();
  sizes.back() = builder.getIndexAttr(columns);
  Value destination = tensor::EmptyOp::create(
      builder, loc, sizes, first.destination.getType().getElementType());
  auto fill = first.product.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  destination = linalg::FillOp::create(builder, loc, fill.getInputs()[0],
                                       destination)
                    .getResult(0);
  Operation *merged = mlir::clone(builder, first.product, destination.getType(),
                                  {first.lhs(), rhs, destination});
  merged->setLoc(loc);
  return merged->getResult(0);
}

/// The vectors of step `step` behind each other; null if it has none.
Value ContractionMerger::vector(OpBuilder &builder, Location loc,
                                MutableArrayRef<ContractionMember> members,
                                unsigned step) {
  Value known;
  for (ContractionMember &member : members)
    if (!known)
      known = member.vectorOf(step);
  if (!known)
    return {};
  SmallVector<graph::PartAttr> parts;
  int64_t columns = 0;
  for (ContractionMember &member : members) {
    columns += member.columns();
    Value vector = member.vectorOf(step);
    if (vector) {
      parts.push_back(part(vector, member.columns()));
      continue;
    }
    auto type = RankedTensorType::get(member.columns(),
                                      getElementTypeOrSelf(known.getType()));
    auto zero = builder.getFloatAttr(type.getElementType(), -0.0);
    parts.push_back(graph::PartAttr::get(builder.getContext(),
                                         DenseElementsAttr::get(type, zero),
                                         type, builder.getArrayAttr({})));
  }
  return declare(
      builder, loc, weightsOf(members.front().weight),
      joined(parts, RankedTensorType::get(columns,
                                          getElementTypeOrSelf(known))));
}

/// Makes all that reads `result` read the columns from `offset` on of `merged`,
/// of the size `rows` and more.
///
///   expand_shape %result [[0, 1], [2, 3]]
///     ==>  %r = expand_shape %merged [[0, 1], [2]]       a view of stored rows
///          expand_shape (extract_slice %r) [[0], [1], [2, 3]]
static void readColumns(Value result, Value merged, int64_t offset,
                        ArrayRef<OpFoldResult> rows) {
  auto type = cast<RankedTensorType>(result.getType());
  int64_t columns = type.getShape().back();
  int64_t all = cast<RankedTensorType>(merged.getType()).getShape().back();
  for (OpOperand &use : llvm::make_early_inc_range(result.getUses())) {
    OpBuilder builder(use.getOwner());
    Location loc = use.getOwner()->getLoc();
    auto expand = dyn_cast<tensor::ExpandShapeOp>(use.getOwner());
    Value source = merged;
    SmallVector<OpFoldResult> sizes(rows);
    if (expand) {
      SmallVector<ReassociationIndices> groups = expand.getReassociationIndices();
      int64_t rank = groups.back().front();
      groups.back() = {rank};
      sizes = expand.getMixedOutputShape();
      sizes.resize(rank);
      SmallVector<int64_t> shape(expand.getResultType().getShape().take_front(rank));
      shape.push_back(all);
      sizes.push_back(builder.getIndexAttr(all));
      if (rank + 1 != type.getRank())
        source = tensor::ExpandShapeOp::create(
            builder, loc, RankedTensorType::get(shape, type.getElementType()),
            merged, groups, sizes);
      sizes.pop_back();
    }
    int64_t rank = sizes.size();
    SmallVector<OpFoldResult> offsets(rank, builder.getIndexAttr(0));
    SmallVector<OpFoldResult> strides(rank + 1, builder.getIndexAttr(1));
    offsets.push_back(builder.getIndexAttr(offset));
    sizes.push_back(builder.getIndexAttr(columns));
    Value slice = tensor::ExtractSliceOp::create(builder, loc, source, offsets,
                                                 sizes, strides);
    if (!expand) {
      use.set(slice);
      continue;
    }
    SmallVector<ReassociationIndices> groups;
    for (int64_t i = 0; i < rank; ++i)
      groups.push_back({i});
    groups.push_back(expand.getReassociationIndices().back());
    if (groups.back().size() > 1)
      slice = tensor::ExpandShapeOp::create(builder, loc, expand.getResultType(),
                                            slice, groups,
                                            expand.getMixedOutputShape());
    expand.replaceAllUsesWith(slice);
    expand.erase();
  }
}

void ContractionMerger::merge(SmallVector<ContractionMember> members) {
  // Without those that must stay, others may have more steps in common.
  while (members.size() > 1) {
    while (extend(members))
      ;
    SmallVector<ContractionMember> read;
    for (ContractionMember &member : members)
      if (isReadInParts(member.result()))
        read.push_back({member.product, member.weight, member.destination, {}});
    if (read.size() == members.size())
      break;
    members = std::move(read);
  }
  if (members.size() < 2)
    return;

  Operation *first = members.front().product;
  OpBuilder builder(first);
  SmallVector<Location> locations;
  for (ContractionMember &member : members)
    locations.push_back(member.product->getLoc());
  Location loc = builder.getFusedLoc(locations);
  Value merged = product(builder, loc, members);
  SmallVector<OpFoldResult> rows = members.front().destination.getMixedSizes();
  ValueRange sizes = members.front().destination.getDynamicSizes();
  rows.pop_back();
  for (unsigned step = 0; step < members.front().steps.size(); ++step) {
    auto model = llvm::find_if(
        members, [&](ContractionMember &member) { return member.steps[step]; });
    Operation *op = model->steps[step];
    Type type = cast<RankedTensorType>(merged.getType())
                    .clone(getElementTypeOrSelf(op->getResult(0).getType()));
    SmallVector<Value> operands{merged};
    if (Value one = vector(builder, loc, members, step)) {
      operands.push_back(graph::BroadcastToOp::create(
          builder, op->getLoc(), merged.getType(), one, sizes));
      if (repeatedVector(op->getOperand(0), model->columns()))
        std::swap(operands[0], operands[1]);
    }
    merged = mlir::clone(builder, op, type, operands)->getResult(0);
  }
  int64_t offset = 0;
  for (ContractionMember &member : members) {
    readColumns(member.result(), merged, offset, rows);
    offset += member.columns();
    for (Operation *step : llvm::reverse(member.steps))
      if (step)
        step->erase();
    member.product->erase();
  }
  remark::passed(loc, remark::RemarkOpts::name("merge").category("contraction"))
      << (std::to_string(members.size()) + " contractions are one");
}

/// The declarations that nothing reads but products, on their right: what is joined
/// would else be stored twice.
static llvm::DenseSet<StringAttr> weightsOfProducts(ModuleOp module) {
  llvm::DenseSet<StringAttr> read, others;
  module.walk([&](graph::WeightOp weight) {
    StringAttr name = weight.getWeightsAttr().getAttr();
    read.insert(name);
    for (OpOperand &use : weight->getUses())
      if (!isContraction(use.getOwner()) || use.getOperandNumber() != 1)
        others.insert(name);
  });
  for (StringAttr name : others)
    read.erase(name);
  return read;
}

namespace {
struct MergeContractions
    : tessera::impl::MergeContractionsBase<MergeContractions> {
  void runOnOperation() override {
    SmallVector<SmallVector<ContractionMember>> groups;
    llvm::DenseSet<StringAttr> mergeable = weightsOfProducts(getOperation());
    // Groups from `open` on may grow: their operand is that of the contraction
    // before.
    unsigned open = 0;
    Value operand;
    getOperation().walk([&](Operation *op) {
      auto product = dyn_cast<linalg::LinalgOp>(op);
      if (!isContraction(op) && !isa<attention::SdpaOp>(op))
        return;
      bool isProduct = product != nullptr;
      if (!isProduct || product.getDpsInputs()[0] != operand) {
        operand = isProduct ? product.getDpsInputs()[0] : Value();
        open = groups.size();
      }
      std::optional<ContractionMember> member =
          isProduct ? ContractionMember::of(product) : std::nullopt;
      if (!member ||
          !mergeable.contains(member->weight.getWeightsAttr().getAttr()))
        return;
      auto *like = std::find_if(
          groups.begin() + open, groups.end(),
          [&](auto &group) { return group.front().isLike(*member); });
      if (like == groups.end())
        like = &groups.emplace_back();
      like->push_back(*member);
    });
    SymbolTable symbols(getOperation());
    ContractionMerger merger(symbols);
    for (SmallVector<ContractionMember> &group : groups)
      merger.merge(group);
  }
};
} // namespace
