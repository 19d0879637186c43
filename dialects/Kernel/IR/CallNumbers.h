// The numbers of the kernel calls of an entry.
//
// Calls (kernel state) and launches (buffer state) are numbered from 0 in the order
// in which the entry names them, those of branches and loop bodies where these
// stand. A call keeps its number when it is skipped or run many times:
//
//   kernel.launch @a                       0
//   scf.if %c { kernel.launch @b }         1
//   else      { kernel.launch @c }         2
//   scf.for … { kernel.launch @d }         3, in every trip
//   kernel.launch @e                       4
//
// Life times of values, the manifest's calls and TesseraContext.afterCall count so.
#ifndef TESSERA_DIALECTS_KERNEL_IR_CALLNUMBERS_H
#define TESSERA_DIALECTS_KERNEL_IR_CALLNUMBERS_H

#include "dialects/Kernel/IR/Kernel.h"

#include "llvm/ADT/DenseMap.h"

#pragma GCC visibility push(default) // as in Kernel.h

namespace tessera::kernel {

class CallNumbers {
public:
  /// Numbers the calls of `function` as it is now.
  explicit CallNumbers(mlir::Operation *function);

  /// All calls in order: `all()[n]` has number n.
  llvm::ArrayRef<mlir::Operation *> all() const { return calls; }

  /// The number of the first call in or after `op`; of a call, its own.
  int64_t first(mlir::Operation *op) const { return ranges.at(op).first; }

  /// The number of the first call after `op` and what stands in it.
  int64_t end(mlir::Operation *op) const { return ranges.at(op).second; }

private:
  void number(mlir::Operation *op);

  llvm::SmallVector<mlir::Operation *> calls;
  llvm::DenseMap<mlir::Operation *, std::pair<int64_t, int64_t>> ranges;
};

} // namespace tessera::kernel

#pragma GCC visibility pop

#endif // TESSERA_DIALECTS_KERNEL_IR_CALLNUMBERS_H
