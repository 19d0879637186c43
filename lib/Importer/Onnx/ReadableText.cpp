// Text for people and JSON from the bytes of a file.
#include "lib/Importer/Onnx/ReadableText.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/ConvertUTF.h"

using namespace llvm;

namespace tessera::onnx_importer {

/// The length of the character that `bytes` begins with; 0 if that is none.
static size_t characterLength(StringRef bytes) {
  size_t length = getNumBytesForUTF8(bytes.front());
  auto *begin = reinterpret_cast<const UTF8 *>(bytes.data());
  return bytes.front() != 0 && length <= bytes.size() &&
                 isLegalUTF8Sequence(begin, begin + length)
             ? length
             : 0;
}

bool isReadable(StringRef bytes) {
  while (!bytes.empty()) {
    size_t length = characterLength(bytes);
    if (length == 0)
      return false;
    bytes = bytes.drop_front(length);
  }
  return true;
}

std::string readable(StringRef bytes) {
  std::string text;
  while (!bytes.empty()) {
    size_t length = characterLength(bytes);
    if (length == 0)
      text += "\\x" + toHex(bytes.take_front(1), /*LowerCase=*/true);
    else
      text += bytes.take_front(length);
    bytes = bytes.drop_front(std::max<size_t>(length, 1));
  }
  return text;
}

} // namespace tessera::onnx_importer
