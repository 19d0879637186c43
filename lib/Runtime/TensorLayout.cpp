#include "TensorLayout.h"

#include <algorithm>
#include <cstring>

namespace tessera::runtime {
namespace {

struct NamedType {
  uint8_t code, bits;
  const char *name;
};

// Codes of DLDataTypeCode.
constexpr NamedType namedTypes[] = {
    {0, 8, "int8"},
    {0, 16, "int16"},
    {0, 32, "int32"},
    {0, 64, "int64"},
    {0, 4, "int4"},
    {0, 2, "int2"},
    {1, 8, "uint8"},
    {1, 16, "uint16"},
    {1, 32, "uint32"},
    {1, 64, "uint64"},
    {1, 4, "uint4"},
    {1, 2, "uint2"},
    {2, 16, "float16"},
    {2, 32, "float32"},
    {2, 64, "float64"},
    {4, 16, "bfloat16"},
    {5, 64, "complex64"},
    {5, 128, "complex128"},
    {6, 8, "bool"},
    {7, 8, "float8_e3m4"},
    {8, 8, "float8_e4m3"},
    {9, 8, "float8_e4m3b11fnuz"},
    {10, 8, "float8_e4m3fn"},
    {11, 8, "float8_e4m3fnuz"},
    {12, 8, "float8_e5m2"},
    {13, 8, "float8_e5m2fnuz"},
    {14, 8, "float8_e8m0fnu"},
    {15, 6, "float6_e2m3fn"},
    {16, 6, "float6_e3m2fn"},
    {17, 4, "float4_e2m1fn"},
};

const NamedType *findType(TesseraElementType type) {
  for (const NamedType &named : namedTypes)
    if (named.code == type.code && named.bits == type.bits)
      return &named;
  return nullptr;
}

bool hasNoElement(const TesseraTensor &tensor) {
  return std::find(tensor.shape, tensor.shape + tensor.rank, 0) !=
         tensor.shape + tensor.rank;
}

/// Copies dimensions `axis` to the last; returns where the copy ended.
char *copyDimensions(const TesseraTensor &tensor, int32_t axis,
                     const char *source, char *target) {
  const int64_t bytes = elementBytes(tensor.type);
  if (axis == tensor.rank) {
    std::memcpy(target, source, bytes);
    return target + bytes;
  }
  const int64_t size = tensor.shape[axis];
  if (axis == tensor.rank - 1 && tensor.strides[axis] == 1) {
    std::memcpy(target, source, size * bytes);
    return target + size * bytes;
  }
  for (int64_t i = 0; i < size; ++i)
    target = copyDimensions(tensor, axis + 1,
                            source + i * tensor.strides[axis] * bytes,
                            target);
  return target;
}

} // namespace

const char *typeName(TesseraElementType type) {
  const NamedType *named = findType(type);
  return named ? named->name : "unknown";
}

bool isKnownType(TesseraElementType type) { return findType(type) != nullptr; }

std::string shapeText(const int64_t *shape, int64_t rank) {
  std::string text = "(";
  for (int64_t axis = 0; axis < rank; ++axis)
    text += (axis ? ", " : "") + std::to_string(shape[axis]);
  return text + ")";
}

Result<int64_t> denseBytes(TesseraElementType type,
                           const std::vector<int64_t> &shape) {
  int64_t bytes = elementBytes(type);
  for (int64_t size : shape)
    if (__builtin_mul_overflow(bytes, size, &bytes))
      return failure(TESSERA_INVALID_INPUT, "a tensor of shape ",
                     shapeText(shape.data(), shape.size()), " and type ",
                     typeName(type), " is too large");
  return bytes;
}

std::vector<int64_t> denseStrides(const std::vector<int64_t> &shape) {
  std::vector<int64_t> strides(shape.size());
  int64_t stride = 1;
  for (size_t axis = shape.size(); axis-- > 0;) {
    strides[axis] = stride;
    stride *= std::max<int64_t>(shape[axis], 1);
  }
  return strides;
}

bool isDense(const TesseraTensor &tensor) {
  if (!tensor.strides || hasNoElement(tensor))
    return true;
  int64_t expected = 1;
  for (int32_t axis = tensor.rank; axis-- > 0;) {
    if (tensor.shape[axis] != 1 && tensor.strides[axis] != expected)
      return false;
    expected *= tensor.shape[axis];
  }
  return true;
}

std::optional<std::vector<int64_t>>
growableStrides(const TesseraTensor &tensor, int32_t axis) {
  std::vector<int64_t> shape(tensor.shape, tensor.shape + tensor.rank);
  std::vector<int64_t> strides = denseStrides(shape);
  if (!tensor.strides || hasNoElement(tensor))
    return strides;
  for (int32_t i = tensor.rank; i-- > 0;) {
    int64_t extent = i + 1 < tensor.rank ? strides[i + 1] * shape[i + 1] : 1;
    bool matters = shape[i] != 1;
    if (matters && (i >= axis ? tensor.strides[i] != extent
                              : tensor.strides[i] < extent))
      return std::nullopt;
    strides[i] = matters ? tensor.strides[i] : extent;
  }
  return strides;
}

int64_t roomAlong(const TesseraTensor &tensor, int32_t axis) {
  int64_t position = 1;
  for (int32_t i = tensor.rank; --i > axis;)
    position *= tensor.shape[i];
  int64_t room = INT64_MAX, between = 1;
  for (int32_t i = axis; i-- > 0; between *= tensor.shape[i])
    if (tensor.shape[i] > 1)
      room = std::min(room, tensor.strides[i] / std::max<int64_t>(
                                                    1, position * between));
  return room;
}

bool isAligned(const TesseraTensor &tensor) {
  return reinterpret_cast<uintptr_t>(firstElement(tensor)) %
             elementBytes(tensor.type) ==
         0;
}

char *firstElement(const TesseraTensor &tensor) {
  return static_cast<char *>(tensor.data) + tensor.byteOffset;
}

AddressRange addressRange(const TesseraTensor &tensor) {
  if (hasNoElement(tensor))
    return {nullptr, nullptr};
  // Distance in elements of the lowest and highest element from the first.
  int64_t lowest = 0, highest = 0, dense = 1;
  for (int32_t axis = tensor.rank; axis-- > 0;) {
    int64_t stride = tensor.strides ? tensor.strides[axis] : dense;
    int64_t reach = stride * (tensor.shape[axis] - 1);
    (reach < 0 ? lowest : highest) += reach;
    dense *= tensor.shape[axis];
  }
  const char *first = firstElement(tensor);
  const int64_t bytes = elementBytes(tensor.type);
  return {first + lowest * bytes, first + (highest + 1) * bytes};
}

void copyToDense(const TesseraTensor &tensor, char *target) {
  if (hasNoElement(tensor))
    return;
  if (isDense(tensor)) {
    AddressRange range = addressRange(tensor);
    std::memcpy(target, range.begin, range.end - range.begin);
    return;
  }
  copyDimensions(tensor, 0, firstElement(tensor), target);
}

} // namespace tessera::runtime
