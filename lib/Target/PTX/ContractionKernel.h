// A kernel.func read as a matrix product with an epilogue.
#ifndef TESSERA_TARGET_PTX_CONTRACTIONKERNEL_H
#define TESSERA_TARGET_PTX_CONTRACTIONKERNEL_H

#include "dialects/Kernel/IR/Kernel.h"

namespace tessera::ptx {

/// result[row, column] = epilogue(sum over depth of a[row, depth] *
/// b[depth, column]), with b stored [depth, column] or [column, depth].
struct ContractionKernel {
  kernel::FuncOp kernel;
  /// The f32 result of the contraction, the epilogue's root.
  mlir::Value product;
  /// What the kernel yields.
  mlir::Value result;
  /// Numbers of the tensor arguments.
  int64_t a, b, output;
  /// b is [column, depth], as wgmma likes it best.
  bool isDepthInner;
  /// Type of a and b, f16 or bf16.
  mlir::Type operandType;
  /// Inputs that the epilogue reads, increasing.
  llvm::SmallVector<int64_t> epilogueInputs;
};

/// Reads `kernel` as a contraction. Fails with a diagnostic at what does not
/// fit: no or several contractions, operands that are not arguments, other
/// element types than f16 or bf16 with f32 accumulation, an initial value other
/// than zero, several outputs.
mlir::FailureOr<ContractionKernel> readContractionKernel(kernel::FuncOp kernel);

} // namespace tessera::ptx

#endif // TESSERA_TARGET_PTX_CONTRACTIONKERNEL_H
