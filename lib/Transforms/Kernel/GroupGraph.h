// The groups of one block while they are formed, and which of them read from which.
//
// Groups are numbered; one that is merged into another keeps its number and no
// operations. A branch or loop is a group of its own, which nothing joins: what
// stands behind it and reads its results cannot join what it reads.
//
//   %a = math.exp %x             group 0
//   %r = scf.if … { … %a … }     group 1 reads 0
//   %s = arith.addf %a, %r       cannot join group 0: group 1 would read from it
//                                and be read by it
#ifndef TESSERA_LIB_TRANSFORMS_KERNEL_GROUPGRAPH_H
#define TESSERA_LIB_TRANSFORMS_KERNEL_GROUPGRAPH_H

#include "lib/Transforms/Kernel/KernelGroups.h"

#include "llvm/ADT/BitVector.h"
#include "llvm/ADT/DenseSet.h"

namespace tessera {

class GroupGraph {
public:
  /// The groups that an operation reads from.
  struct Producers {
    llvm::SmallVector<unsigned> all;
    /// Those that it reads element by element, so that it may join them; sorted.
    llvm::SmallVector<unsigned> joinable;
  };
  Producers producersOf(mlir::Operation *op);

  KernelGroup &operator[](unsigned group) { return groups[group]; }

  /// Adds a group without operations and returns its number.
  unsigned start(const KernelGroup &group);

  /// Whether putting `op` into `into` leaves the groups without a cycle, a group
  /// that reads a reshape of its own included.
  bool canAdd(mlir::Operation *op, unsigned into,
              llvm::ArrayRef<unsigned> producers);
  void add(mlir::Operation *op, unsigned group,
           llvm::ArrayRef<unsigned> producers);

  /// As canAdd, for all of group `from`.
  bool canMerge(unsigned from, unsigned into);
  void merge(unsigned from, unsigned into);

  /// Whether anything but `op` and the two groups reads what `from` computes.
  bool isReadOutside(unsigned from, unsigned into, mlir::Operation *op);

  /// The groups with operations, each behind those it reads from; among those that
  /// are ready, the one that begins first. `position`: the order of the operations.
  llvm::SmallVector<KernelGroup>
  inOrder(const llvm::DenseMap<mlir::Operation *, unsigned> &position);

private:
  /// How an operation reads what another one computes.
  enum class Reading {
    /// Element by element, so both can be in one group.
    Joined,
    /// At other indices: best stored, though a group may compute it again.
    Moved,
    /// Through a reshape that no kernel has a copy of: stored by another kernel.
    Stored
  };

  /// Calls `visit` with the operation below each tensor that `op` reads, through
  /// reshapes and operations that are cloned.
  void forEachProducer(
      mlir::Operation *op,
      llvm::function_ref<void(mlir::Operation *, Reading)> visit);
  llvm::SmallDenseSet<unsigned> storedProducersOf(mlir::Operation *op);
  std::optional<unsigned> ownerOf(mlir::Operation *op) const;

  llvm::SmallVector<KernelGroup> groups;
  /// For each group those it reads from, directly or not.
  llvm::SmallVector<llvm::BitVector> reads;
  /// For each group those that it reads as Reading::Stored.
  llvm::SmallVector<llvm::SmallDenseSet<unsigned>> readsStored;
  llvm::DenseMap<mlir::Operation *, unsigned> owner;
};

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_KERNEL_GROUPGRAPH_H
