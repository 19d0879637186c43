// Element types narrower than f16 and i8; see the header.
#include "lib/Importer/Onnx/NarrowTypes.h"

#include "dialects/Quantization/Conversion/NarrowFloats.h"

using namespace mlir;
using onnx::TensorProto;
using tessera::quantization::Format;

namespace tessera::onnx_importer {

std::optional<Format> formatOf(int32_t elementType) {
  switch (elementType) {
  case TensorProto::INT2:
    return Format::I2;
  case TensorProto::UINT2:
    return Format::U2;
  case TensorProto::INT4:
    return Format::I4;
  case TensorProto::UINT4:
    return Format::U4;
  case TensorProto::INT8:
    return Format::I8;
  case TensorProto::UINT8:
    return Format::U8;
  case TensorProto::INT16:
    return Format::I16;
  case TensorProto::UINT16:
    return Format::U16;
  case TensorProto::INT32:
    return Format::I32;
  case TensorProto::FLOAT8E4M3FN:
    return Format::E4M3FN;
  case TensorProto::FLOAT8E4M3FNUZ:
    return Format::E4M3FNUZ;
  case TensorProto::FLOAT8E5M2:
    return Format::E5M2;
  case TensorProto::FLOAT8E5M2FNUZ:
    return Format::E5M2FNUZ;
  case TensorProto::FLOAT4E2M1:
    return Format::E2M1;
  case TensorProto::FLOAT8E8M0:
    return Format::E8M0;
  default:
    return std::nullopt;
  }
}

bool isNarrowFloat(int32_t elementType) {
  std::optional<Format> format = formatOf(elementType);
  return format && !quantization::isInteger(*format);
}

unsigned narrowIntegerBits(int32_t elementType) {
  std::optional<Format> format = formatOf(elementType);
  if (!format || !quantization::isInteger(*format))
    return 0;
  unsigned bits = quantization::bitsOf(*format);
  return bits < 8 ? bits : 0;
}

Value decodeNarrowFloat(NodeContext &node, Value bytes, int32_t elementType) {
  quantization::TensorBuilder builder(node.builder, node.loc, node.sizes);
  return quantization::decodeNarrowFloat(builder, bytes, *formatOf(elementType));
}

Value encodeNarrowFloat(NodeContext &node, Value value, int32_t elementType,
                        bool saturate, StringRef roundMode) {
  quantization::TensorBuilder builder(node.builder, node.loc, node.sizes);
  Format format = *formatOf(elementType);
  return format == Format::E8M0
             ? quantization::encodePowerOfTwo(builder, value, roundMode)
             : quantization::encodeNarrowFloat(builder, value, format, saturate);
}

Value wrapNarrowInteger(NodeContext &node, Value value, int32_t elementType) {
  std::optional<Format> format = formatOf(elementType);
  quantization::TensorBuilder builder(node.builder, node.loc, node.sizes);
  return format ? quantization::wrapNarrowInteger(builder, value, *format)
                : value;
}

std::string unpackElements(StringRef packed, int64_t count, unsigned bits) {
  std::string bytes(count, 0);
  for (int64_t i = 0; i < count; ++i) {
    int64_t at = i * bits;
    bytes[i] = static_cast<char>(uint8_t(packed[at / 8]) >> (at % 8) &
                                 ((1u << bits) - 1));
  }
  return bytes;
}

} // namespace tessera::onnx_importer
