// NumPy's files: .npy with one array, .npz (a zip archive) with several.
#ifndef TESSERA_TOOLS_TESSERA_NUMPYFILES_H
#define TESSERA_TOOLS_TESSERA_NUMPYFILES_H

#include "tools/tessera/HostArray.h"

#include "llvm/ADT/StringRef.h"

#include <utility>

namespace tessera::tool {

using NamedArrays = std::vector<std::pair<std::string, HostArray>>;

/// Reads an array. An array in column-major order is transposed to row-major.
/// Fails, naming the file, for files that are no .npy or truncated, and for what
/// no model takes: big-endian numbers, text, records, objects.
llvm::Expected<HostArray> readNpy(llvm::StringRef path);

/// Reads all arrays of an archive, stored or deflated; checksums are verified.
/// Fails, naming file and array.
llvm::Expected<NamedArrays> readNpz(llvm::StringRef path);

/// Types that NumPy does not have (bfloat16, float8) are written as raw bytes of
/// their width (`V2`, `V1`), as NumPy with ml_dtypes does.
llvm::Error writeNpy(llvm::StringRef path, const HostArray &array);
llvm::Error writeNpz(llvm::StringRef path, const NamedArrays &arrays);

} // namespace tessera::tool

#endif // TESSERA_TOOLS_TESSERA_NUMPYFILES_H
