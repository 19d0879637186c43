// A file that is there only until it is finished.
#ifndef TESSERA_TARGET_ARTIFACT_TEMPORARYFILE_H
#define TESSERA_TARGET_ARTIFACT_TEMPORARYFILE_H

#include "llvm/Support/Error.h"

#include <string>

namespace tessera::artifact {

/// A new file beside `target`, removed at the end of the scope and on signals
/// unless it was renamed to `target`.
class TemporaryFile {
public:
  /// Creates the empty file `.NAME-1234abcd SUFFIX` in the folder of `target`.
  /// Fails, naming the folder, if it cannot be written.
  static llvm::Expected<TemporaryFile> create(llvm::StringRef target,
                                              llvm::StringRef suffix);
  TemporaryFile(TemporaryFile &&other);
  TemporaryFile &operator=(TemporaryFile &&) = delete;
  ~TemporaryFile();

  const std::string &path() const { return name; }

  /// Gives the file its final name, replacing what is there.
  llvm::Error keep();

private:
  TemporaryFile(std::string name, std::string target)
      : name(std::move(name)), target(std::move(target)) {}

  std::string name; // empty: nothing to remove
  std::string target;
};

/// An error "verb 'path': reason".
llvm::Error fileError(llvm::StringRef verb, llvm::StringRef path,
                      std::error_code reason);

} // namespace tessera::artifact

#endif // TESSERA_TARGET_ARTIFACT_TEMPORARYFILE_H
