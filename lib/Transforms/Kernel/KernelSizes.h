// The sizes that a kernel is given: as few as all its sizes are expressions of, and
// those of its own tensors rather than those of the model's inputs:
//
//   (n, (h - 1) floordiv 8 + 1) in, (n, (h - 1) floordiv 16 + 1) out
//     ==>  s0 = n, s1 = (h - 1) floordiv 8 + 1
//          (s0, s1) in, (s0, (s1 - 1) floordiv 2 + 1) out
//
// What does the same at several scales of an image is then one kernel.
#ifndef TESSERA_TRANSFORMS_KERNEL_KERNELSIZES_H
#define TESSERA_TRANSFORMS_KERNEL_KERNELSIZES_H

#include "mlir/IR/AffineExpr.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

namespace tessera {

class KernelSizes {
public:
  /// `sizes`: all that the kernel's body is made of.
  explicit KernelSizes(llvm::ArrayRef<mlir::AffineExpr> sizes);

  /// What the kernel is given, in order.
  llvm::ArrayRef<mlir::AffineExpr> get() const { return arguments; }

  /// `size` over what the kernel is given: symbol i is `get()[i]`. Null if it is
  /// no expression of that.
  mlir::AffineExpr expressionOf(mlir::AffineExpr size) const;

private:
  mlir::AffineExpr quotientOf(mlir::AffineExpr size) const;

  llvm::SmallVector<mlir::AffineExpr> arguments;
};

} // namespace tessera

#endif // TESSERA_TRANSFORMS_KERNEL_KERNELSIZES_H
