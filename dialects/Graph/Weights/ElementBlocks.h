// Arrays of elements in blocks: widened to f32, f64 or i64 on the stack, computed with by
// a plain loop, and stored in their own width, which rounds or wraps as the operation
// does in its type. +, -, *, / and square roots of f16 in f32, then rounded, are exact
// to the last bit.
#ifndef TESSERA_DIALECTS_GRAPH_WEIGHTS_ELEMENTBLOCKS_H
#define TESSERA_DIALECTS_GRAPH_WEIGHTS_ELEMENTBLOCKS_H

#include "dialects/Graph/Weights/ElementFunctions.h"
#include "dialects/Graph/Weights/NarrowFloats.h"

#include <cmath>
#include <cstring>
#include <type_traits>

namespace tessera::graph {

constexpr int64_t blockElements = 1024;

template <typename Stored, typename Wide, typename Widen>
void loadAs(const char *source, int64_t count, Wide *target, Widen widen) {
  for (int64_t i = 0; i < count; ++i) {
    Stored value;
    std::memcpy(&value, source + i * sizeof value, sizeof value);
    target[i] = widen(value);
  }
}

template <typename Stored, typename Wide, typename Narrow>
void storeAs(const Wide *source, int64_t count, char *target, Narrow narrow) {
  for (int64_t i = 0; i < count; ++i) {
    Stored value = narrow(source[i]);
    std::memcpy(target + i * sizeof value, &value, sizeof value);
  }
}

/// Integers as signed ones; booleans are 0 or 1.
template <typename Wide>
void load(ElementKind kind, const char *source, int64_t count, Wide *target) {
  auto widen = [](auto value) { return static_cast<Wide>(value); };
  switch (kind) {
  case ElementKind::I1:
    return loadAs<uint8_t>(source, count, target,
                           [](uint8_t value) { return Wide(value != 0); });
  case ElementKind::I8:
    return loadAs<int8_t>(source, count, target, widen);
  case ElementKind::I16:
    return loadAs<int16_t>(source, count, target, widen);
  case ElementKind::I32:
    return loadAs<int32_t>(source, count, target, widen);
  case ElementKind::I64:
    return loadAs<int64_t>(source, count, target, widen);
  case ElementKind::F16:
    return loadAs<uint16_t>(source, count, target, [](uint16_t bits) {
      return static_cast<Wide>(floatOfF16(bits));
    });
  case ElementKind::BF16:
    return loadAs<uint16_t>(source, count, target, [](uint16_t bits) {
      return static_cast<Wide>(floatOfBf16(bits));
    });
  case ElementKind::F32:
    return loadAs<float>(source, count, target, widen);
  case ElementKind::F64:
    return loadAs<double>(source, count, target, widen);
  }
}

/// f64 to f16 and bf16 is rounded once: to odd in f32, then to nearest.
template <typename Wide> float roundedToOdd(Wide value) {
  float nearest = static_cast<float>(value);
  if constexpr (std::is_same_v<Wide, double>) {
    if (nearest == value || std::isnan(value) || std::isinf(nearest))
      return nearest;
    float other = std::nextafter(
        nearest, nearest < value ? INFINITY : -INFINITY);
    return llvm::bit_cast<uint32_t>(nearest) & 1 ? nearest : other;
  }
  return nearest;
}

template <typename Wide>
void store(ElementKind kind, const Wide *source, int64_t count, char *target) {
  auto narrow = [](Wide value) { return value; };
  if constexpr (std::is_integral_v<Wide>) {
    switch (kind) {
    case ElementKind::I1:
      return storeAs<uint8_t>(source, count, target,
                              [](Wide value) { return value & 1; });
    case ElementKind::I8:
      return storeAs<int8_t>(source, count, target, narrow);
    case ElementKind::I16:
      return storeAs<int16_t>(source, count, target, narrow);
    case ElementKind::I32:
      return storeAs<int32_t>(source, count, target, narrow);
    default:
      return storeAs<int64_t>(source, count, target, narrow);
    }
  } else {
    switch (kind) {
    case ElementKind::F16:
      return storeAs<uint16_t>(source, count, target, [](Wide value) {
        return f16Of(roundedToOdd(value));
      });
    case ElementKind::BF16:
      return storeAs<uint16_t>(source, count, target, [](Wide value) {
        return bf16Of(roundedToOdd(value));
      });
    case ElementKind::F32:
      return storeAs<float>(source, count, target, narrow);
    default:
      return storeAs<double>(source, count, target, narrow);
    }
  }
}

/// `function` of up to two operands that are widened to `Wide`; the result is
/// stored from what it returns.
template <typename Wide, typename Result, typename Function>
void inBlocks(const ElementCall &call, Function function) {
  Wide a[blockElements], b[blockElements];
  Result result[blockElements];
  for (int64_t begin = 0; begin < call.count; begin += blockElements) {
    int64_t count = std::min(blockElements, call.count - begin);
    auto at = [&](size_t number) {
      return call.operands[number] + begin * bytesOf(call.kinds[number]);
    };
    load(call.kinds[0], at(0), count, a);
    if (call.operands.size() > 1)
      load(call.kinds[1], at(1), count, b);
    else
      std::memset(b, 0, count * sizeof *b);
    for (int64_t i = 0; i < count; ++i)
      result[i] = function(a[i], b[i]);
    store(call.resultKind, result, count,
          call.result + begin * bytesOf(call.resultKind));
  }
}

} // namespace tessera::graph

#endif // TESSERA_DIALECTS_GRAPH_WEIGHTS_ELEMENTBLOCKS_H
