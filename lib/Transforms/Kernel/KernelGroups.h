// Which operations of a block of an entry become one kernel.
//
// A kernel has one root: a contraction or convolution, a window (pooling), an
// attention (AttentionGroups.h), a row group (reductions over the same dimensions of
// the same rows), or nothing but elementwise work or data movement. Operations join
// the kernel of an operand when their sizes are those of its iteration space, so that
// they can be computed on the elements while these are in registers:
//
//   %p = linalg.matmul …          contraction, space (n, 3072)
//   %b = graph.broadcast_to %bias cloned: it only maps indices
//   %s = arith.addf %p, %b        joins: result (n, 3072)
//   %t = math.tanh %s             joins
//   %m = linalg.reduce max %t     a root of its own: a row group
//
// The objective is bytes moved between kernels; recomputing is never done but for
// operations that only map indices or are constant.
#ifndef TESSERA_LIB_TRANSFORMS_KERNEL_KERNELGROUPS_H
#define TESSERA_LIB_TRANSFORMS_KERNEL_KERNELGROUPS_H

#include "dialects/Graph/IR/SizeAnalysis.h"
#include "dialects/Interfaces/Movement.h"

#include "mlir/IR/Block.h"

namespace tessera {

/// What kind of root a kernel has.
enum class RootKind {
  Contraction,
  Window,
  Attention,
  Rows,
  Elementwise,
  Movement,
  /// A branch or loop, which is no kernel: its blocks have kernels of their own.
  ControlFlow,
  Other
};

/// One kernel to be: its operations in order, and its iteration space.
struct KernelGroup {
  RootKind kind;
  llvm::SmallVector<mlir::Operation *> operations;
  /// Sizes of the iteration space. For rows: of the tensor that is reduced.
  llvm::SmallVector<mlir::AffineExpr> space;
  /// Rows: the dimensions of `space` that its reductions remove.
  llvm::SmallVector<int64_t> reduced;
};

/// Whether `op` only maps indices or costs nothing, and so is cloned into every
/// kernel that uses it: broadcasts, constants, fills, counters, transposes and
/// slices, reshapes of those, and reshapes that insert or remove 1s.
bool isClonedIntoGroups(mlir::Operation *op);

/// Whether the reshape `view` only inserts or removes dimensions of size 1.
bool movesOnlyOnes(mlir::Operation *view);

/// The kernels of one block of an entry, in an order in which each follows those it
/// reads from. Every operation on tensors is in exactly one of them but for views,
/// those that are cloned, branches and loops, whose blocks have groups of their own
/// (entryBlocks in RegionTensors.h). Expects that every tensor that leaves the block
/// is computed by an operation of its own or a view of one.
llvm::SmallVector<KernelGroup> formKernelGroups(mlir::Block &block);

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_KERNEL_KERNELGROUPS_H
