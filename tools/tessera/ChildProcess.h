// Work in a child process, so that a crash becomes an error.
#ifndef TESSERA_TOOLS_TESSERA_CHILDPROCESS_H
#define TESSERA_TOOLS_TESSERA_CHILDPROCESS_H

#include <functional>
#include <string>

namespace tessera::tool {

/// What to say of a child that a signal ended.
struct ChildTexts {
  /// "compiling 'model.onnx'".
  std::string doing;
  /// Exit code and a note for a crash.
  int crashCode;
  std::string crashNote;
};

/// Runs `work` in a forked child and returns its exit code. A child that crashes
/// or has no memory gives an error that says what it was doing. SIGINT and
/// SIGTERM are passed on to the child and what it started, and give 128 + the
/// signal; so does SIGPIPE, without a message.
int runInChild(const std::function<int()> &work, const ChildTexts &texts);

/// From here on, memory that cannot be had ends this process with a message and
/// kOutOfMemory, and removes its unfinished files.
void exitWhenOutOfMemory();

} // namespace tessera::tool

#endif // TESSERA_TOOLS_TESSERA_CHILDPROCESS_H
