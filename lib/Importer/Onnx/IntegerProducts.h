/// Products of quantized numbers, each less its zero point, summed in i32: the
/// operations of the quantization dialect for ONNX's shapes.
#ifndef TESSERA_IMPORTER_ONNX_INTEGERPRODUCTS_H
#define TESSERA_IMPORTER_ONNX_INTEGERPRODUCTS_H

#include "dialects/Quantization/IR/Quantization.h"
#include "lib/Importer/Onnx/NodeContext.h"

namespace tessera::onnx_importer {

/// Quantized numbers of a byte each, and what is taken from each of them.
struct ByteOperand {
  /// A tensor of i8.
  mlir::Value bytes;
  quantization::Format format;
  /// i8 of the same format, or null: 0. One element, or one for each row (left), column
  /// (right) or output (filter).
  mlir::Value zeroPoint;
};

/// Whether `multiplyBytes` has a form for the operands' ranks and zero points.
bool canMultiplyBytes(const ByteOperand &lhs, const ByteOperand &rhs);

/// NumPy's matmul of operands of rank 2 or more.
mlir::FailureOr<mlir::Value> multiplyBytes(NodeContext &node,
                                           const ByteOperand &lhs,
                                           const ByteOperand &rhs);

/// `image` [batch, channels, spatial...], whose zero point is one number, convolved
/// with `filter` [outputs, channels / groups, spatial...], which may have one for each
/// output, by the node's attributes: channels last. Pads are the zero point. `bias`,
/// i32 for each output, may be null.
mlir::FailureOr<mlir::Value> convolveBytes(NodeContext &node,
                                           const ByteOperand &image,
                                           const ByteOperand &filter,
                                           mlir::Value bias = {});

} // namespace tessera::onnx_importer

#endif
