// Typical sizes of the tensors of a kernel, for cost models.
#ifndef TESSERA_LIB_COSTMODEL_TYPICALSIZES_H
#define TESSERA_LIB_COSTMODEL_TYPICALSIZES_H

#include "dialects/Graph/IR/SizeAnalysis.h"
#include "dialects/Kernel/IR/Kernel.h"

namespace tessera {

/// Sizes of the tensors of a kernel's body at typical values of its symbols, read
/// from the first `kernel.call` of the kernel.
class TypicalSizes {
public:
  explicit TypicalSizes(kernel::FuncOp kernel);

  /// The size of dimension `dimension` of `tensor`; 128 where nothing is known.
  int64_t of(mlir::Value tensor, int64_t dimension);

private:
  graph::SizeAnalysis sizes;
  unsigned firstSymbol;
  llvm::SmallVector<int64_t> typical;
};

} // namespace tessera

#endif // TESSERA_LIB_COSTMODEL_TYPICALSIZES_H
