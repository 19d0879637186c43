// A compiled model's file: opened once, checked, loaded by the dynamic loader.
#ifndef TESSERA_RUNTIME_LIBRARYFILE_H
#define TESSERA_RUNTIME_LIBRARYFILE_H

#include "Status.h"

#include <string>

namespace tessera::runtime {

/// An open file, and the library in it once it is loaded. What was opened stays
/// what it is: a file that takes its place is another library, also when both
/// are loaded in one process at once.
class LibraryFile {
public:
  LibraryFile() = default;
  LibraryFile(LibraryFile &&other) noexcept;
  LibraryFile &operator=(LibraryFile &&other) noexcept;
  ~LibraryFile();

  /// Opens `path` and checks that it is an x86-64 shared library whose loaded
  /// segments lie within the file. dlopen maps a truncated one without
  /// complaint, and the process dies of SIGBUS when it touches what is missing.
  static Result<LibraryFile> open(const std::string &path);

  /// Loads the library. None of its code runs if it has no constructors.
  Status load();

  /// The symbol's address in the loaded library, or null.
  const void *find(const char *symbol) const;

  /// Bytes of the segments that can be executed.
  uint64_t codeBytes() const { return machineCodeBytes; }

  /// The file's descriptor; below 0 after close().
  int descriptor() const { return file; }
  /// Closes the file; the library stays loaded.
  void close();

private:
  Status check();

  std::string path;
  int file = -1;
  uint64_t machineCodeBytes = 0;
  void *library = nullptr;
};

} // namespace tessera::runtime

#endif // TESSERA_RUNTIME_LIBRARYFILE_H
