// What a compilation is asked to do.
#include "lib/Pipeline/CompileOptions.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/Support/Path.h"

using namespace llvm;

std::string tessera::defaultOutput(const std::string &input, EmitKind emit) {
  SmallString<128> path(input);
  static const char *const extensions[] = {
      "graph.mlir", "kernel.mlir", "buffer.mlir", "ll", "s", "o", "so"};
  llvm::sys::path::replace_extension(path, extensions[static_cast<int>(emit)]);
  return path.str().str();
}

bool tessera::parseSizeRange(const std::string &text, int64_t &min,
                             int64_t &typical, int64_t &max) {
  SmallVector<StringRef> parts;
  StringRef(text).split(parts, ':');
  int64_t values[3];
  if (parts.size() != 1 && parts.size() != 3)
    return false;
  for (auto [i, part] : llvm::enumerate(parts))
    if (part.getAsInteger(10, values[i]) || values[i] < 0)
      return false;
  min = values[0];
  typical = parts.size() == 3 ? values[1] : min;
  max = parts.size() == 3 ? values[2] : min;
  return min <= typical && typical <= max;
}
