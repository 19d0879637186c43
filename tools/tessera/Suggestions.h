// The known name that somebody probably meant.
#ifndef TESSERA_TOOLS_TESSERA_SUGGESTIONS_H
#define TESSERA_TOOLS_TESSERA_SUGGESTIONS_H

#include "llvm/ADT/StringRef.h"

#include <string>
#include <vector>

namespace tessera::tool {

/// "; did you mean 'seq'?" with the name that takes the fewest edits to reach,
/// or "; expects a, b, c" if none is near.
std::string suggestion(llvm::StringRef name,
                       const std::vector<std::string> &known);

} // namespace tessera::tool

#endif // TESSERA_TOOLS_TESSERA_SUGGESTIONS_H
