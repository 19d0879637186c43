// Which operations of an entry become one kernel; see the header.
#include "lib/Transforms/Kernel/KernelGroups.h"
#include "lib/Transforms/Kernel/AttentionGroups.h"
#include "lib/Transforms/Kernel/GroupGraph.h"
#include "lib/Transforms/Kernel/Outline.h"
#include "lib/Transforms/Kernel/RegionTensors.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tessera;

bool tessera::movesOnlyOnes(Operation *view) {
  SmallVector<ReassociationIndices> groups;
  RankedTensorType wide;
  if (auto expand = dyn_cast<tensor::ExpandShapeOp>(view)) {
    groups = expand.getReassociationIndices();
    wide = cast<RankedTensorType>(expand.getType());
  } else if (auto collapse = dyn_cast<tensor::CollapseShapeOp>(view)) {
    groups = collapse.getReassociationIndices();
    wide = cast<RankedTensorType>(collapse.getSrc().getType());
  } else {
    return false;
  }
  return llvm::all_of(groups, [&](const ReassociationIndices &group) {
    return llvm::count_if(group, [&](int64_t dimension) {
             return wide.getDimSize(dimension) != 1;
           }) <= 1;
  });
}

bool tessera::isClonedIntoGroups(Operation *op) {
  if (isAttentionLayout(op))
    return false;
  if (isa<graph::BroadcastToOp, graph::IotaOp, graph::ReverseOp,
          linalg::TransposeOp, linalg::BroadcastOp, tensor::ExtractSliceOp,
          tensor::SplatOp, tensor::FromElementsOp, linalg::UnPackOp>(op))
    return true;
  if (isView(op)) {
    Operation *source = op->getOperand(0).getDefiningOp();
    return movesOnlyOnes(op) || (source && isClonedIntoGroups(source));
  }
  // Costs no more than to read what is stored.
  return isClonedIntoKernels(op) || isSignFlip(op);
}

namespace {

bool isElementwise(Operation *op) {
  if (OpTrait::hasElementwiseMappableTraits(op) || isa<linalg::CopyOp>(op))
    return true;
  auto generic = dyn_cast<linalg::GenericOp>(op);
  return generic && generic.getNumLoops() == generic.getNumParallelLoops();
}

bool isReduction(Operation *op) {
  return isa<linalg::ReduceOp, linalg::SoftmaxOp, graph::ArgReduceOp>(op);
}

/// The tensor that a reduction reads, and the dimensions that it removes (for
/// softmax: that it couples).
std::pair<Value, SmallVector<int64_t>> reductionOf(Operation *op) {
  if (auto reduce = dyn_cast<linalg::ReduceOp>(op))
    return {reduce.getInputs()[0], SmallVector<int64_t>(reduce.getDimensions())};
  if (auto softmax = dyn_cast<linalg::SoftmaxOp>(op))
    return {softmax.getInput(), {static_cast<int64_t>(softmax.getDimension())}};
  auto arg = cast<graph::ArgReduceOp>(op);
  return {arg.getSource(), {static_cast<int64_t>(arg.getDimension())}};
}

RootKind kindOf(Operation *op) {
  if (isContraction(op))
    return RootKind::Contraction;
  if (isReduction(op))
    return RootKind::Rows;
  if (isa<graph::PoolOp>(op))
    return RootKind::Window;
  if (isa<attention::SdpaOp>(op))
    return RootKind::Attention;
  if (isElementwise(op) || isa<graph::GatherOp, graph::GatherPointsOp>(op))
    return RootKind::Elementwise;
  if (isa<tensor::ConcatOp, tensor::PadOp>(op))
    return RootKind::Movement;
  if (isControlFlow(op))
    return RootKind::ControlFlow;
  return RootKind::Other;
}

/// Forms the groups of one block in one pass over it.
class GroupBuilder {
public:
  explicit GroupBuilder(Block &block)
      : block(block), sizes(block.getParentOp()->getContext()) {}

  SmallVector<KernelGroup> run();

private:
  bool sameSizes(ArrayRef<AffineExpr> a, ArrayRef<AffineExpr> b);

  /// Whether a result of sizes `dims` can be computed in `group`.
  bool fits(const KernelGroup &group, ArrayRef<AffineExpr> dims);

  /// A new group whose root is `op`; the caller adds the operations.
  unsigned start(RootKind kind, Operation *op);
  void place(Operation *op);
  void placeElementwise(Operation *op, const GroupGraph::Producers &producers);
  void placeReduction(Operation *op, const GroupGraph::Producers &producers);
  void placeAttention(attention::SdpaOp op);

  Block &block;
  graph::SizeAnalysis sizes;
  GroupGraph groups;
};

bool GroupBuilder::sameSizes(ArrayRef<AffineExpr> a, ArrayRef<AffineExpr> b) {
  if (a.size() != b.size())
    return false;
  for (auto [x, y] : llvm::zip(a, b))
    if (!sizes.areEqual(x, y))
      return false;
  return true;
}

bool GroupBuilder::fits(const KernelGroup &group, ArrayRef<AffineExpr> dims) {
  if (group.kind == RootKind::Movement || group.kind == RootKind::Other ||
      group.kind == RootKind::Attention)
    return false;
  if (sameSizes(group.space, dims))
    return true;
  if (group.kind != RootKind::Rows)
    return false;
  // What is computed once per row: without the reduced dimensions, or with 1 in
  // their place.
  SmallVector<AffineExpr> kept, ones(group.space);
  for (int64_t i = 0, e = group.space.size(); i < e; ++i) {
    if (!llvm::is_contained(group.reduced, i))
      kept.push_back(group.space[i]);
    else
      ones[i] = getAffineConstantExpr(1, block.getParentOp()->getContext());
  }
  return sameSizes(kept, dims) || sameSizes(ones, dims);
}

unsigned GroupBuilder::start(RootKind kind, Operation *op) {
  KernelGroup group;
  group.kind = kind;
  if (kind != RootKind::ControlFlow) {
    Value spaceOf = op->getResult(0);
    if (kind == RootKind::Rows)
      std::tie(spaceOf, group.reduced) = reductionOf(op);
    group.space = sizes.dimsOf(spaceOf);
  }
  return groups.start(group);
}

/// Joins the kernel of an operand: a contraction's epilogue first, then rows,
/// then elementwise work; other elementwise operands that fit come along.
void GroupBuilder::placeElementwise(Operation *op,
                                    const GroupGraph::Producers &producers) {
  ArrayRef<unsigned> candidates = producers.joinable;
  SmallVector<AffineExpr> dims = sizes.dimsOf(op->getResult(0));
  auto rank = [&](unsigned group) {
    switch (groups[group].kind) {
    case RootKind::Contraction:
    case RootKind::Window:
      return 2;
    case RootKind::Rows:
      return 1;
    default:
      return 0;
    }
  };
  std::optional<unsigned> best;
  for (unsigned candidate : candidates)
    if (fits(groups[candidate], dims) && groups.canAdd(op, candidate, producers.all) &&
        (!best || rank(candidate) > rank(*best) ||
         (rank(candidate) == rank(*best) && candidate > *best)))
      best = candidate;
  if (!best) {
    groups.add(op, start(RootKind::Elementwise, op), producers.all);
    return;
  }
  unsigned group = *best;
  groups.add(op, group, producers.all);
  for (unsigned other : candidates) {
    if (other == group || groups[other].operations.empty())
      continue;
    bool bothRows = groups[other].kind == RootKind::Rows &&
                    groups[group].kind == RootKind::Rows &&
                    groups[other].reduced == groups[group].reduced &&
                    sameSizes(groups[other].space, groups[group].space);
    bool elementwise = groups[other].kind == RootKind::Elementwise &&
                       fits(groups[group], groups[other].space);
    bool epilogue = rank(group) == 2;
    if ((bothRows || elementwise) && groups.canMerge(other, group) &&
        (!epilogue || !groups.isReadOutside(other, group, op)))
      groups.merge(other, group);
  }
}

/// Joins an operand's elementwise work or rows of the same shape.
void GroupBuilder::placeReduction(Operation *op,
                                  const GroupGraph::Producers &producers) {
  auto [source, reduced] = reductionOf(op);
  SmallVector<AffineExpr> space = sizes.dimsOf(source);
  for (unsigned candidate : producers.joinable) {
    KernelGroup &group = groups[candidate];
    bool elementwise =
        group.kind == RootKind::Elementwise && sameSizes(group.space, space);
    bool rows = group.kind == RootKind::Rows && group.reduced == reduced &&
                sameSizes(group.space, space);
    if (!(elementwise || rows) || !groups.canAdd(op, candidate, producers.all))
      continue;
    group.kind = RootKind::Rows;
    group.reduced = reduced;
    groups.add(op, candidate, producers.all);
    return;
  }
  groups.add(op, start(RootKind::Rows, op), producers.all);
}

/// A kernel of its own, with what computes its bias and mask.
void GroupBuilder::placeAttention(attention::SdpaOp op) {
  unsigned group = start(RootKind::Attention, op);
  for (Operation *member : scorePrologueOf(op, sizes, /*exclusive=*/true))
    groups.add(member, group, groups.producersOf(member).all);
  groups.add(op, group, groups.producersOf(op).all);
}

void GroupBuilder::place(Operation *op) {
  if (auto attention = dyn_cast<attention::SdpaOp>(op))
    return placeAttention(attention);
  GroupGraph::Producers producers = groups.producersOf(op);
  if (isAttentionLayout(op))
    return groups.add(op, producers.all.front(), producers.all);
  RootKind kind = kindOf(op);
  if (kind == RootKind::Elementwise &&
      !isa<graph::GatherOp, graph::GatherPointsOp>(op))
    return placeElementwise(op, producers);
  if (kind == RootKind::Rows)
    return placeReduction(op, producers);
  groups.add(op, start(kind, op), producers.all);
}

SmallVector<KernelGroup> GroupBuilder::run() {
  DenseMap<Operation *, unsigned> position;
  llvm::SmallDenseSet<Operation *> prologue;
  for (auto attention : block.getOps<attention::SdpaOp>()) {
    llvm::SetVector<Operation *> members =
        scorePrologueOf(attention, sizes, /*exclusive=*/true);
    prologue.insert(members.begin(), members.end());
  }
  for (Operation &op : block) {
    position[&op] = position.size();
    bool onTensors = isControlFlow(&op) ||
                     llvm::any_of(op.getResultTypes(), [](Type type) {
                       return isa<RankedTensorType>(type);
                     });
    if (onTensors && !isView(&op) && !isClonedIntoGroups(&op) &&
        !isa<graph::WeightOp>(op) && !prologue.contains(&op))
      place(&op);
  }
  SmallVector<KernelGroup> ordered = groups.inOrder(position);
  llvm::erase_if(ordered, [](const KernelGroup &group) {
    return group.kind == RootKind::ControlFlow;
  });
  return ordered;
}

} // namespace

SmallVector<KernelGroup> tessera::formKernelGroups(Block &block) {
  return GroupBuilder(block).run();
}
