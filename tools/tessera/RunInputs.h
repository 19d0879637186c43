// The inputs of `tessera run`: from files, else random.
#ifndef TESSERA_TOOLS_TESSERA_RUNINPUTS_H
#define TESSERA_TOOLS_TESSERA_RUNINPUTS_H

#include "tools/tessera/NumpyFiles.h"

#include "tessera/tessera.hpp"

#include <map>

namespace tessera::tool {

/// What the command line says about inputs.
struct InputArguments {
  /// "NAME=FILE" or "FILE.npz".
  std::vector<std::string> files;
  /// Sizes of symbols for random inputs, "SYMBOL=SIZE".
  std::vector<std::string> sizes;
  uint64_t seed = 0;
};

/// An input of the model and, for a size known at run time, its symbol.
using Ports = std::vector<tessera::Port>;

/// One array for each port, in their order. What no file gives is random; its
/// sizes are those that the files' arrays bind, then those of `sizes`, then the
/// symbols' typical ones. Integers stay below the bound that `manifest` (JSON of
/// the compiler) has for the input, or are 0 and 1. The error's code is
/// std::errc::invalid_argument if the arguments are wrong and not the files.
llvm::Expected<NamedArrays> makeInputs(TesseraSession *session,
                                       const Ports &ports,
                                       const InputArguments &arguments,
                                       llvm::StringRef manifest);

/// Splits "NAME=FILE" at the last '=' behind which the name of an existing file
/// stands, else at the last one. FILE alone, existing and without a name, gives
/// an empty name.
std::pair<std::string, std::string> splitInput(llvm::StringRef text);

} // namespace tessera::tool

#endif // TESSERA_TOOLS_TESSERA_RUNINPUTS_H
