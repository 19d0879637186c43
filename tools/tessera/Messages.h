// What the tool says on standard error.
#ifndef TESSERA_TOOLS_TESSERA_MESSAGES_H
#define TESSERA_TOOLS_TESSERA_MESSAGES_H

#include "llvm/ADT/Twine.h"

#include <string>

namespace tessera::tool {

/// Prints "error: …", in colour on a terminal unless NO_COLOR is set.
void printError(const llvm::Twine &message);

/// Prints a diagnostic, whose lines begin with "error: ", "warning: " or
/// "note: ".
void printMessage(const std::string &message);

/// Writes out what standard output holds. The exit code of a command that would
/// end with `code`: if that was success and not all could be written, which is
/// reported, another.
int finishOutput(int code);

/// One line on a terminal that says what is going on, and is gone at the end.
/// Nothing anywhere else.
class Progress {
public:
  Progress();
  ~Progress() { clear(); }
  bool isShown() const { return shown; }
  void show(llvm::StringRef what);

private:
  void clear();
  bool shown;
  bool dirty = false;
};

} // namespace tessera::tool

#endif // TESSERA_TOOLS_TESSERA_MESSAGES_H
