/// Products of bytes less their zero points, summed in i32.
///
/// The graph state has one form of them: bytes without a sign on the left, bytes with
/// one on the right, as multiply-accumulates take them. Other signs are changed by an
/// xor of the sign bit, which moves the zero point by 128, and zero points are taken
/// out of the sum:
///
///   sum((a - za) * (b - zb)) = sum(a * b) - za * sum(b - zb) - zb * sum(a)
///
/// All of it is exact, since i32 wraps. What depends on weights alone is a sum of
/// constants; terms of a zero point that is known to be 0 are left out.
#ifndef TESSERA_IMPORTER_ONNX_INTEGERPRODUCTS_H
#define TESSERA_IMPORTER_ONNX_INTEGERPRODUCTS_H

#include "lib/Importer/Onnx/NodeContext.h"

namespace tessera::onnx_importer {

/// Bytes and what is taken from each of them.
struct ByteOperand {
  /// A tensor of i8.
  mlir::Value bytes;
  bool isUnsigned = false;
  /// i32, a scalar or tensor that broadcasts to the operand; null: 0.
  mlir::Value zeroPoint;
};

/// NumPy's matmul of operands of rank 2 or more.
mlir::FailureOr<mlir::Value> multiplyBytes(NodeContext &node, ByteOperand lhs,
                                           ByteOperand rhs);

/// Whether `convolveBytes` has a form for the node's groups and the filter's zero
/// point.
bool canConvolveBytes(NodeContext &node, const ByteOperand &filter);

/// `image` [batch, channels, spatial...], whose zero point is one number, convolved
/// with `filter` [outputs, channels / groups, spatial...], which may have one for each
/// output, by the node's attributes: channels last. Pads are the zero point.
mlir::FailureOr<mlir::Value> convolveBytes(NodeContext &node, ByteOperand image,
                                           ByteOperand filter);

} // namespace tessera::onnx_importer

#endif
