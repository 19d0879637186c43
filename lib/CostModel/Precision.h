// How exactly products are computed.
//
// The terms are those of PyTorch's float32_matmul_precision, and the types' names.
#ifndef TESSERA_LIB_COSTMODEL_PRECISION_H
#define TESSERA_LIB_COSTMODEL_PRECISION_H

#include "llvm/ADT/StringRef.h"

#include <optional>
#include <string>

namespace tessera {

/// What products of f32 tensors are computed with. Sums are f32 always.
enum class Precision {
  /// f32 multiply-adds of vectors, and nothing else.
  Strict,
  /// With f32's error, by whatever is the fastest on the machine.
  Highest,
  /// With an error of 1e-5 of the magnitudes.
  High,
  /// The fastest type of at least 16 bits.
  Fast,
  /// bf16 or f16 operands, whether that is fast or not.
  Bf16,
  F16
};

/// The precision called "strict", "highest", "high", "fast" (or "medium"), "bf16" or
/// "f16"; none for another name.
std::optional<Precision> precisionNamed(llvm::StringRef name);

/// The names that precisionNamed takes, for messages.
std::string precisionNames();

/// Whether operands of products become narrower than f32.
inline bool isNarrow(Precision precision) {
  return precision >= Precision::Fast;
}

} // namespace tessera

#endif // TESSERA_LIB_COSTMODEL_PRECISION_H
