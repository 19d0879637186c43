// Products and convolutions of integers, with scales or without.
#include "lib/Importer/Onnx/Contraction.h"
#include "lib/Importer/Onnx/Convolving.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/IntegerProducts.h"
#include "lib/Importer/Onnx/NarrowTypes.h"
#include "lib/Importer/Onnx/Quantizing.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;
using onnx::TensorProto;

namespace tessera::onnx_importer {
namespace {

/// What is given for a whole operand of a product (one element) as a scalar, for
/// its rows as a column; else as it is, for its columns.
FailureOr<Value> alignedToMatrix(NodeContext &node, Value parameter,
                                 bool isForRows) {
  auto type = cast<RankedTensorType>(parameter.getType());
  if (type.hasStaticShape() && type.getNumElements() == 1)
    return reshapeTo(node, parameter, {});
  if (isForRows && type.getRank() == 1)
    return insertUnitDims(node, parameter, 1);
  return parameter;
}

/// Input `index` in i32 less its zero point, input `zeroIndex` (may be omitted).
FailureOr<Value> centred(NodeContext &node, unsigned index, unsigned zeroIndex,
                         bool isForRows) {
  Value x = integersOf(node, index);
  if (!node.input(zeroIndex))
    return x;
  FailureOr<Value> zeroPoint =
      alignedToMatrix(node, integersOf(node, zeroIndex), isForRows);
  if (failed(zeroPoint))
    return failure();
  return applyInShapeOfFirst(node, {x, *zeroPoint}, [&](ArrayRef<Value> v) {
    return node.create<arith::SubIOp>(v[0], v[1]);
  });
}

bool isByte(int32_t elementType) {
  return elementType == TensorProto::INT8 || elementType == TensorProto::UINT8;
}

/// Where a product has an operand and its zero point, which may be omitted.
struct OperandInputs {
  unsigned operand, zeroPoint;
};

ByteOperand byteOperand(NodeContext &node, OperandInputs inputs) {
  return {node.input(inputs.operand),
          *formatOf(node.inputElementType(inputs.operand)),
          node.input(inputs.zeroPoint)};
}

/// The product of two operands in i32, each less its zero point.
FailureOr<Value> integerProduct(NodeContext &node, OperandInputs lhs,
                                OperandInputs rhs) {
  bool areBytes = isByte(node.inputElementType(lhs.operand)) &&
                  isByte(node.inputElementType(rhs.operand));
  if (areBytes) {
    ByteOperand a = byteOperand(node, lhs), b = byteOperand(node, rhs);
    if (canMultiplyBytes(a, b))
      return multiplyBytes(node, a, b);
  }
  FailureOr<Value> a = centred(node, lhs.operand, lhs.zeroPoint, true),
                   b = centred(node, rhs.operand, rhs.zeroPoint, false);
  if (failed(a) || failed(b))
    return failure();
  return matmul(node, *a, *b);
}

LogicalResult matmulInteger(NodeContext &node) {
  FailureOr<Value> result = integerProduct(node, {0, 2}, {1, 3});
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

/// `accumulated`, i32, times `scales`[0] * [1] / [2], as integers of the type of
/// the zero point, input `zeroIndex`.
FailureOr<Value> requantize(NodeContext &node, Value accumulated,
                            ArrayRef<Value> scales, unsigned zeroIndex) {
  Type f32 = node.builder.getF32Type();
  int32_t elementType = node.inputElementType(zeroIndex);
  FailureOr<Value> zeroPoint = alignedToMatrix(
      node, castElements(node, integersOf(node, zeroIndex), false, f32, false),
      /*isForRows=*/true);
  if (failed(zeroPoint))
    return failure();
  SmallVector<Value> operands{
      castElements(node, accumulated, false, f32, false)};
  for (Value scale : scales)
    operands.push_back(castFloat(node, scale, f32));
  operands.push_back(*zeroPoint);
  return applyInShapeOfFirst(node, operands, [&](ArrayRef<Value> v) {
    Value factor = node.create<arith::DivFOp>(
        node.create<arith::MulFOp>(v[1], v[2]), v[3]);
    return quantize(node, node.create<arith::MulFOp>(v[0], factor), v[4],
                    elementType);
  });
}

/// Makes sure that scales are usable: those of operands, and of the result.
LogicalResult requireProductScales(NodeContext &node) {
  return success(succeeded(requireScales(node, 1, /*areDivisors=*/false)) &&
                 succeeded(requireScales(node, 4, /*areDivisors=*/false)) &&
                 succeeded(requireScales(node, 6, /*areDivisors=*/true)));
}

/// Inputs: a, its scale and zero point, b's, and the result's scale and zero
/// point.
LogicalResult qlinearMatMul(NodeContext &node) {
  for (unsigned index : {0u, 3u, 7u})
    if (!isNarrowInteger(node.inputElementType(index)))
      return node.error("only integers are supported");
  if (failed(requireProductScales(node)))
    return failure();
  SmallVector<Value> scales;
  for (unsigned index : {1u, 4u, 6u}) {
    FailureOr<Value> scale =
        alignedToMatrix(node, node.input(index), /*isForRows=*/index != 4);
    if (failed(scale))
      return failure();
    scales.push_back(*scale);
  }
  FailureOr<Value> result = integerProduct(node, {0, 2}, {3, 5});
  if (succeeded(result))
    result = requantize(node, *result, scales, 7);
  if (failed(result))
    return failure();
  node.setOutput(0, *result, node.inputElementType(7));
  return success();
}

/// Fails with a report, or the run does, unless the scales and zero points
/// `indices` are for whole tensors.
LogicalResult requirePerTensor(NodeContext &node, ArrayRef<unsigned> indices) {
  for (unsigned index : indices)
    if (node.input(index) &&
        failed(node.requireEqual(
            productOf(node, node.shapeOf(node.input(index))),
            node.constantSize(1),
            "the number of elements of input " + Twine(index) +
                " and that of a scale or zero point per tensor")))
      return failure();
  return success();
}

LogicalResult convInteger(NodeContext &node) {
  if (failed(requirePerTensor(node, {2})))
    return failure();
  FailureOr<Value> result =
      convolveBytes(node, byteOperand(node, {0, 2}), byteOperand(node, {1, 3}));
  if (failed(result))
    return failure();
  node.setOutput(0,
                 transpose(node, *result, toChannelsFirst(node.inputRank(0))));
  return success();
}

/// Inputs as of QLinearMatMul, then a bias, i32 in steps of both scales.
LogicalResult qlinearConv(NodeContext &node) {
  if (failed(requirePerTensor(node, {1, 2, 6, 7})) ||
      failed(requireProductScales(node)))
    return failure();
  FailureOr<Value> result = convolveBytes(
      node, byteOperand(node, {0, 2}), byteOperand(node, {3, 5}), node.input(8));
  if (failed(result))
    return failure();
  SmallVector<Value> scales;
  for (unsigned index : {1u, 4u, 6u}) {
    FailureOr<Value> scale =
        alignedToMatrix(node, node.input(index), /*isForRows=*/false);
    if (failed(scale))
      return failure();
    scales.push_back(*scale);
  }
  result = requantize(node, *result, scales, 7);
  if (failed(result))
    return failure();
  node.setOutput(0,
                 transpose(node, *result, toChannelsFirst(node.inputRank(0))),
                 node.inputElementType(7));
  return success();
}

} // namespace

void addQuantizedProductTranslators(TranslatorTable &table) {
  table.add("MatMulInteger", matmulInteger);
  table.add("QLinearMatMul", qlinearMatMul);
  table.add("ConvInteger", convInteger);
  table.add("QLinearConv", qlinearConv);
}

} // namespace tessera::onnx_importer
