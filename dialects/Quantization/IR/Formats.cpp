// What the bits of stored elements mean.
#include "dialects/Quantization/IR/Quantization.h"

using namespace mlir;
using namespace tessera;
using quantization::Format;

bool quantization::isInteger(Format format) { return format <= Format::I32; }

bool quantization::isUnsigned(Format format) {
  // Formats of integers are pairs: with a sign, without one.
  return isInteger(format) && static_cast<uint32_t>(format) % 2 == 1;
}

unsigned quantization::bitsOf(Format format) {
  if (isInteger(format))
    return 2u << static_cast<uint32_t>(format) / 2;
  return format == Format::E2M1 ? 4 : 8;
}

int64_t quantization::leastOf(Format format) {
  return isUnsigned(format) ? 0 : -(int64_t(1) << (bitsOf(format) - 1));
}

int64_t quantization::largestOf(Format format) {
  return (int64_t(1) << (bitsOf(format) - !isUnsigned(format))) - 1;
}

IntegerType quantization::storageOf(Format format, MLIRContext *context) {
  return IntegerType::get(context, std::max(bitsOf(format), 8u));
}
