// The known name that somebody probably meant.
#include "tools/tessera/Suggestions.h"

#include "lib/Runtime/Bindings.h"

#include "llvm/ADT/StringExtras.h"

std::string tessera::tool::suggestion(llvm::StringRef name,
                                      const std::vector<std::string> &known) {
  if (const std::string *nearest = runtime::nearestName(name.str(), known))
    return "; did you mean '" + *nearest + "'?";
  if (known.empty())
    return "; there are none";
  return "; expects " + llvm::join(known, ", ");
}
