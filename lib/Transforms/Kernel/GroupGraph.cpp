// The groups of one block while they are formed; see the header.
#include "lib/Transforms/Kernel/GroupGraph.h"
#include "lib/Transforms/Kernel/RegionTensors.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Transforms/RegionUtils.h"

using namespace mlir;
using namespace tessera;

void GroupGraph::forEachProducer(
    Operation *op, function_ref<void(Operation *, Reading)> visit) {
  bool isFlow = isControlFlow(op);
  SmallVector<std::pair<Value, Reading>> pending;
  for (Value operand : op->getOperands())
    pending.push_back({operand, Reading::Joined});
  if (isFlow) {
    SetVector<Value> inside;
    getUsedValuesDefinedAbove(op->getRegions(), inside);
    for (Value value : inside)
      pending.push_back({value, Reading::Joined});
  }
  llvm::SmallDenseSet<std::pair<Value, unsigned>> seen;
  while (!pending.empty()) {
    auto [value, reading] = pending.pop_back_val();
    Operation *producer = value.getDefiningOp();
    if (!producer || !seen.insert({value, static_cast<unsigned>(reading)}).second)
      continue;
    if (isControlFlow(producer)) {
      visit(producer, Reading::Stored);
      continue;
    }
    if (!isa<TensorType>(value.getType())) {
      // A condition or bound may be an element of a tensor.
      if (isFlow && !isa<tensor::DimOp>(producer))
        for (Value operand : producer->getOperands())
          pending.push_back({operand, Reading::Stored});
      continue;
    }
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

std::optional<unsigned> GroupGraph::ownerOf(Operation *op) const {
  auto it = owner.find(op);
  if (it == owner.end())
    return std::nullopt;
  return it->second;
}

GroupGraph::Producers GroupGraph::producersOf(Operation *op) {
  Producers producers;
  forEachProducer(op, [&](Operation *producer, Reading reading) {
    std::optional<unsigned> group = ownerOf(producer);
    if (!group)
      return;
    if (!llvm::is_contained(producers.all, *group))
      producers.all.push_back(*group);
    if (reading == Reading::Joined &&
        !llvm::is_contained(producers.joinable, *group))
      producers.joinable.push_back(*group);
  });
  llvm::sort(producers.joinable);
  return producers;
}

llvm::SmallDenseSet<unsigned> GroupGraph::storedProducersOf(Operation *op) {
  llvm::SmallDenseSet<unsigned> stored;
  forEachProducer(op, [&](Operation *producer, Reading reading) {
    std::optional<unsigned> group = ownerOf(producer);
    if (group && reading == Reading::Stored)
      stored.insert(*group);
  });
  return stored;
}

bool GroupGraph::canAdd(Operation *op, unsigned into,
                          ArrayRef<unsigned> producers) {
  if (storedProducersOf(op).contains(into))
    return false;
  return llvm::none_of(producers, [&](unsigned producer) {
    return producer != into && reads[producer].test(into);
  });
}

bool GroupGraph::canMerge(unsigned from, unsigned into) {
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

bool GroupGraph::isReadOutside(unsigned from, unsigned into, Operation *op) {
  for (Operation *member : groups[from].operations)
    for (Operation *user : member->getUsers()) {
      std::optional<unsigned> group = ownerOf(user);
      if (user != op && group != from && group != into)
        return true;
    }
  return false;
}

unsigned GroupGraph::start(const KernelGroup &group) {
  groups.push_back(group);
  for (llvm::BitVector &set : reads)
    set.resize(groups.size());
  reads.emplace_back(groups.size());
  readsStored.emplace_back();
  return groups.size() - 1;
}

void GroupGraph::add(Operation *op, unsigned group,
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

void GroupGraph::merge(unsigned from, unsigned into) {
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

SmallVector<KernelGroup> GroupGraph::inOrder(
    const DenseMap<Operation *, unsigned> &position) {
  SmallVector<unsigned> pending;
  for (unsigned group = 0; group < groups.size(); ++group)
    if (!groups[group].operations.empty()) {
      llvm::sort(groups[group].operations, [&](Operation *a, Operation *b) {
        return position.at(a) < position.at(b);
      });
      pending.push_back(group);
    }
  llvm::sort(pending, [&](unsigned a, unsigned b) {
    return position.at(groups[a].operations[0]) <
           position.at(groups[b].operations[0]);
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
