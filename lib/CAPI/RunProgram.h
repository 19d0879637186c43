// Runs a program and hands on what it says, line by line.
#ifndef TESSERA_LIB_CAPI_RUNPROGRAM_H
#define TESSERA_LIB_CAPI_RUNPROGRAM_H

#include <functional>
#include <string>
#include <vector>

namespace tessera {

struct ProgramResult {
  enum Kind { Exited, Signalled, NotStarted };
  Kind kind;
  /// The exit code, the signal's number, or errno.
  int code;
};

/// Runs `program` (looked up in PATH if it has no slash) with `arguments`,
/// waits for it, and calls `line` for each line of its standard output and
/// error.
ProgramResult runProgram(const std::string &program,
                         const std::vector<std::string> &arguments,
                         const std::function<void(const std::string &)> &line);

} // namespace tessera

#endif // TESSERA_LIB_CAPI_RUNPROGRAM_H
