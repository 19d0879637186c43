// Text for people and JSON from the bytes of a file.
#ifndef TESSERA_IMPORTER_ONNX_READABLETEXT_H
#define TESSERA_IMPORTER_ONNX_READABLETEXT_H

#include "llvm/ADT/StringRef.h"

#include <string>

namespace tessera::onnx_importer {

/// Whether `bytes` is UTF-8 without zeros, so that a C string can hold it.
bool isReadable(llvm::StringRef bytes);

/// `bytes` with each byte that is no part of that replaced by its number, "\xff".
std::string readable(llvm::StringRef bytes);

} // namespace tessera::onnx_importer

#endif // TESSERA_IMPORTER_ONNX_READABLETEXT_H
