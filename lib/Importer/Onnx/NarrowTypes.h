/// Element types narrower than what graph state computes in: integers of 2 and 4
/// bits, floats of 4 and 8 bits.
///
/// In graph state each of their elements is a byte (i8) that has their bits in its
/// low ones; the others do not matter. Operators that only move elements need not
/// know; conversions and quantization decode and encode.
#ifndef TESSERA_IMPORTER_ONNX_NARROWTYPES_H
#define TESSERA_IMPORTER_ONNX_NARROWTYPES_H

#include "dialects/Quantization/IR/Quantization.h"
#include "lib/Importer/Onnx/NodeContext.h"

namespace tessera::onnx_importer {

/// The format of quantized numbers that are stored as `elementType`, if there is one.
std::optional<quantization::Format> formatOf(int32_t elementType);

/// Whether elements are floats of 8 or fewer bits.
bool isNarrowFloat(int32_t elementType);

/// Bits of an integer type of less than 8 bits; 0 for any other type.
unsigned narrowIntegerBits(int32_t elementType);

/// The f32 values of floats of `elementType` in `bytes`, an i8 scalar or tensor.
mlir::Value decodeNarrowFloat(NodeContext &node, mlir::Value bytes,
                              int32_t elementType);

/// The bytes of the floats of `elementType` nearest to `value`, f32, ties to
/// even. What is above the largest finite number becomes that with `saturate`,
/// else infinity or, in types without one, NaN. FLOAT4E2M1 always saturates and
/// has no NaN. FLOAT8E8M0, a power of two, is rounded as `roundMode` says: up,
/// down or nearest.
mlir::Value encodeNarrowFloat(NodeContext &node, mlir::Value value,
                              int32_t elementType, bool saturate,
                              llvm::StringRef roundMode = "up");

/// The low bits of `value`, i8, extended to the byte as the integers of 2 or 4
/// bits that they are; `value` itself for other types.
mlir::Value wrapNarrowInteger(NodeContext &node, mlir::Value value,
                              int32_t elementType);

/// Elements of `bits` bits, 2 or 4, packed from the low bits on, as a byte each.
std::string unpackElements(llvm::StringRef packed, int64_t count,
                           unsigned bits);

} // namespace tessera::onnx_importer

#endif
