// Scales and zero points: what passes ask of them.
#ifndef TESSERA_LIB_TRANSFORMS_GRAPH_QUANTIZATION_PARAMETERS_H
#define TESSERA_LIB_TRANSFORMS_GRAPH_QUANTIZATION_PARAMETERS_H

#include "dialects/Quantization/IR/Quantization.h"

namespace tessera::quantization {

/// The type of a tensor.
inline mlir::RankedTensorType typeOf(mlir::Value tensor) {
  return mlir::cast<mlir::RankedTensorType>(tensor.getType());
}

/// Whether both values are one or equal constants; two absent ones are equal.
bool areEqualValues(mlir::Value a, mlir::Value b);

/// Whether `a` and `b`, `quantize` or `dequantize`, have the same format, scales and zero
/// points at the same places.
template <typename A, typename B> bool haveEqualParameters(A a, B b) {
  return a.getFormat() == b.getFormat() && a.getAxis() == b.getAxis() &&
         a.getBlock() == b.getBlock() &&
         areEqualValues(a.getScale(), b.getScale()) &&
         areEqualValues(a.getZero(), b.getZero());
}

/// The one number that all of `elements`, of a float or integer type, are; null if they
/// differ.
mlir::TypedAttr equalElement(mlir::DenseElementsAttr elements);

/// Whether `op` (may be null) takes elements of its first operand as they are, one by
/// one.
bool movesElements(mlir::Operation *op);

/// `stored`, numbers of the format of `like`, dequantized as it does, along `axis`.
DequantizeOp dequantizedLike(mlir::OpBuilder &builder, DequantizeOp like,
                             mlir::Value stored, std::optional<int64_t> axis);

/// `source` quantized as by `like`, along `axis`.
QuantizeOp quantizedLike(mlir::OpBuilder &builder, QuantizeOp like,
                         mlir::Value source, std::optional<int64_t> axis);

} // namespace tessera::quantization

#endif // TESSERA_LIB_TRANSFORMS_GRAPH_QUANTIZATION_PARAMETERS_H
