// Integers that stand for floats: what the translators of quantised operators share.
#ifndef TESSERA_LIB_IMPORTER_ONNX_QUANTIZING_H
#define TESSERA_LIB_IMPORTER_ONNX_QUANTIZING_H

#include "lib/Importer/Onnx/NodeContext.h"

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

/// `value`, f32, as integers of `elementType`: rounded half to even, moved by
/// the zero point (f32, may be null), saturated; NaN gives the least.
mlir::Value quantize(NodeContext &node, mlir::Value value, mlir::Value zeroPoint,
                     int32_t elementType);

} // namespace tessera::onnx_importer

#endif // TESSERA_LIB_IMPORTER_ONNX_QUANTIZING_H
