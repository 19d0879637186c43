// Parses the command line of `tessera`.
#ifndef TESSERA_TOOLS_TESSERA_COMMANDLINE_H
#define TESSERA_TOOLS_TESSERA_COMMANDLINE_H

#include <CLI/CLI.hpp>

#include <memory>

namespace tessera::tool {

/// Help in 80 columns.
std::shared_ptr<CLI::Formatter> makeHelpFormatter();

/// Parses and runs what was chosen. Prints help, or what is wrong with the
/// nearest name that is known. Returns kUsageError for a wrong command line.
int parseCommandLine(CLI::App &app, int argc, char **argv, int &exitCode);

} // namespace tessera::tool

#endif // TESSERA_TOOLS_TESSERA_COMMANDLINE_H
