// Links object code into a shared library by ld.lld.
#ifndef TESSERA_TARGET_ARTIFACT_LINKLIBRARY_H
#define TESSERA_TARGET_ARTIFACT_LINKLIBRARY_H

#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <string>

namespace tessera::artifact {

/// The object uses what neither it nor the C library has.
class UnresolvedSymbols
    : public llvm::ErrorInfo<UnresolvedSymbols, llvm::StringError> {
public:
  static char ID;
  explicit UnresolvedSymbols(const llvm::Twine &message)
      : ErrorInfo(message, llvm::inconvertibleErrorCode()) {}
};

/// Links the object files at `objectPaths` into a shared library at
/// `outputPath`, which needs libm and libc only and exports `tessera_module`
/// only. The same objects give the same bytes whatever the paths. `linker` is
/// the path of ld.lld, or empty: then it is looked for in PATH and where LLVM
/// is installed. Fails if the linker is missing, dies, or reports an error, with
/// its words; with UnresolvedSymbols if it is that. A limit on the size of files
/// is such an error. Nothing but `outputPath` itself is left behind.
llvm::Error linkLibrary(llvm::ArrayRef<std::string> objectPaths,
                        llvm::StringRef outputPath,
                        llvm::StringRef linker = {});

} // namespace tessera::artifact

#endif // TESSERA_TARGET_ARTIFACT_LINKLIBRARY_H
