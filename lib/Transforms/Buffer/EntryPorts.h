// Inputs and outputs of an entry, and which outputs extend an input (caches).
#ifndef TESSERA_LIB_TRANSFORMS_BUFFER_ENTRYPORTS_H
#define TESSERA_LIB_TRANSFORMS_BUFFER_ENTRYPORTS_H

#include "lib/Transforms/Buffer/EntrySizes.h"

#include "dialects/Kernel/IR/Append.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tessera {

/// Where the bytes of a tensor are.
struct Place {
  kernel::StorageKind kind;
  int64_t position;
};

/// The output that an input is extended to, or the other way round.
struct Extension {
  int64_t other = -1, dimension = 0;
};

class EntryPorts {
public:
  /// Fails with a diagnostic where a `kernel.append` is no output that extends an
  /// input, and where a port's sizes depend on data.
  static mlir::FailureOr<EntryPorts> of(mlir::func::FuncOp entry,
                                        graph::SizeAnalysis &sizes,
                                        EntrySizes &entrySizes);

  /// `#kernel.port`s for the `kernel.entry`.
  llvm::ArrayRef<mlir::Attribute> getInputs() const { return inputs; }
  llvm::ArrayRef<mlir::Attribute> getOutputs() const { return outputs; }

  /// The extension of the input or output at `place`, or null.
  const Extension *extensionAt(const Place &place) const;

  /// The append that `tensor` is an operand of, or null.
  kernel::AppendOp appendOf(mlir::Value tensor) const {
    return parts.lookup(tensor);
  }

  /// For each output the dimension that it extends its input along, or 0; empty
  /// if none extends one.
  llvm::SmallVector<int64_t> appendAxes() const;

private:
  mlir::LogicalResult findAppends(mlir::func::FuncOp entry);
  mlir::LogicalResult describe(mlir::func::FuncOp entry,
                               graph::SizeAnalysis &sizes,
                               EntrySizes &entrySizes);

  llvm::SmallVector<mlir::Attribute> inputs, outputs;
  /// By the number of an input or output.
  llvm::DenseMap<int64_t, Extension> extendedInputs, extendingOutputs;
  llvm::DenseMap<mlir::Value, kernel::AppendOp> parts;
};

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_BUFFER_ENTRYPORTS_H
