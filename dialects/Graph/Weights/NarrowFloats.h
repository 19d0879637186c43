// f16 and bf16 in memory as f32 numbers, rounded to nearest, ties to even, without the
// compiler's runtime library.
#ifndef TESSERA_DIALECTS_GRAPH_WEIGHTS_NARROWFLOATS_H
#define TESSERA_DIALECTS_GRAPH_WEIGHTS_NARROWFLOATS_H

#include "llvm/ADT/bit.h"

#include <cstdint>

namespace tessera::graph {

inline float floatOfBf16(uint16_t bits) {
  return llvm::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

/// NaNs stay NaNs, quiet.
inline uint16_t bf16Of(float value) {
  uint32_t bits = llvm::bit_cast<uint32_t>(value);
  if ((bits & 0x7fffffff) > 0x7f800000)
    return bits >> 16 | 0x40;
  return (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
}

inline float floatOfF16(uint16_t bits) {
  uint32_t sign = static_cast<uint32_t>(bits & 0x8000) << 16;
  uint32_t magnitude = bits & 0x7fff;
  if (magnitude >= 0x7c00) // infinities and NaNs, which become quiet
    return llvm::bit_cast<float>(sign | 0x7f800000 | magnitude << 13 |
                                 (magnitude > 0x7c00 ? 0x400000 : 0));
  // Numbers of both exponents' ranges, and subnormal ones, by one exact product.
  float scaled = llvm::bit_cast<float>(magnitude << 13) * 0x1p112f;
  return llvm::bit_cast<float>(sign | llvm::bit_cast<uint32_t>(scaled));
}

inline uint16_t f16Of(float value) {
  uint32_t bits = llvm::bit_cast<uint32_t>(value);
  uint16_t sign = bits >> 16 & 0x8000;
  bits &= 0x7fffffff;
  if (bits > 0x7f800000)
    return sign | 0x7e00 | (bits >> 13 & 0x1ff);
  if (bits >= 0x477ff000) // 65520 and above round to infinity
    return sign | 0x7c00;
  if (bits < 0x38800000) { // below 2^-14: the sum has steps of 2^-24
    float sum = llvm::bit_cast<float>(bits) + 0.5f;
    return sign | (llvm::bit_cast<uint32_t>(sum) - 0x3f000000);
  }
  bits += 0xfff + (bits >> 13 & 1);
  return sign | ((bits - 0x38000000) >> 13);
}

} // namespace tessera::graph

#endif // TESSERA_DIALECTS_GRAPH_WEIGHTS_NARROWFLOATS_H
