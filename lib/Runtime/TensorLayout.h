// Element types and the memory layout of tensors at the border.
#ifndef TESSERA_RUNTIME_TENSORLAYOUT_H
#define TESSERA_RUNTIME_TENSORLAYOUT_H

#include "Status.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tessera::runtime {

/// "float32", "bfloat16", "float8_e4m3fn" …; "unknown" for codes that DLPack
/// does not define.
const char *typeName(TesseraElementType type);

/// True for types that typeName knows.
bool isKnownType(TesseraElementType type);

inline bool operator==(TesseraElementType a, TesseraElementType b) {
  return a.code == b.code && a.bits == b.bits;
}
inline bool operator!=(TesseraElementType a, TesseraElementType b) {
  return !(a == b);
}

/// Bytes of an element in memory; types narrower than a byte take one.
inline int64_t elementBytes(TesseraElementType type) {
  return (type.bits + 7) / 8;
}

/// "(1, 5, 768)".
std::string shapeText(const int64_t *shape, int64_t rank);

/// Bytes of a dense tensor. Fails when the product does not fit 64 bits.
Result<int64_t> denseBytes(TesseraElementType type,
                           const std::vector<int64_t> &shape);

/// Strides in elements of the dense row-major layout. `shape` has no negative
/// size and its product fits 64 bits.
std::vector<int64_t> denseStrides(const std::vector<int64_t> &shape);

/// True if the elements lie densely in row-major order. Strides of dimensions
/// of size 1, and all of them when there is no element, do not matter.
bool isDense(const TesseraTensor &tensor);

/// Strides of a tensor that is dense row-major from dimension `axis` on and whose
/// outer dimensions have positive strides that keep its elements apart; those of
/// dimensions of size 1 are as if the tensor were dense. Nothing for others.
std::optional<std::vector<int64_t>> growableStrides(const TesseraTensor &tensor,
                                                    int32_t axis);

/// How many positions along `axis` the strides of the outer dimensions leave room
/// for; INT64_MAX if nothing limits it. The tensor has strides.
int64_t roomAlong(const TesseraTensor &tensor, int32_t axis);

/// True if the address of the first element is a multiple of the element's
/// size.
bool isAligned(const TesseraTensor &tensor);

/// The address of the first element.
char *firstElement(const TesseraTensor &tensor);

/// The bytes from the lowest to past the highest address of the tensor's
/// elements; both null when it has none.
struct AddressRange {
  const char *begin, *end;
};
AddressRange addressRange(const TesseraTensor &tensor);

/// Copies the elements to `target` in dense row-major order. Strides may be
/// negative or zero.
void copyToDense(const TesseraTensor &tensor, char *target);

} // namespace tessera::runtime

#endif // TESSERA_RUNTIME_TENSORLAYOUT_H
