// A tensor of the command line: elements of any type in memory of its own.
#ifndef TESSERA_TOOLS_TESSERA_HOSTARRAY_H
#define TESSERA_TOOLS_TESSERA_HOSTARRAY_H

#include "tessera/abi.h"

#include "llvm/ADT/ArrayRef.h"
#include "llvm/Support/Error.h"

#include <random>
#include <string>
#include <vector>

namespace tessera::tool {

/// DLPack's code of bytes without meaning, which NumPy files give types that
/// NumPy does not have.
constexpr uint8_t kOpaqueCode = 3;

/// A tensor, dense row-major.
struct HostArray {
  TesseraElementType type{};
  std::vector<int64_t> shape;
  std::vector<char> bytes;

  int64_t elementCount() const;
  /// Bytes of `shape` with elements of `type`; fails if that overflows.
  llvm::Expected<uint64_t> expectedBytes() const;
  /// Element `index` as a number; for 64-bit integers the nearest one.
  double element(int64_t index) const;
  /// Element `index` as people read it.
  std::string elementText(int64_t index) const;
};

bool isFloat(TesseraElementType type);
bool isInteger(TesseraElementType type);

/// Fills `array.bytes` for its type and shape: normal floats, fair booleans,
/// integers from 0 to `integerLimit` - 1. Fails if the shape is too large.
llvm::Error fillRandom(HostArray &array, int64_t integerLimit,
                       std::mt19937_64 &random);

/// "(8, 128)".
std::string shapeText(llvm::ArrayRef<int64_t> shape);

/// How far an array is from its reference.
struct ArrayDifference {
  /// Largest difference of two finite elements, and the same over the largest
  /// finite magnitude of the reference.
  double absolute = 0, relative = 0;
  /// What is wrong, or empty.
  std::string problem;
};

/// Compares elementwise. Float elements may differ by `tolerance` times the
/// largest finite magnitude of the reference, and infinities and NaNs must be at
/// the same places; other types must be equal unless a tolerance is given.
/// `tolerance` below 0: the default of the type.
ArrayDifference compareArrays(const HostArray &ours, const HostArray &reference,
                              double tolerance);

} // namespace tessera::tool

#endif // TESSERA_TOOLS_TESSERA_HOSTARRAY_H
