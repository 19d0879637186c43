// One compilation, from a file to a file: the front door of the compiler, which
// the command line and the C API share.
#ifndef TESSERA_LIB_PIPELINE_COMPILER_H
#define TESSERA_LIB_PIPELINE_COMPILER_H

#include "lib/Pipeline/CompileOptions.h"

#include <functional>
#include <string>

namespace tessera {

/// How a compilation ended; also the exit code of `tessera compile`.
enum class CompileStatus {
  Success = 0,
  InvalidOptions = 2, ///< an option, or a size that the model does not have
  InvalidInput = 3,   ///< the model is unreadable or contradicts itself
  Unsupported = 4,    ///< the model is valid but uses what is not supported
  CannotWrite = 5,    ///< the output or one of its helpers
  InternalError = 70  ///< a fault of the compiler
};

/// What a compilation tells while it runs.
struct CompileObserver {
  /// A diagnostic: "error: node 'x' (Add, opset 17): …". Never null.
  std::function<void(const std::string &message)> diagnostic;
  /// A phase begins: "import", "graph", "kernel" …. May be null.
  std::function<void(const std::string &phase)> phase;
};

/// Compiles `options.input` and writes `options.output`, all or nothing. Crashes
/// of LLVM cannot be caught in process: run it in a child where that matters.
CompileStatus compile(const CompileOptions &options,
                      const CompileObserver &observer);

} // namespace tessera

#endif // TESSERA_LIB_PIPELINE_COMPILER_H
