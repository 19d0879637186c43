// A product as loops and affine maps, the same for matrix products and
// convolutions.
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
// the one along vectors. Which loop is which is decided here and nowhere else: cost
// models and builders must speak of the same kernel.
#ifndef TESSERA_DIALECTS_INTERFACES_CONTRACTION_H
#define TESSERA_DIALECTS_INTERFACES_CONTRACTION_H

#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"
#include "mlir/IR/TypeUtilities.h"
#include "mlir/IR/AffineMap.h"
#include "mlir/IR/Diagnostics.h"
#include "mlir/IR/OpDefinition.h"

namespace mlir {
class DialectRegistry;
} // namespace mlir

// Passes that are built elsewhere link these (docs/extending.md), whatever the
// visibility that this file is compiled with.
#pragma GCC visibility push(default)

namespace tessera {

/// A dimension of a tensor.
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

/// How the integers of an operand are read.
enum class Signedness { Signed, Unsigned };

/// A product.
struct Contraction {
  mlir::Operation *root = nullptr;
  mlir::Value result;
  /// The operands: rows and columns of the product are in one of them each.
  mlir::OpOperand *lhsUse = nullptr, *rhsUse = nullptr;
  /// What the sums start from; null: zero.
  mlir::Value init;
  /// Of bytes, which are summed in i32.
  Signedness lhsSignedness = Signedness::Signed,
             rhsSignedness = Signedness::Signed;

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

  mlir::Value lhs() const { return lhsUse->get(); }
  mlir::Value rhs() const { return rhsUse->get(); }
  mlir::Type lhsType() const { return mlir::getElementTypeOrSelf(lhs()); }
  mlir::Type rhsType() const { return mlir::getElementTypeOrSelf(rhs()); }
  /// The type of sums, which is the result's.
  mlir::Type sumType() const { return mlir::getElementTypeOrSelf(result); }

  /// The window over the row loop, or null.
  const ContractionWindow *rowWindow() const;
  const ContractionWindow *windowOfTap(unsigned loop) const;
  unsigned addLoop(int64_t size, TensorDimension origin);
};

/// Whether `op` (may be null) is a product.
bool isContraction(mlir::Operation *op);

/// The product that `op` is. Fails where it is none or has no form with rows and
/// columns; `emitError` takes the reason.
mlir::FailureOr<Contraction> contractionOf(
    mlir::Operation *op,
    llvm::function_ref<mlir::InFlightDiagnostic()> emitError = nullptr);

/// Whether `tensor` is an argument of a kernel, reshaped at most: its memory is
/// dense, so its dimensions can be collapsed.
bool mayCollapse(mlir::Value tensor);

/// Whether `op` (may be null) changes the sign bits of bytes, which makes unsigned
/// numbers signed ones, less 128, and signed ones unsigned, plus 128.
bool isSignFlip(mlir::Operation *op);

/// Makes the structured operations of linalg contractions.
void registerLinalgContractions(mlir::DialectRegistry &registry);

} // namespace tessera

#include "dialects/Interfaces/ContractionOpInterface.h.inc"

#pragma GCC visibility pop

#endif // TESSERA_DIALECTS_INTERFACES_CONTRACTION_H
