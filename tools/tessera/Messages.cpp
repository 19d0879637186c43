// What the tool says on standard error.
#include "tools/tessera/Messages.h"
#include "tools/tessera/ExitCodes.h"

#include "lib/Importer/Onnx/ReadableText.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/raw_ostream.h"

#include <cstdlib>
#include <unistd.h>

using llvm::StringRef;

namespace tessera::tool {
namespace {

bool isTerminal() {
  const char *kind = std::getenv("TERM");
  return isatty(STDERR_FILENO) && kind && StringRef(kind) != "dumb";
}

/// As no-color.org asks: set and not empty.
bool wantsColour() {
  const char *refused = std::getenv("NO_COLOR");
  return isTerminal() && !(refused && *refused);
}

} // namespace

void printError(const llvm::Twine &message) {
  printMessage(("error: " + message).str());
}

void printMessage(const std::string &text) {
  const std::string message = onnx_importer::readable(text);
  static const bool colour = wantsColour();
  llvm::raw_ostream &out = llvm::errs();
  if (isTerminal())
    out << "\r\x1b[K"; // over a line of progress
  for (StringRef line : llvm::split(StringRef(message).rtrim('\n'), '\n')) {
    if (colour)
      for (auto [kind, code] : {std::pair<StringRef, const char *>
                                    {"error:", "\x1b[1;31m"},
                                {"warning:", "\x1b[1;35m"},
                                {"note:", "\x1b[1;36m"}})
        if (line.consume_front(kind)) {
          out << code << kind << "\x1b[0m";
          break;
        }
    out << line << '\n';
  }
}

int finishOutput(int code) {
  llvm::outs().flush();
  std::error_code error = llvm::outs().error();
  if (!error)
    return code;
  llvm::outs().clear_error();
  printError("cannot write to standard output: " + error.message());
  return code == kSuccess ? kCannotWrite : code;
}

Progress::Progress() : shown(isTerminal()) {}

void Progress::show(StringRef what) {
  if (!shown)
    return;
  llvm::errs() << "\r\x1b[Ktessera: " << what << " ...";
  dirty = true;
}

void Progress::clear() {
  if (dirty)
    llvm::errs() << "\r\x1b[K";
  dirty = false;
}

} // namespace tessera::tool
