// Moves operations of an entry into a kernel: the one place that decides what a
// kernel's arguments are.
//
// Tensors from above become inputs; a producer that costs nothing (a constant,
// tensor.empty, a fill, scalar arithmetic) is cloned into the kernel instead.
// Sizes are never passed as such: each index value from above and each size of
// an argument is expressed over symbols by SizeAnalysis, and every symbol
// becomes one index argument:
//
//   %n = graph.size @seq          kernel.func @double(%x: tensor<?xf32>,
//   %m = arith.muli %n, %c2   ==>     %out: tensor<?xf32>, %s0: index)
//   %y = arith.addf %x, %x            with shapes [(s0 * 2), (s0 * 2)] …
//                                 %e = tensor.empty(%m)
//                                 %y = kernel.call @double ins(%x) outs(%e) sizes(%n)
#ifndef TESSERA_LIB_TRANSFORMS_KERNEL_OUTLINE_H
#define TESSERA_LIB_TRANSFORMS_KERNEL_OUTLINE_H

#include "dialects/Kernel/IR/Kernel.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tessera {

/// Whether a kernel that uses a result of `op` gets its own copy of `op`
/// instead of an argument: constants, tensor.empty and fills of it, arithmetic
/// on scalars, tensor.extract, and the i8-to-i1 conversion of a boolean that
/// another kernel stored.
bool isClonedIntoKernels(mlir::Operation *op);

/// Whether `op` computes a tensor and so must end up in a kernel, or is a branch or
/// loop that gives one.
bool isKernelWork(mlir::Operation *op);

/// Moves `ops`, which stand in one block in this order, into a new
/// `kernel.func` without a schedule and replaces them by a `kernel.call`. The
/// results that anything outside uses, at least one, become its outputs; those
/// of i1 are i8 there, and an `arith.trunci` after the call gives users the i1
/// back. `symbols` is the table of the module and makes `name` unique. Where
/// users of the results stand before the last of `ops` the block is sorted.
///
/// `isCloned` says which producers are cloned into the kernel instead of being
/// inputs; with those among `ops` the original stays for its other users.
///
/// Fails, with a diagnostic at the operation, when a result is not a ranked
/// tensor, a scalar from above cannot be recomputed, an output's size is known
/// only after the operation ran, or the group depends on itself through others.
mlir::FailureOr<kernel::FuncOp> outlineKernel(
    llvm::ArrayRef<mlir::Operation *> ops, llvm::StringRef name,
    mlir::SymbolTable &symbols,
    llvm::function_ref<bool(mlir::Operation *)> isCloned = isClonedIntoKernels);

/// Erases what nothing uses any more, also in branches and loops.
void eraseDeadOperations(mlir::Block &block);
void eraseDeadOperations(mlir::func::FuncOp entry);

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_KERNEL_OUTLINE_H
