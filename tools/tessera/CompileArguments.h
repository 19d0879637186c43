// The options that say how a model is compiled; `compile` and `run` share them.
#ifndef TESSERA_TOOLS_TESSERA_COMPILEARGUMENTS_H
#define TESSERA_TOOLS_TESSERA_COMPILEARGUMENTS_H

#include "lib/Pipeline/CompileOptions.h"

#include <CLI/CLI.hpp>

namespace tessera::tool {

struct CompileArguments {
  CompileOptions options;
  std::vector<std::string> shapes;
  bool inProcess = false;
};

/// Adds --shape, --tap, -O, --cpu and --machine.
void addMachineAndShape(CLI::App &sub, CompileArguments &arguments);

/// Moves `arguments.shapes`, "seq=128" or "seq=1:128:512", to the options.
/// Reports what is wrong and returns false.
bool parseShapes(CompileArguments &arguments);

/// Compiles in a child process, or here if `inProcess`; prints diagnostics, and
/// on a terminal the phases. Returns the exit code.
int compileModel(const CompileArguments &arguments);

} // namespace tessera::tool

#endif // TESSERA_TOOLS_TESSERA_COMPILEARGUMENTS_H
