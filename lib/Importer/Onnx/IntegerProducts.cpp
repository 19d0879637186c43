// Products of quantized numbers; see the header.
#include "lib/Importer/Onnx/IntegerProducts.h"
#include "lib/Importer/Onnx/Contraction.h"
#include "lib/Importer/Onnx/Convolving.h"
#include "lib/Importer/Onnx/Shaping.h"

using namespace mlir;

namespace tessera::onnx_importer {

static int64_t rankOf(Value tensor) {
  return cast<RankedTensorType>(tensor.getType()).getRank();
}

static bool isOneElement(Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  return type.hasStaticShape() && type.getNumElements() == 1;
}

/// One element as a scalar; else one for each of `size` rows, columns or outputs.
static FailureOr<Value> alignedZeroPoint(NodeContext &node, Value zeroPoint,
                                         AffineExpr size) {
  if (!zeroPoint)
    return Value();
  if (isOneElement(zeroPoint))
    return reshapeTo(node, zeroPoint, {});
  return broadcastTo(node, zeroPoint, {size});
}

bool canMultiplyBytes(const ByteOperand &lhs, const ByteOperand &rhs) {
  auto isPlain = [](const ByteOperand &operand) {
    return !operand.zeroPoint || isOneElement(operand.zeroPoint) ||
           (rankOf(operand.zeroPoint) == 1 && rankOf(operand.bytes) == 2);
  };
  // Rows of several matrices are not those of one.
  bool hasRows = lhs.zeroPoint && !isOneElement(lhs.zeroPoint);
  return rankOf(lhs.bytes) >= 2 && rankOf(rhs.bytes) >= 2 && isPlain(lhs) &&
         isPlain(rhs) && (!hasRows || rankOf(rhs.bytes) == 2);
}

FailureOr<Value> multiplyBytes(NodeContext &node, const ByteOperand &lhs,
                               const ByteOperand &rhs) {
  Shape rows = node.shapeOf(lhs.bytes), columns = node.shapeOf(rhs.bytes);
  FailureOr<Value> lhsZero = alignedZeroPoint(node, lhs.zeroPoint,
                                              rows[rows.size() - 2]),
                   rhsZero =
                       alignedZeroPoint(node, rhs.zeroPoint, columns.back());
  if (failed(lhsZero) || failed(rhsZero))
    return failure();
  QuantizedFactors factors{lhs.format, rhs.format, *lhsZero, *rhsZero, {}};
  return matmul(node, lhs.bytes, rhs.bytes, &factors);
}

FailureOr<Value> convolveBytes(NodeContext &node, const ByteOperand &image,
                               const ByteOperand &filter, Value bias) {
  // Which reports it.
  if (rankOf(filter.bytes) < 3)
    return convolve(node, image.bytes, filter.bytes);
  AffineExpr outputs = node.shapeOf(filter.bytes)[0];
  FailureOr<Value> zeroPoint =
                       alignedZeroPoint(node, image.zeroPoint,
                                        node.constantSize(1)),
                   filterZero =
                       alignedZeroPoint(node, filter.zeroPoint, outputs);
  if (succeeded(zeroPoint) && *zeroPoint)
    zeroPoint = reshapeTo(node, *zeroPoint, {});
  if (failed(zeroPoint) || failed(filterZero))
    return failure();
  if (bias && failed(requireShape(node, bias, {outputs}, "the bias")))
    return failure();
  QuantizedFactors factors{image.format, filter.format, *zeroPoint, *filterZero,
                           bias};
  return convolve(node, image.bytes, filter.bytes, &factors);
}

} // namespace tessera::onnx_importer
