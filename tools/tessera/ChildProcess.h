// Work in a child process, so that a crash of LLVM becomes an error.
#ifndef TESSERA_TOOLS_TESSERA_CHILDPROCESS_H
#define TESSERA_TOOLS_TESSERA_CHILDPROCESS_H

#include <functional>
#include <string>

namespace tessera::tool {

/// Runs `work` in a forked child and returns its exit code. A child that a
/// signal ends gives an error that says what it was doing and exit code 70;
/// SIGINT and SIGTERM are passed on and give 128 + the signal.
int runInChild(const std::function<int()> &work, const std::string &doing);

} // namespace tessera::tool

#endif // TESSERA_TOOLS_TESSERA_CHILDPROCESS_H
