// Options of the C API, which come as text, as CompileOptions and as flags of
// the command line.
#ifndef TESSERA_LIB_CAPI_COMPILEFLAGS_H
#define TESSERA_LIB_CAPI_COMPILEFLAGS_H

#include "lib/Pipeline/CompileOptions.h"
#include "tessera/tessera.h"

#include <string>
#include <vector>

namespace tessera {

/// Sets the field that `name` stands for. Returns "" or what is wrong: an
/// unknown name, or a value that the option does not take.
std::string setCompileOption(CompileOptions &options, const std::string &name,
                             const std::string &value);

/// The arguments of `tessera compile` that mean the same. The option
/// "compiler" is none of them.
std::vector<std::string> commandLine(const char *input, const char *output,
                                     const TesseraCompileOption *options,
                                     int64_t optionCount);

} // namespace tessera

#endif // TESSERA_LIB_CAPI_COMPILEFLAGS_H
