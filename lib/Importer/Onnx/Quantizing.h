/// Quantized tensors as operations of the quantization dialect: what the translators of
/// quantized operators share. Products are in IntegerProducts.h.
#ifndef TESSERA_IMPORTER_ONNX_QUANTIZING_H
#define TESSERA_IMPORTER_ONNX_QUANTIZING_H

#include "lib/Importer/Onnx/NodeContext.h"

#include <optional>

namespace tessera::onnx_importer {

/// Whether the elements are integers that i32 holds.
bool isNarrowInteger(int32_t elementType);

/// Input `index`, integers, in i32.
mlir::Value integersOf(NodeContext &node, unsigned index);

/// Fails with a report if input `index`, the scales, is known to have one that is
/// infinite or NaN, or, where numbers are divided by them, one that is not above 0.
/// Weights may have others: quantizers give blocks of zeros a scale of 0, and a negative
/// one where the largest magnitude is negative.
mlir::LogicalResult requireScales(NodeContext &node, unsigned index,
                                  bool areDivisors);

/// How the elements of a tensor are quantized, as operations of the dialect have it.
struct Quantization {
  /// f32; and null or integers of the format, of the same shape: no dimensions, a
  /// vector for `axis`, or the tensor's rank for blocks along it.
  mlir::Value scale, zeroPoint;
  std::optional<int64_t> axis = {}, block = {};
};

/// Which inputs are a tensor's scale and zero point (may be omitted), along which axis
/// these are if they are vectors, and for how many elements (0: one) if they are of
/// blocks; and whether numbers are divided by the scale.
struct QuantizationInputs {
  unsigned scale, zeroPoint;
  int64_t axis = 1, block = 0;
  bool divides = false;
};

/// The quantization of `tensor` that the node's inputs say, those of one element being
/// of the whole tensor; the zero point's type is the format's. Fails with a report where
/// they do not fit or requireScales says so.
mlir::FailureOr<Quantization> quantizationOf(NodeContext &node,
                                             mlir::Value tensor,
                                             const QuantizationInputs &inputs);

/// `value`, floats, as numbers of `elementType`, which has a format of at most 16 bits.
/// `saturate` is for formats of floats.
mlir::Value quantize(NodeContext &node, mlir::Value value,
                     const Quantization &quantization, int32_t elementType,
                     bool saturate = true);

/// The f32 numbers that `stored`, of `elementType`, stands for.
mlir::Value dequantize(NodeContext &node, mlir::Value stored,
                       const Quantization &quantization, int32_t elementType);

/// `value`, f32, as integers of `elementType`: rounded half to even, moved by
/// the zero point (f32, may be null), saturated; NaN gives the least.
mlir::Value quantize(NodeContext &node, mlir::Value value, mlir::Value zeroPoint,
                     int32_t elementType);

} // namespace tessera::onnx_importer

#endif // TESSERA_IMPORTER_ONNX_QUANTIZING_H
