// Floats of 4 and 8 bits in bytes, as arith operations.
#ifndef TESSERA_DIALECTS_QUANTIZATION_CONVERSION_NARROWFLOATS_H
#define TESSERA_DIALECTS_QUANTIZATION_CONVERSION_NARROWFLOATS_H

#include "dialects/Quantization/Conversion/TensorBuilder.h"
#include "dialects/Quantization/IR/Quantization.h"

namespace tessera::quantization {

/// The f32 values of floats of `format` in `bytes`, an i8 scalar or tensor.
mlir::Value decodeNarrowFloat(TensorBuilder &b, mlir::Value bytes, Format format);

/// The bytes of the floats of `format` nearest to `value`, f32, ties to even. What is
/// above the largest finite number becomes that with `saturate`, else infinity or, in
/// formats without one, NaN. e2m1 always saturates and has no NaN.
mlir::Value encodeNarrowFloat(TensorBuilder &b, mlir::Value value, Format format,
                              bool saturate);

/// The bytes of powers of two (e8m0) for `value`, f32, rounded as `roundMode` says: up,
/// down or nearest.
mlir::Value encodePowerOfTwo(TensorBuilder &b, mlir::Value value,
                             llvm::StringRef roundMode);

/// The low bits of `value`, i8, extended to the byte as the integers of 2 or 4 bits
/// that they are; `value` itself for other formats.
mlir::Value wrapNarrowInteger(TensorBuilder &b, mlir::Value value, Format format);

} // namespace tessera::quantization

#endif // TESSERA_DIALECTS_QUANTIZATION_CONVERSION_NARROWFLOATS_H
