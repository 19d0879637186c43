// Exit codes of `tessera`; docs/troubleshooting.md explains each.
#ifndef TESSERA_TOOLS_TESSERA_EXITCODES_H
#define TESSERA_TOOLS_TESSERA_EXITCODES_H

#include "lib/Pipeline/Compiler.h"

namespace tessera::tool {

enum ExitCode {
  kSuccess = 0,
  kDifferent = 1, ///< run --compare: above the tolerance
  kUsageError = static_cast<int>(CompileStatus::InvalidOptions),
  kInvalidInput = static_cast<int>(CompileStatus::InvalidInput),
  kUnsupported = static_cast<int>(CompileStatus::Unsupported),
  kCannotWrite = static_cast<int>(CompileStatus::CannotWrite),
  kWrongMachine = 6, ///< the model needs CPU features that are not here
  kRunFailed = 7,    ///< a check in the model failed, or it crashed
  kInternalError = static_cast<int>(CompileStatus::InternalError),
  kOutOfMemory = 71
};

/// The same for people, one a line, for `tessera --help`.
extern const char *const kExitCodesText;

} // namespace tessera::tool

#endif // TESSERA_TOOLS_TESSERA_EXITCODES_H
