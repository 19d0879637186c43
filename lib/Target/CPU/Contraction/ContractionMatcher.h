// What the contraction builder knows of its root: loops and affine maps, the same
// for matrix products and convolutions.
//
// Every loop has a number; `lhsMap`, `rhsMap` and `resultMap` give the indices of
// the operands' and the result's elements over these numbers:
//
//   linalg.matmul            loops (m, n, k): lhs (m, k), rhs (k, n), result (m, n)
//   graph.conv, 3x3, pad 1   loops (n, h, w, o, kh, kwc): with C channels
//                            lhs (n, h + kh - 1, w * C + kwc - C), its last two
//                            dimensions collapsed, rhs (kh * 3 * C + kwc, o)
//
// The row loop is the one whose neighbours share a register tile, the column loop
// the one along vectors.
#ifndef TESSERA_TARGET_CPU_CONTRACTIONMATCHER_H
#define TESSERA_TARGET_CPU_CONTRACTIONMATCHER_H

#include "dialects/Kernel/IR/Kernel.h"

#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/AffineMap.h"

namespace tessera::cpu {

/// A dimension of a tensor of the kernel's body.
struct TensorDimension {
  mlir::Value tensor;
  int64_t dimension = 0;
};

/// One loop: its size where it is known, and where else to read it.
struct ContractionLoop {
  int64_t size = mlir::ShapedType::kDynamic;
  TensorDimension origin;

  bool isUnit() const { return size == 1; }
};

/// A spatial dimension of a convolution whose window may leave the input: tap t
/// of position p reads element p * stride + t * dilation - padLow.
struct ContractionWindow {
  /// Loop over positions, and the reduction loop over taps.
  unsigned position, tap;
  /// Taps, and elements of the tap loop for each tap (more than one when the
  /// loop also runs over the channels).
  int64_t kernel, tapSize;
  int64_t stride, dilation, padLow, padHigh;
  /// Size of the input.
  ContractionLoop input;
};

/// The root of a contraction kernel.
struct Contraction {
  mlir::Operation *root = nullptr;
  mlir::Value result, lhs, rhs;
  /// What the accumulators start from; null: zero.
  mlir::Value init;

  llvm::SmallVector<ContractionLoop> loops;
  mlir::AffineMap lhsMap, rhsMap, resultMap;
  llvm::SmallVector<unsigned> outer, reduction;
  unsigned row = 0, column = 0;

  /// How the operands are collapsed before the maps apply; empty: not at all.
  llvm::SmallVector<mlir::ReassociationIndices> lhsGroups, rhsGroups;

  /// Windows with padding. Those without never leave the input.
  llvm::SmallVector<ContractionWindow> windows;

  /// The left operand varies along the column loop: vectors meet vectors, as
  /// in a depthwise convolution.
  bool lhsIsVector = false;

  /// The window over the row loop, or null.
  const ContractionWindow *rowWindow() const;
  const ContractionWindow *windowOfTap(unsigned loop) const;
  unsigned addLoop(int64_t size, TensorDimension origin);
};

/// Finds the one contraction or convolution of `kernel`. Fails with a diagnostic
/// when there is none or several, or it has no form that the builder knows.
mlir::FailureOr<Contraction> matchContraction(kernel::FuncOp kernel);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_CONTRACTIONMATCHER_H
