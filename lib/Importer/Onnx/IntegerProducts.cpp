// Products of bytes; see the header.
#include "lib/Importer/Onnx/IntegerProducts.h"
#include "lib/Importer/Onnx/Contraction.h"
#include "lib/Importer/Onnx/Convolving.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Reducing.h"
#include "lib/Importer/Onnx/Shaping.h"

#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace tessera::onnx_importer {

/// The same numbers as bytes of the other or the same signedness.
static ByteOperand withSignedness(NodeContext &node, ByteOperand from,
                                  bool isUnsigned) {
  if (from.isUnsigned == isUnsigned)
    return from;
  ByteOperand to{from.bytes, isUnsigned, from.zeroPoint};
  to.bytes = node.create<arith::XOrIOp>(from.bytes,
                                        node.filled(-128, from.bytes));
  if (!to.zeroPoint)
    to.zeroPoint = node.filled(
        node.scalarInteger(0, node.builder.getI32Type()), Shape());
  to.zeroPoint = node.create<arith::AddIOp>(
      to.zeroPoint, node.filled(isUnsigned ? 128 : -128, to.zeroPoint));
  return to;
}

static bool isZero(Value zeroPoint) {
  return !zeroPoint || matchPattern(zeroPoint, m_Zero());
}

/// The bytes in i32, less the zero point.
static FailureOr<Value> centred(NodeContext &node, const ByteOperand &operand) {
  Value wide = castElements(node, operand.bytes, operand.isUnsigned,
                            node.builder.getI32Type(), false);
  if (isZero(operand.zeroPoint))
    return wide;
  return applyInShapeOfFirst(
      node, {wide, operand.zeroPoint}, [&](ArrayRef<Value> v) {
        return node.create<arith::SubIOp>(v[0], v[1]);
      });
}

/// `from` less the product of `a` and `b`, which broadcast to it.
static FailureOr<Value> subtractProduct(NodeContext &node, Value from, Value a,
                                        Value b) {
  return applyInShapeOfFirst(node, {from, a, b}, [&](ArrayRef<Value> v) {
    return node.create<arith::SubIOp>(v[0],
                                      node.create<arith::MulIOp>(v[1], v[2]));
  });
}

FailureOr<Value> multiplyBytes(NodeContext &node, ByteOperand lhs,
                               ByteOperand rhs) {
  lhs = withSignedness(node, lhs, /*isUnsigned=*/true);
  rhs = withSignedness(node, rhs, /*isUnsigned=*/false);
  FailureOr<Value> result =
      matmul(node, lhs.bytes, rhs.bytes, ProductKind::Bytes);
  if (succeeded(result) && !isZero(lhs.zeroPoint)) {
    FailureOr<Value> numbers = centred(node, rhs);
    if (failed(numbers))
      return failure();
    int64_t rank = cast<RankedTensorType>(rhs.bytes.getType()).getRank();
    Value sums = reduce(node, Reduction::Sum, *numbers, {rank - 2},
                        /*keepDims=*/true);
    result = subtractProduct(node, *result, lhs.zeroPoint, sums);
  }
  if (succeeded(result) && !isZero(rhs.zeroPoint)) {
    FailureOr<Value> numbers = centred(node, {lhs.bytes, true, {}});
    if (failed(numbers))
      return failure();
    int64_t rank = cast<RankedTensorType>(lhs.bytes.getType()).getRank();
    Value sums = reduce(node, Reduction::Sum, *numbers, {rank - 1},
                        /*keepDims=*/true);
    result = subtractProduct(node, *result, rhs.zeroPoint, sums);
  }
  return result;
}

/// The one number that `zeroPoint` is, as a byte.
static Value byteOf(NodeContext &node, Value zeroPoint) {
  Type i8 = node.builder.getI8Type();
  if (!zeroPoint)
    return node.scalarInteger(0, i8);
  auto type = cast<RankedTensorType>(zeroPoint.getType());
  SmallVector<Value> first(
      type.getRank(), node.scalarInteger(0, node.builder.getIndexType()));
  return node.create<arith::TruncIOp>(
      i8, node.create<tensor::ExtractOp>(zeroPoint, first));
}

bool canConvolveBytes(NodeContext &node, const ByteOperand &filter) {
  return node.integer("group", 1) == 1 ||
         (!filter.isUnsigned && isZero(filter.zeroPoint));
}

FailureOr<Value> convolveBytes(NodeContext &node, ByteOperand image,
                               ByteOperand filter) {
  image = withSignedness(node, image, /*isUnsigned=*/true);
  filter = withSignedness(node, filter, /*isUnsigned=*/false);
  Value pad = byteOf(node, image.zeroPoint);
  FailureOr<Value> result =
      convolve(node, image.bytes, filter.bytes, pad);
  int64_t rank = cast<RankedTensorType>(filter.bytes.getType()).getRank();
  if (succeeded(result) && !isZero(image.zeroPoint)) {
    FailureOr<Value> numbers = centred(node, filter);
    if (failed(numbers))
      return failure();
    auto axes = llvm::to_vector(llvm::seq<int64_t>(1, rank));
    Value sums = reduce(node, Reduction::Sum, *numbers, axes,
                        /*keepDims=*/false);
    result = subtractProduct(node, *result, image.zeroPoint, sums);
  }
  if (failed(result) || isZero(filter.zeroPoint))
    return result;
  // The sums under all windows: a filter of ones.
  Shape shape = node.shapeOf(filter.bytes);
  shape[0] = node.constantSize(1);
  Value ones = node.filled(node.scalarInteger(1, node.builder.getI8Type()),
                           shape);
  FailureOr<Value> sums = convolve(node, image.bytes, ones, pad);
  if (failed(sums))
    return failure();
  // [outputs, 1, ...] to what broadcasts to channels that are last.
  Value zeroPoint = filter.zeroPoint;
  if (cast<RankedTensorType>(zeroPoint.getType()).getRank() > 1) {
    FailureOr<Value> flat =
        reshapeTo(node, zeroPoint, {node.shapeOf(zeroPoint)[0]});
    if (failed(flat))
      return failure();
    zeroPoint = *flat;
  }
  return subtractProduct(node, *result, zeroPoint, *sums);
}

} // namespace tessera::onnx_importer
