// A look at a shared library's file before the dynamic loader maps it.
#ifndef TESSERA_RUNTIME_LIBRARYFILE_H
#define TESSERA_RUNTIME_LIBRARYFILE_H

#include "Status.h"

#include <string>

namespace tessera::runtime {

/// Checks that `path` is an x86-64 shared library whose loaded segments lie
/// within the file. dlopen maps a truncated one without complaint, and the
/// process dies of SIGBUS when it touches what is missing.
Status checkLibraryFile(const std::string &path);

} // namespace tessera::runtime

#endif // TESSERA_RUNTIME_LIBRARYFILE_H
