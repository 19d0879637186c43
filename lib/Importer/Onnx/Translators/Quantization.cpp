// Quantisation with explicit scales, spelled in arith operations.
#include "lib/Importer/Onnx/Contraction.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;
using onnx::TensorProto;

namespace tessera::onnx_importer {
namespace {

/// A scale or zero point so that it broadcasts to input 0: per tensor (a scalar
/// or one element) or per axis (a vector). Blocks are refused.
FailureOr<Value> alignedParameter(NodeContext &node, unsigned index) {
  Value parameter = node.input(index);
  int64_t rank = node.inputRank(0), parameterRank = node.inputRank(index);
  RankedTensorType type = node.inputType(index);
  if (type.hasStaticShape() && type.getNumElements() == 1)
    return reshapeTo(node, parameter, {});
  if (parameterRank == 0)
    return parameter;
  if (parameterRank != 1 || node.integer("block_size", 0))
    return node.error("scales of blocks are not supported; quantize per tensor "
                      "or per axis");
  FailureOr<int64_t> axis = node.normalizeAxis(node.integer("axis", 1), rank);
  if (failed(axis))
    return failure();
  for (int64_t i = *axis + 1; i < rank; ++i)
    parameter = insertUnitDims(node, parameter, 1);
  return parameter;
}

/// Whether the type's values are integers that i32 holds.
bool isNarrowInteger(Type type) {
  return type.isInteger() && type.getIntOrFloatBitWidth() <= 32;
}

/// (x - zero point) * scale, in f32, then in the scale's type.
LogicalResult dequantizeLinear(NodeContext &node) {
  if (!isNarrowInteger(node.inputType(0).getElementType()) ||
      !isa<FloatType>(node.inputType(1).getElementType()))
    return node.error("only integers can be dequantized, by scales that are "
                      "floats");
  Type i32 = node.builder.getI32Type(), f32 = node.builder.getF32Type();
  FailureOr<Value> scale = alignedParameter(node, 1), zeroPoint = Value();
  if (node.input(2))
    zeroPoint = alignedParameter(node, 2);
  if (failed(scale) || failed(zeroPoint))
    return failure();
  Value x = castElements(node, node.input(0), node.isUnsigned(), i32, false);
  FailureOr<Value> result = x;
  if (*zeroPoint)
    result = applyElementwise(
        node,
        {x, castElements(node, *zeroPoint, node.isUnsigned(2), i32, false)},
        [&](ArrayRef<Value> v) {
          return node.create<arith::SubIOp>(v[0], v[1]);
        });
  if (succeeded(result))
    result = applyElementwise(node,
                              {castElements(node, *result, false, f32, false),
                               castFloat(node, *scale, f32)},
                              [&](ArrayRef<Value> v) {
                                return node.create<arith::MulFOp>(v[0], v[1]);
                              });
  if (failed(result))
    return failure();
  int32_t elementType = node.inputElementType(1);
  if (int64_t given = node.integer("output_dtype", 0))
    elementType = given;
  auto to = dyn_cast_or_null<FloatType>(
      elementTypeToMlir(node.builder.getContext(), elementType));
  if (!to || to.getWidth() < 16)
    return node.error("output_dtype must be a float type of 16 bits or more");
  node.setOutput(0, castFloat(node, *result, to), elementType);
  return success();
}

/// round(x / scale) + zero point, half to even, saturated to the type of the
/// zero point (uint8 without one).
LogicalResult quantizeLinear(NodeContext &node) {
  int32_t elementType = TensorProto::UINT8;
  if (node.input(2))
    elementType = node.inputElementType(2);
  else if (int64_t given = node.integer("output_dtype", 0))
    elementType = given;
  Type to = elementTypeToMlir(node.builder.getContext(), elementType);
  if (!to || !to.isInteger() || to.getIntOrFloatBitWidth() > 16)
    return node.error("only integers of up to 16 bits can be quantized to");
  if (!isa<FloatType>(node.inputType(0).getElementType()) ||
      !isa<FloatType>(node.inputType(1).getElementType()))
    return node.error(
        "only floats can be quantized, by scales that are floats");
  FailureOr<Value> scale = alignedParameter(node, 1), zeroPoint = Value();
  if (node.input(2))
    zeroPoint = alignedParameter(node, 2);
  if (failed(scale) || failed(zeroPoint))
    return failure();
  bool isUnsigned = isUnsignedType(elementType);
  Type f32 = node.builder.getF32Type();
  SmallVector<Value> operands{castFloat(node, node.input(0), f32),
                              castFloat(node, *scale, f32)};
  if (*zeroPoint)
    operands.push_back(castElements(node, *zeroPoint, isUnsigned, f32, false));
  unsigned bits = to.getIntOrFloatBitWidth();
  double low = isUnsigned ? 0 : -std::ldexp(1.0, bits - 1);
  double high = std::ldexp(1.0, isUnsigned ? bits : bits - 1) - 1;
  FailureOr<Value> result =
      applyElementwise(node, operands, [&](ArrayRef<Value> v) {
        Value q = node.create<math::RoundEvenOp>(
            node.create<arith::DivFOp>(v[0], v[1]));
        if (v.size() == 3)
          q = node.create<arith::AddFOp>(q, v[2]);
        q = node.create<arith::MaximumFOp>(q, node.filled(low, q));
        q = node.create<arith::MinimumFOp>(q, node.filled(high, q));
        return castElements(node, q, false, to, isUnsigned);
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result, elementType);
  return success();
}

/// Input `index` in i32 less its zero point, input `index + 2`: a scalar, or
/// one for each row (of A) or column (of B).
FailureOr<Value> centred(NodeContext &node, unsigned index) {
  Type i32 = node.builder.getI32Type();
  Value x =
      castElements(node, node.input(index), node.isUnsigned(index), i32, false);
  Value zeroPoint = node.input(index + 2);
  if (!zeroPoint)
    return x;
  zeroPoint =
      castElements(node, zeroPoint, node.isUnsigned(index + 2), i32, false);
  RankedTensorType type = node.inputType(index + 2);
  if (type.hasStaticShape() && type.getNumElements() == 1) {
    FailureOr<Value> scalar = reshapeTo(node, zeroPoint, {});
    if (failed(scalar))
      return failure();
    zeroPoint = *scalar;
  } else if (index == 0 && type.getRank() == 1) {
    zeroPoint = insertUnitDims(node, zeroPoint, 1);
  }
  FailureOr<Value> result =
      applyElementwise(node, {x, zeroPoint}, [&](ArrayRef<Value> v) {
        return node.create<arith::SubIOp>(v[0], v[1]);
      });
  if (succeeded(result) && result->getType() != x.getType())
    return node.error("expects zero points for the whole matrix, its rows (A) "
                      "or its columns (B)");
  return result;
}

LogicalResult matmulInteger(NodeContext &node) {
  FailureOr<Value> a = centred(node, 0), b = centred(node, 1);
  if (failed(a) || failed(b))
    return failure();
  FailureOr<Value> result = matmul(node, *a, *b);
  if (failed(result))
    return failure();
  node.setOutput(0, *result);
  return success();
}

} // namespace

void addQuantizationTranslators(TranslatorTable &table) {
  table.add("DequantizeLinear", dequantizeLinear);
  table.add("QuantizeLinear", quantizeLinear);
  table.add("MatMulInteger", matmulInteger);
}

} // namespace tessera::onnx_importer
