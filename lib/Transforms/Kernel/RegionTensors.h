// Tensors that enter and leave the branches and loops of an entry.
//
// The results of an scf.if are bytes that both branches write; what an scf.for
// carries is one place from its initial value, through all trips, to its result. So
// each of them must be written by a kernel that is there for it alone, and a copy is
// made where none is:
//
//   %r = scf.if %c -> (tensor<4xf32>) {        %r = scf.if %c -> (tensor<4xf32>) {
//     scf.yield %x            of outside   ==>   %b = linalg.copy %x
//   } …                                          scf.yield %b
//                                              } …
//   scf.for … iter_args(%a = %x) {             %i = linalg.copy %x
//     %b = call @k(%a)                         scf.for … iter_args(%a = %i) {
//     scf.yield %b                         ==>   %b = call @k(%a)   still reads %a
//   }                                            %o = linalg.copy %b
//                                                scf.yield %o
//                                              }
#ifndef TESSERA_LIB_TRANSFORMS_KERNEL_REGIONTENSORS_H
#define TESSERA_LIB_TRANSFORMS_KERNEL_REGIONTENSORS_H

#include "dialects/Kernel/IR/Kernel.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tessera {

/// Of a call whose result is what a block gives or a loop begins with: what no other
/// call has. CSE would make one call of equal ones, which stands where the first stood,
/// and what it writes may still be read there.
inline constexpr llvm::StringLiteral kOwnPlaceAttr = "kernel.own_place";

/// Whether `op` is a branch or loop whose blocks have kernels of their own: scf.if
/// and scf.for.
bool isControlFlow(mlir::Operation *op);

/// The blocks of `entry` that operations on tensors may stand in: its own, and those
/// of branches and loops, outer ones first.
llvm::SmallVector<mlir::Block *> entryBlocks(mlir::func::FuncOp entry);

/// Makes branches of selections between whole tensors, which canonicalization makes of
/// branches that compute nothing:
///
///   %r = arith.select %c, %a, %b : tensor<4xf32>
///     ==>  %r = scf.if %c { scf.yield %a } else { scf.yield %b }
void makeBranchesOfSelections(mlir::func::FuncOp entry);

/// Fails with a diagnostic at a loop that carries a tensor whose sizes may change
/// from trip to trip: its place has the bytes of the first.
mlir::LogicalResult checkCarriedSizes(mlir::func::FuncOp entry);

/// The result that a kernel will write the bytes of a tensor for: that result, the
/// one below reshapes, or null if it is no kernel's.
using WriterFunction = llvm::function_ref<mlir::OpResult(mlir::Value)>;

/// Copies results of the entry and of its branches and loops, and initial values of
/// loops, that no kernel of their own would write: arguments, weights, values of
/// outside, one value twice. Before kernels are formed, so that a copy is part of one.
void copyUnwrittenResults(mlir::func::FuncOp entry, WriterFunction writerOf);

/// Once all blocks of `entry` have their kernels: reads conditions that are elements of
/// booleans from the bytes that are stored, erases what nothing uses any more, and
/// copies what the next trip of a loop gets, at the end of the trip, where the kernel
/// that computes it is not behind all that reads what this trip got. Calls that write
/// what a block gives are kept apart. Returns the kernels of the copies.
mlir::FailureOr<llvm::SmallVector<kernel::FuncOp>>
finishRegions(mlir::func::FuncOp entry, mlir::SymbolTable &symbols);

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_KERNEL_REGIONTENSORS_H
