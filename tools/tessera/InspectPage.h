// A compiled model as one HTML page that needs nothing else.
#ifndef TESSERA_TOOLS_TESSERA_INSPECTPAGE_H
#define TESSERA_TOOLS_TESSERA_INSPECTPAGE_H

#include "lib/Runtime/Model.h"

#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <map>
#include <string>

namespace tessera::tool {

/// What the page shows the model at.
struct PageOptions {
  /// Sizes of the entry's symbols by name; the others are typical.
  std::map<std::string, int64_t> sizes;
  /// What `run --profile` wrote, or empty. Its sizes and threads are shown.
  std::string profile;
};

/// The page of the model's first entry: kernel calls with their nodes, bytes and,
/// from a profile, seconds; the arena over time; inputs, outputs and sizes. Fails
/// if a size or the profile is not of this model, and if the model was made by a
/// compiler that did not describe its calls; the error's code is
/// std::errc::invalid_argument for a size.
llvm::Expected<std::string> makePage(const runtime::Model &model,
                                     const PageOptions &options);

} // namespace tessera::tool

#endif // TESSERA_TOOLS_TESSERA_INSPECTPAGE_H
