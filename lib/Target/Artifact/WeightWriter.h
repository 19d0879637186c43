// Writes the weight bytes of an artifact: runs each weight's recipe, streaming.
#ifndef TESSERA_TARGET_ARTIFACT_WEIGHTWRITER_H
#define TESSERA_TARGET_ARTIFACT_WEIGHTWRITER_H

#include "include/tessera/abi.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Support/LLVM.h"

namespace tessera::artifact {

/// How many bytes there are, and XXH64 (seed 0) of them.
struct WeightDigest {
  uint64_t bytes = 0;
  uint64_t hash = 0;
};

/// Bytes of all weights that the `kernel.entry`s of `modules` place: the largest
/// `bytes` of an entry. Here and below, several modules are one model for several
/// CPUs, after shareWeights; the first is what messages are about.
uint64_t weightBytesOf(mlir::ArrayRef<mlir::ModuleOp> modules);

/// Writes the weights that the `kernel.entry`s of `modules` place to the file
/// descriptor `file`, or nowhere if it is -1 (for the hash). Holds the pages of
/// one weight's source and a buffer of 32 MB at most; a reshape that does not
/// follow the order of a transposed source goes through a temporary file beside
/// `outputPath`. Fails with a diagnostic at the `graph.weights`, or at the module if
/// `outputPath` cannot be written.
mlir::FailureOr<WeightDigest> writeWeights(mlir::ArrayRef<mlir::ModuleOp> modules, int file,
                                           llvm::StringRef outputPath);

/// Appends padding, the weights and their mark to the library at `libraryPath`
/// and writes their hash into its table. `bytes` is what the table says.
/// `outputPath` is what messages call the file.
mlir::LogicalResult appendWeights(mlir::ArrayRef<mlir::ModuleOp> modules,
                                  llvm::StringRef libraryPath,
                                  llvm::StringRef outputPath);

/// Writes a weight file: mark, padding, weights. The file has to exist.
mlir::FailureOr<WeightDigest> writeWeightFile(mlir::ArrayRef<mlir::ModuleOp> modules,
                                              llvm::StringRef path,
                                              llvm::StringRef outputPath);

} // namespace tessera::artifact

#endif // TESSERA_TARGET_ARTIFACT_WEIGHTWRITER_H
