// The subcommands of `tessera`, one file each.
#ifndef TESSERA_TOOLS_TESSERA_SUBCOMMANDS_H
#define TESSERA_TOOLS_TESSERA_SUBCOMMANDS_H

#include <CLI/CLI.hpp>

namespace tessera::tool {

/// Each adds its subcommand to `app`; when that is chosen, parsing calls it and
/// stores its exit code in `exitCode`.
void addCompile(CLI::App &app, int &exitCode);
void addRun(CLI::App &app, int &exitCode);
void addCheck(CLI::App &app, int &exitCode);
void addInspect(CLI::App &app, int &exitCode);

} // namespace tessera::tool

#endif // TESSERA_TOOLS_TESSERA_SUBCOMMANDS_H
