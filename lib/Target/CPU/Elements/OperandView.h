// Tensors of a kernel's body that are arguments seen through reshapes,
// transposes and slices, as views of the arguments' memrefs.
#ifndef TESSERA_TARGET_CPU_OPERANDVIEW_H
#define TESSERA_TARGET_CPU_OPERANDVIEW_H

#include "lib/Target/Elements/ElementEmitter.h"

#include "mlir/Dialect/Utils/ReshapeOpsUtils.h"

namespace tessera::cpu {

/// `memref` with its dimensions collapsed by `groups`, in the order of memory.
mlir::Value collapseMemref(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::Value memref,
                           mlir::ArrayRef<mlir::ReassociationIndices> groups);

/// Builds views; emits size arithmetic where it is used.
class OperandViews {
public:
  /// `memrefs`: one for each tensor argument of the kernel.
  OperandViews(mlir::ArrayRef<mlir::Value> memrefs, ElementEmitter &elements)
      : memrefs(memrefs.begin(), memrefs.end()), elements(elements) {}

  /// The memref that holds `tensor`, or null when it is computed or its layout
  /// has no memref type. With `isFlipped` bytes may be computed by changing sign
  /// bits: whether those of the memref differ is then written to it.
  mlir::Value view(mlir::OpBuilder &builder, mlir::Location loc,
                   mlir::Value tensor, bool *isFlipped = nullptr);

  /// `memref` with its dimensions collapsed by `groups`, or null.
  static mlir::Value
  collapse(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value memref,
           mlir::ArrayRef<mlir::ReassociationIndices> groups);

private:
  llvm::SmallVector<mlir::Value> memrefs;
  ElementEmitter &elements;
};

/// The stride of dimension `dimension` where it is static, else kDynamic.
int64_t staticStride(mlir::Value memref, int64_t dimension);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_OPERANDVIEW_H
