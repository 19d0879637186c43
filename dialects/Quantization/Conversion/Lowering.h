// What each operation of the dialect computes, as operations that kernels know.
#ifndef TESSERA_DIALECTS_QUANTIZATION_CONVERSION_LOWERING_H
#define TESSERA_DIALECTS_QUANTIZATION_CONVERSION_LOWERING_H

#include "dialects/Quantization/Conversion/TensorBuilder.h"
#include "dialects/Quantization/IR/Quantization.h"

namespace tessera::quantization {

/// `value`, f32, as integers of `format` in i32 (a scalar or tensor): rounded half to
/// even, moved by `zero` (f32, may be null), saturated; NaN gives the least.
mlir::Value roundToInteger(TensorBuilder &b, mlir::Value value, mlir::Value zero,
                           Format format);

/// The integers of `format` in `stored` in i32.
mlir::Value integersOf(TensorBuilder &b, mlir::Value stored, Format format);

/// Whether `value`, a zero point or null, is known to be 0.
bool isZero(mlir::Value value);

mlir::Value lower(TensorBuilder &b, QuantizeOp op);
mlir::Value lower(TensorBuilder &b, DequantizeOp op);
mlir::Value lower(TensorBuilder &b, LookupOp op);
/// Scale and zero point.
std::pair<mlir::Value, mlir::Value> lower(TensorBuilder &b, RangeOp op);

/// Bytes without a sign times bytes with one, as contraction builders take them: other
/// signs are changed by an xor of the sign bit, which moves the zero point by 128, and
/// zero points are taken out of the sum:
///
///   sum((a - za) * (b - zb)) = sum(a * b) - za * sum(b - zb) - zb * sum(a)
///
/// All of it is exact, since i32 wraps. What depends on weights alone is a sum of
/// constants, joined with the bias; terms of a zero point that is known to be 0 are left
/// out.
mlir::Value lower(TensorBuilder &b, MatmulOp op);
/// Likewise. Groups of one channel, which multiply-accumulates of bytes gain nothing
/// from, are convolved in f32, if all sums are exact there.
mlir::Value lower(TensorBuilder &b, ConvOp op);
/// A batch of products, one for each block.
mlir::Value lower(TensorBuilder &b, BlockMatmulOp op);

} // namespace tessera::quantization

#endif // TESSERA_DIALECTS_QUANTIZATION_CONVERSION_LOWERING_H
