// Which operations of an entry become one kernel; see the header.
#include "lib/Transforms/Kernel/KernelGroups.h"
#include "lib/Transforms/Kernel/AttentionGroups.h"
#include "lib/Transforms/Kernel/Outline.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tessera;

/// Whether a reshape only inserts or removes dimensions of size 1.
static bool movesOnlyOnes(Operation *view) {
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
  return isClonedIntoKernels(op);
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

bool isContraction(Operation *op) {
  if (isa<graph::ConvOp>(op))
    return true;
  auto linalgOp = dyn_cast<linalg::LinalgOp>(op);
  return linalgOp && linalg::isaContractionOpInterface(linalgOp);
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
  return RootKind::Other;
}

/// How an operation reads what another one computes.
enum class Reading {
  /// Element by element, so both can be in one group.
  Joined,
  /// At other indices: best stored, though a group may compute it again.
  Moved,
  /// Through a reshape that no kernel has a copy of: stored by another kernel.
  Stored
};

/// Forms the groups in one pass over the entry. Groups that merge keep the
/// number of one of them; `owner` follows it.
class GroupBuilder {
public:
  explicit GroupBuilder(func::FuncOp entry)
      : entry(entry), sizes(entry.getContext()) {}

  SmallVector<KernelGroup> run();

private:
  /// Calls `visit` with the operation below each tensor operand of `op`, through
  /// reshapes and operations that are cloned.
  void forEachProducer(Operation *op,
                       function_ref<void(Operation *, Reading)> visit);

  std::optional<unsigned> ownerOf(Operation *op) {
    auto it = owner.find(op);
    if (it == owner.end())
      return std::nullopt;
    return it->second;
  }

  bool sameSizes(ArrayRef<AffineExpr> a, ArrayRef<AffineExpr> b);

  /// Whether a result of sizes `dims` can be computed in `group`.
  bool fits(const KernelGroup &group, ArrayRef<AffineExpr> dims);

  /// Whether putting `op` (or all of group `from`) into `into` leaves the groups
  /// without a cycle, a group that reads a reshape of its own included.
  bool canAdd(Operation *op, unsigned into, ArrayRef<unsigned> producers);
  bool canMerge(unsigned from, unsigned into);

  bool isReadOutside(unsigned from, unsigned into, Operation *op);

  unsigned start(RootKind kind, Operation *op);
  void add(Operation *op, unsigned group, ArrayRef<unsigned> producers);
  void merge(unsigned from, unsigned into);
  void place(Operation *op);
  void placeElementwise(Operation *op, ArrayRef<unsigned> candidates,
                        ArrayRef<unsigned> producers);
  void placeReduction(Operation *op, ArrayRef<unsigned> candidates,
                      ArrayRef<unsigned> producers);
  void placeAttention(attention::SdpaOp op);
  SmallVector<unsigned> producersOf(Operation *op);
  llvm::SmallDenseSet<unsigned> storedProducersOf(Operation *op);

  func::FuncOp entry;
  graph::SizeAnalysis sizes;
  SmallVector<KernelGroup> groups;
  /// For each group those it reads from, directly or not.
  SmallVector<llvm::BitVector> reads;
  /// For each group those that it reads as Reading::Stored.
  SmallVector<llvm::SmallDenseSet<unsigned>> readsStored;
  DenseMap<Operation *, unsigned> owner;
};

void GroupBuilder::forEachProducer(
    Operation *op, function_ref<void(Operation *, Reading)> visit) {
  SmallVector<std::pair<Value, Reading>> pending;
  for (Value operand : op->getOperands())
    pending.push_back({operand, Reading::Joined});
  llvm::SmallDenseSet<std::pair<Value, unsigned>> seen;
  while (!pending.empty()) {
    auto [value, reading] = pending.pop_back_val();
    Operation *producer = value.getDefiningOp();
    if (!producer || !isa<TensorType>(value.getType()) ||
        !seen.insert({value, static_cast<unsigned>(reading)}).second)
      continue;
    bool view = isView(producer), cloned = isClonedIntoGroups(producer);
    if (view || cloned) {
      // A reshaped, transposed or sliced reading of a value needs it stored.
      bool moves = (view && !movesOnlyOnes(producer)) ||
                   isa<linalg::TransposeOp, tensor::ExtractSliceOp,
                       graph::ReverseOp, linalg::UnPackOp>(producer);
      Reading below = !cloned ? Reading::Stored
                      : moves ? Reading::Moved
                              : Reading::Joined;
      for (Value operand : producer->getOperands())
        pending.push_back({operand, std::max(reading, below)});
      continue;
    }
    visit(producer, reading);
  }
}

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
      ones[i] = getAffineConstantExpr(1, entry.getContext());
  }
  return sameSizes(kept, dims) || sameSizes(ones, dims);
}

llvm::SmallDenseSet<unsigned> GroupBuilder::storedProducersOf(Operation *op) {
  llvm::SmallDenseSet<unsigned> stored;
  forEachProducer(op, [&](Operation *producer, Reading reading) {
    std::optional<unsigned> group = ownerOf(producer);
    if (group && reading == Reading::Stored)
      stored.insert(*group);
  });
  return stored;
}

bool GroupBuilder::canAdd(Operation *op, unsigned into,
                          ArrayRef<unsigned> producers) {
  if (storedProducersOf(op).contains(into))
    return false;
  return llvm::none_of(producers, [&](unsigned producer) {
    return producer != into && reads[producer].test(into);
  });
}

bool GroupBuilder::canMerge(unsigned from, unsigned into) {
  if (readsStored[into].contains(from) || readsStored[from].contains(into))
    return false;
  for (unsigned other = 0; other < groups.size(); ++other) {
    if (other == from || other == into || groups[other].operations.empty())
      continue;
    if ((reads[into].test(other) && reads[other].test(from)) ||
        (reads[from].test(other) && reads[other].test(into)))
      return false;
  }
  return true;
}

bool GroupBuilder::isReadOutside(unsigned from, unsigned into, Operation *op) {
  for (Operation *member : groups[from].operations)
    for (Operation *user : member->getUsers()) {
      std::optional<unsigned> group = ownerOf(user);
      if (user != op && group != from && group != into)
        return true;
    }
  return false;
}

unsigned GroupBuilder::start(RootKind kind, Operation *op) {
  KernelGroup group;
  group.kind = kind;
  Value spaceOf = op->getResult(0);
  if (kind == RootKind::Rows)
    std::tie(spaceOf, group.reduced) = reductionOf(op);
  group.space = sizes.dimsOf(spaceOf);
  groups.push_back(group);
  for (llvm::BitVector &set : reads)
    set.resize(groups.size());
  reads.emplace_back(groups.size());
  readsStored.emplace_back();
  return groups.size() - 1;
}

void GroupBuilder::add(Operation *op, unsigned group,
                       ArrayRef<unsigned> producers) {
  groups[group].operations.push_back(op);
  for (unsigned stored : storedProducersOf(op))
    readsStored[group].insert(stored);
  owner[op] = group;
  llvm::BitVector added(groups.size());
  for (unsigned producer : producers)
    if (producer != group) {
      added.set(producer);
      added |= reads[producer];
    }
  reads[group] |= added;
  for (unsigned other = 0; other < groups.size(); ++other)
    if (reads[other].test(group))
      reads[other] |= added;
}

void GroupBuilder::merge(unsigned from, unsigned into) {
  for (Operation *op : groups[from].operations)
    owner[op] = into;
  llvm::append_range(groups[into].operations, groups[from].operations);
  if (groups[from].kind == RootKind::Rows &&
      groups[into].kind == RootKind::Elementwise) {
    groups[into].kind = RootKind::Rows;
    groups[into].space = groups[from].space;
    groups[into].reduced = groups[from].reduced;
  }
  groups[from].operations.clear();
  readsStored[into].insert(readsStored[from].begin(), readsStored[from].end());
  for (llvm::SmallDenseSet<unsigned> &stored : readsStored)
    if (stored.contains(from))
      stored.insert(into);
  reads[into] |= reads[from];
  // Before others copy these: `from` is no group any more.
  reads[into].reset(from);
  reads[into].reset(into);
  for (llvm::BitVector &set : reads)
    if (set.test(from) || set.test(into)) {
      set.reset(from);
      set.set(into);
      set |= reads[into];
    }
  for (unsigned group = 0; group < groups.size(); ++group)
    reads[group].reset(group);
  reads[from].reset();
}

/// Joins the kernel of an operand: a contraction's epilogue first, then rows,
/// then elementwise work; other elementwise operands that fit come along.
void GroupBuilder::placeElementwise(Operation *op,
                                    ArrayRef<unsigned> candidates,
                                    ArrayRef<unsigned> producers) {
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
    if (fits(groups[candidate], dims) && canAdd(op, candidate, producers) &&
        (!best || rank(candidate) > rank(*best) ||
         (rank(candidate) == rank(*best) && candidate > *best)))
      best = candidate;
  if (!best) {
    add(op, start(RootKind::Elementwise, op), producers);
    return;
  }
  unsigned group = *best;
  add(op, group, producers);
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
    if ((bothRows || elementwise) && canMerge(other, group) &&
        (!epilogue || !isReadOutside(other, group, op)))
      merge(other, group);
  }
}

/// Joins an operand's elementwise work or rows of the same shape.
void GroupBuilder::placeReduction(Operation *op, ArrayRef<unsigned> candidates,
                                  ArrayRef<unsigned> producers) {
  auto [source, reduced] = reductionOf(op);
  SmallVector<AffineExpr> space = sizes.dimsOf(source);
  for (unsigned candidate : candidates) {
    KernelGroup &group = groups[candidate];
    bool elementwise =
        group.kind == RootKind::Elementwise && sameSizes(group.space, space);
    bool rows = group.kind == RootKind::Rows && group.reduced == reduced &&
                sameSizes(group.space, space);
    if (!(elementwise || rows) || !canAdd(op, candidate, producers))
      continue;
    group.kind = RootKind::Rows;
    group.reduced = reduced;
    add(op, candidate, producers);
    return;
  }
  add(op, start(RootKind::Rows, op), producers);
}

SmallVector<unsigned> GroupBuilder::producersOf(Operation *op) {
  SmallVector<unsigned> producers;
  forEachProducer(op, [&](Operation *producer, Reading) {
    std::optional<unsigned> group = ownerOf(producer);
    if (group && !llvm::is_contained(producers, *group))
      producers.push_back(*group);
  });
  return producers;
}

/// A kernel of its own, with what computes its bias and mask.
void GroupBuilder::placeAttention(attention::SdpaOp op) {
  unsigned group = start(RootKind::Attention, op);
  for (Operation *member : scorePrologueOf(op, sizes, /*exclusive=*/true))
    add(member, group, producersOf(member));
  add(op, group, producersOf(op));
}

void GroupBuilder::place(Operation *op) {
  if (auto attention = dyn_cast<attention::SdpaOp>(op))
    return placeAttention(attention);
  SmallVector<unsigned> candidates, producers;
  forEachProducer(op, [&](Operation *producer, Reading reading) {
    std::optional<unsigned> group = ownerOf(producer);
    if (!group)
      return;
    if (!llvm::is_contained(producers, *group))
      producers.push_back(*group);
    if (reading == Reading::Joined &&
        !llvm::is_contained(candidates, *group))
      candidates.push_back(*group);
  });
  llvm::sort(candidates);
  if (isAttentionLayout(op))
    return add(op, producers.front(), producers);
  RootKind kind = kindOf(op);
  if (kind == RootKind::Elementwise &&
      !isa<graph::GatherOp, graph::GatherPointsOp>(op))
    return placeElementwise(op, candidates, producers);
  if (kind == RootKind::Rows)
    return placeReduction(op, candidates, producers);
  add(op, start(kind, op), producers);
}

SmallVector<KernelGroup> GroupBuilder::run() {
  DenseMap<Operation *, unsigned> position;
  llvm::SmallDenseSet<Operation *> prologue;
  for (auto attention : entry.getBody().front().getOps<attention::SdpaOp>()) {
    llvm::SetVector<Operation *> members =
        scorePrologueOf(attention, sizes, /*exclusive=*/true);
    prologue.insert(members.begin(), members.end());
  }
  for (Operation &op : entry.getBody().front()) {
    position[&op] = position.size();
    bool onTensors = llvm::any_of(op.getResultTypes(), [](Type type) {
      return isa<RankedTensorType>(type);
    });
    if (onTensors && !isView(&op) && !isClonedIntoGroups(&op) &&
        !isa<graph::WeightOp>(op) && !prologue.contains(&op))
      place(&op);
  }

  // In an order in which producers come first; among those that are ready, the
  // one that began first.
  SmallVector<unsigned> pending;
  for (unsigned group = 0; group < groups.size(); ++group)
    if (!groups[group].operations.empty()) {
      llvm::sort(groups[group].operations, [&](Operation *a, Operation *b) {
        return position[a] < position[b];
      });
      pending.push_back(group);
    }
  llvm::sort(pending, [&](unsigned a, unsigned b) {
    return position[groups[a].operations[0]] < position[groups[b].operations[0]];
  });
  SmallVector<KernelGroup> ordered;
  llvm::BitVector done(groups.size());
  while (!pending.empty()) {
    auto ready = llvm::find_if(pending, [&](unsigned group) {
      llvm::BitVector missing = reads[group];
      missing.reset(done);
      return missing.none();
    });
    assert(ready != pending.end() && "kernel groups form a cycle");
    done.set(*ready);
    ordered.push_back(groups[*ready]);
    pending.erase(ready);
  }
  return ordered;
}

} // namespace

SmallVector<KernelGroup> tessera::formKernelGroups(func::FuncOp entry) {
  return GroupBuilder(entry).run();
}
