// From the buffer state, with kernels emitted, to a finished artifact.
#ifndef TESSERA_TARGET_CPU_COMPILETOLIBRARY_H
#define TESSERA_TARGET_CPU_COMPILETOLIBRARY_H

#include "include/tessera/abi.h"
#include "lib/Target/CPU/Code/CpuTarget.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace llvm {
class ThreadPoolInterface;
} // namespace llvm

namespace tessera::cpu {

/// Seconds that the phases of a compilation took. Those of LLVM's passes and of code
/// generation are the sums over threads.
struct PhaseSeconds {
  double lowering = 0;     // MLIR passes
  double translation = 0;  // to LLVM IR
  double optimization = 0; // LLVM IR passes
  double codeGeneration = 0;
  double linking = 0;
  double weights = 0;
};

struct ArtifactOptions {
  /// The file to write; "-" is standard output for assembly and LLVM IR.
  std::string outputPath;
  TesseraWeightPlace weightPlace = TESSERA_WEIGHTS_APPENDED;
  std::string producer = "tessera";
  /// JSON.
  std::string manifest = "{}";
  /// 0 to 3.
  unsigned optLevel = 3;
  /// That compile the code, or null; it outlives the modules' context. The bytes do
  /// not depend on it.
  llvm::ThreadPoolInterface *threads = nullptr;
  /// Path of ld.lld; empty: found by itself.
  std::string linker;
  /// Filled if not null.
  PhaseSeconds *seconds = nullptr;
  /// Set if not null and it was the code that could not be made, which is a
  /// fault of the compiler, and not the output that could not be written.
  bool *codeFailed = nullptr;
};

/// One model's code for one CPU: a module as `cpu-emit-kernels` leaves it.
struct CodeForCpu {
  mlir::ModuleOp module;
  CpuTarget target;
  /// JSON.
  std::string manifest;
};

/// Writes one shared library with code for several CPUs, of which the runtime
/// takes the best. The modules belong to one context, their weights are placed
/// in one section that they share; `options.manifest` is not used. Else as
/// below.
mlir::LogicalResult emitLibrary(mlir::ArrayRef<CodeForCpu> codes,
                                const ArtifactOptions &options);

/// Each takes a module as `cpu-emit-kernels` leaves it, with at least one
/// `kernel.entry`, lowers it in place to the LLVM dialect, and writes
/// `outputPath`: a shared library (and `outputPath`.weights if so asked), an
/// object file with the table, its assembly or its optimised LLVM IR. The
/// output is there in full or not at all. Each fails with a diagnostic.
///
/// Only a library carries appended weights: the others say that the caller
/// gives them at load.
mlir::LogicalResult emitLibrary(mlir::ModuleOp module, const CpuTarget &target,
                                const ArtifactOptions &options);
mlir::LogicalResult emitObject(mlir::ModuleOp module, const CpuTarget &target,
                               const ArtifactOptions &options);
mlir::LogicalResult emitAssembly(mlir::ModuleOp module, const CpuTarget &target,
                                 const ArtifactOptions &options);
mlir::LogicalResult emitLlvmIr(mlir::ModuleOp module, const CpuTarget &target,
                               const ArtifactOptions &options);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_COMPILETOLIBRARY_H
