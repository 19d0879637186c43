// Integers that stand for floats: what the translators of quantised operators share.
#ifndef TESSERA_LIB_IMPORTER_ONNX_QUANTIZING_H
#define TESSERA_LIB_IMPORTER_ONNX_QUANTIZING_H

#include "lib/Importer/Onnx/NodeContext.h"

namespace tessera::onnx_importer {

/// Whether the elements are integers that i32 holds.
bool isNarrowInteger(int32_t elementType);

/// Input `index`, integers, in i32.
mlir::Value integersOf(NodeContext &node, unsigned index);

/// `value`, f32, as integers of `elementType`: rounded half to even, moved by
/// the zero point (f32, may be null), saturated; NaN gives the least.
mlir::Value quantize(NodeContext &node, mlir::Value value, mlir::Value zeroPoint,
                     int32_t elementType);

} // namespace tessera::onnx_importer

#endif // TESSERA_LIB_IMPORTER_ONNX_QUANTIZING_H
