// From the buffer state, with kernels emitted, to a finished artifact.
#ifndef TESSERA_LIB_PIPELINE_WRITEARTIFACT_H
#define TESSERA_LIB_PIPELINE_WRITEARTIFACT_H

#include "include/tessera/abi.h"

#include "mlir/IR/BuiltinOps.h"

#include <string>

namespace llvm {
class ThreadPoolInterface;
} // namespace llvm

namespace tessera {

enum class ArtifactForm {
  Library,  ///< a shared library, and OUTPUT.weights if so asked
  Object,   ///< an object file with the table
  Assembly, ///< its assembly
  LlvmIr    ///< its optimised LLVM IR
};

struct ArtifactOptions {
  /// The file to write; "-" is standard output for assembly and LLVM IR.
  std::string outputPath;
  ArtifactForm form = ArtifactForm::Library;
  /// Only a library carries appended weights: the other forms say that the caller
  /// gives them at load.
  TesseraWeightPlace weightPlace = TESSERA_WEIGHTS_APPENDED;
  std::string producer = "tessera";
  /// 0 to 3.
  unsigned optLevel = 3;
  /// That compile the code, or null; it outlives the modules' context. The bytes do
  /// not depend on it.
  llvm::ThreadPoolInterface *threads = nullptr;
  /// Path of ld.lld; empty: found by itself.
  std::string linker;
};

/// One model's code for one CPU: a module as `cpu-emit-kernels` leaves it, with at
/// least one `kernel.entry` and the machine that it is for.
struct CodeForCpu {
  mlir::ModuleOp module;
  /// JSON.
  std::string manifest = "{}";
};

/// Seconds that the phases took.
struct PhaseSeconds {
  double lowering = 0;     // MLIR passes
  double translation = 0;  // to LLVM IR
  double optimization = 0; // LLVM IR passes
  double codeGeneration = 0;
  double linking = 0;
  double weights = 0;
};

/// How the writing of an artifact ended.
struct ArtifactResult {
  enum Status {
    Written,
    NoCode,     ///< the code could not be made: a fault of the compiler
    CannotWrite ///< the output or one of its helpers
  };
  Status status = Written;
  PhaseSeconds seconds;
};

/// Lowers the modules in place to the LLVM dialect and writes the artifact, which is
/// there in full or not at all. A library may have code for several CPUs, of which
/// the runtime takes the best; their modules belong to one context and their weights
/// are placed in one section that they share. The other forms take one code. What is
/// not written has a diagnostic.
ArtifactResult writeArtifact(mlir::ArrayRef<CodeForCpu> codes,
                             const ArtifactOptions &options);

} // namespace tessera

#endif // TESSERA_LIB_PIPELINE_WRITEARTIFACT_H
