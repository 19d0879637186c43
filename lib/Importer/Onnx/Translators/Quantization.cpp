// Quantisation with explicit scales, spelled in arith operations.
#include "lib/Importer/Onnx/Quantizing.h"
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/ModelReader.h"
#include "lib/Importer/Onnx/NarrowTypes.h"
#include "lib/Importer/Onnx/Shaping.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;
using onnx::TensorProto;

namespace tessera::onnx_importer {

bool isNarrowInteger(int32_t elementType) {
  unsigned bits = elementBits(elementType);
  return !isNarrowFloat(elementType) && elementType != TensorProto::FLOAT16 &&
         elementType != TensorProto::BFLOAT16 &&
         elementType != TensorProto::FLOAT &&
         elementType != TensorProto::BOOL && bits > 0 && bits <= 32;
}

Value integersOf(NodeContext &node, unsigned index) {
  Value x = wrapNarrowInteger(node, node.input(index),
                              node.inputElementType(index));
  return castElements(node, x, node.isUnsigned(index),
                      node.builder.getI32Type(), false);
}

Value quantize(NodeContext &node, Value value, Value zeroPoint,
               int32_t elementType) {
  bool isUnsigned = isUnsignedType(elementType);
  unsigned bits = elementBits(elementType);
  double low = isUnsigned ? 0 : -std::ldexp(1.0, bits - 1);
  double high = std::ldexp(1.0, isUnsigned ? bits : bits - 1) - 1;
  Value q = node.create<math::RoundEvenOp>(value);
  if (zeroPoint)
    q = node.create<arith::AddFOp>(q, zeroPoint);
  auto limit = [&](arith::CmpFPredicate predicate, double bound) {
    Value limit = node.filled(bound, q);
    Value isInside = node.create<arith::CmpFOp>(predicate, q, limit);
    q = node.create<arith::SelectOp>(isInside, q, limit);
  };
  limit(arith::CmpFPredicate::OGT, low);
  limit(arith::CmpFPredicate::OLT, high);
  Value integer = node.create<arith::FPToSIOp>(
      withElement(q, node.builder.getI32Type()), q);
  return castElements(
      node, integer, false,
      elementTypeToMlir(node.builder.getContext(), elementType), isUnsigned);
}

LogicalResult requireScales(NodeContext &node, unsigned index, bool areDivisors) {
  std::optional<DenseElementsAttr> scales = constantElements(node.input(index));
  if (!scales || !isa<FloatType>(scales->getElementType()))
    return success();
  for (const APFloat &scale : scales->getValues<APFloat>()) {
    SmallString<16> spelled;
    scale.toString(spelled, /*FormatPrecision=*/6);
    if (!scale.isFinite())
      return node.error("expects scales that are finite but got " + spelled);
    if (areDivisors && (scale.isZero() || scale.isNegative()))
      return node.error("expects scales above 0 but got " + spelled);
  }
  return success();
}

namespace {

/// A parameter of blocks of `size` elements along `axis` in the shape of input
/// 0: each element is repeated, and what is too much cut off.
FailureOr<Value> repeatBlocks(NodeContext &node, Value parameter, int64_t axis,
                              int64_t size) {
  Shape wanted = node.shapeOf(node.input(0)), blocks = wanted;
  blocks[axis] = wanted[axis].ceilDiv(size);
  if (failed(requireShape(node, parameter, blocks, "the scales of blocks")))
    return failure();
  Shape apart = node.shapeOf(parameter), joined = apart;
  joined[axis] = apart[axis] * size;
  apart.insert(apart.begin() + axis + 1, node.constantSize(size));
  FailureOr<Value> repeated = broadcastTo(
      node, insertUnitDims(node, parameter, axis + 1), apart);
  if (succeeded(repeated))
    repeated = reshapeTo(node, *repeated, joined);
  if (failed(repeated))
    return failure();
  return sliceAlong(node, *repeated, axis, node.constantSize(0), wanted[axis]);
}

/// Fails with a report, or the run does, unless inputs `scale` and `zeroPoint`, if
/// they have one rank, have one shape; one element alone is for the whole tensor in
/// any rank.
LogicalResult requireOneShape(NodeContext &node, unsigned scale,
                              unsigned zeroPoint) {
  if (node.inputRank(scale) != node.inputRank(zeroPoint))
    return success();
  return requireShape(node, node.input(zeroPoint),
                      node.shapeOf(node.input(scale)), "the zero point");
}

/// A scale or zero point, input `index` decoded as `parameter`, so that it
/// broadcasts to input 0: per tensor (a scalar or one element), per axis (a
/// vector), or per block along an axis.
FailureOr<Value> alignedParameter(NodeContext &node, unsigned index,
                                  Value parameter) {
  int64_t rank = node.inputRank(0), parameterRank = node.inputRank(index);
  RankedTensorType type = node.inputType(index);
  if (parameterRank == 0)
    return parameter;
  int64_t block = node.integer("block_size", 0);
  if (!block && type.hasStaticShape() && type.getNumElements() == 1)
    return reshapeTo(node, parameter, {});
  if (block < 0 || (!block && parameterRank != 1))
    return node.error("expects a scale per tensor, per axis, or a block_size");
  FailureOr<int64_t> axis = node.normalizeAxis(node.integer("axis", 1), rank);
  if (failed(axis))
    return failure();
  if (block)
    return repeatBlocks(node, parameter, *axis, block);
  for (int64_t i = *axis + 1; i < rank; ++i)
    parameter = insertUnitDims(node, parameter, 1);
  return parameter;
}

/// (x - zero point) * scale, in f32, then in the scale's type.
LogicalResult dequantizeLinear(NodeContext &node) {
  int32_t from = node.inputElementType(0);
  if (!(isNarrowInteger(from) || isNarrowFloat(from)) ||
      !isa<FloatType>(node.inputType(1).getElementType()))
    return node.error("only integers and 8-bit floats can be dequantized, by "
                      "scales that are floats");
  if (failed(requireScales(node, 1, /*areDivisors=*/false)))
    return failure();
  Type f32 = node.builder.getF32Type();
  auto numbers = [&](unsigned index) {
    return isNarrowFloat(from)
               ? decodeNarrowFloat(node, node.input(index), from)
               : integersOf(node, index);
  };
  if (node.input(2) && failed(requireOneShape(node, 1, 2)))
    return failure();
  FailureOr<Value> scale = alignedParameter(node, 1, node.input(1)),
                   zeroPoint = Value();
  if (node.input(2))
    zeroPoint = alignedParameter(node, 2, numbers(2));
  if (failed(scale) || failed(zeroPoint))
    return failure();
  FailureOr<Value> result = numbers(0);
  if (*zeroPoint)
    result = applyInShapeOfFirst(
        node, {*result, *zeroPoint}, [&](ArrayRef<Value> v) {
          return isNarrowFloat(from) ? node.create<arith::SubFOp>(v[0], v[1])
                                     : node.create<arith::SubIOp>(v[0], v[1]);
        });
  if (succeeded(result))
    result = applyInShapeOfFirst(
        node,
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
  if (!to)
    return node.error("output_dtype must be a float type of 16 bits or more");
  node.setOutput(0, castFloat(node, *result, to), elementType);
  return success();
}

/// round(x / scale) + zero point, half to even, saturated to the type of the
/// zero point (uint8 without one); to floats x / scale + zero point, rounded
/// once.
LogicalResult quantizeLinear(NodeContext &node) {
  int32_t elementType = TensorProto::UINT8;
  if (node.input(2))
    elementType = node.inputElementType(2);
  else if (int64_t given = node.integer("output_dtype", 0))
    elementType = given;
  bool toFloat = isNarrowFloat(elementType);
  if (!toFloat && (!isNarrowInteger(elementType) ||
                   elementBits(elementType) > 16))
    return node.error("only 8-bit floats and integers of up to 16 bits can be "
                      "quantized to");
  if (!isa<FloatType>(node.inputType(0).getElementType()) ||
      !isa<FloatType>(node.inputType(1).getElementType()))
    return node.error(
        "only floats can be quantized, by scales that are floats");
  if (failed(requireScales(node, 1, /*areDivisors=*/true)))
    return failure();
  Type f32 = node.builder.getF32Type();
  if (node.input(2) && failed(requireOneShape(node, 1, 2)))
    return failure();
  FailureOr<Value> scale = alignedParameter(node, 1, node.input(1)),
                   zeroPoint = Value();
  if (node.input(2))
    zeroPoint = alignedParameter(
        node, 2,
        toFloat ? decodeNarrowFloat(node, node.input(2), elementType)
                : castElements(node, integersOf(node, 2), false, f32, false));
  if (failed(scale) || failed(zeroPoint))
    return failure();
  SmallVector<Value> operands{castFloat(node, node.input(0), f32),
                              castFloat(node, *scale, f32)};
  if (*zeroPoint)
    operands.push_back(*zeroPoint);
  FailureOr<Value> result =
      applyInShapeOfFirst(node, operands, [&](ArrayRef<Value> v) {
        Value q = node.create<arith::DivFOp>(v[0], v[1]);
        Value shift = v.size() == 3 ? v[2] : Value();
        if (!toFloat)
          return quantize(node, q, shift, elementType);
        if (shift)
          q = node.create<arith::AddFOp>(q, shift);
        return encodeNarrowFloat(node, q, elementType,
                                 node.integer("saturate", 1) != 0);
      });
  if (failed(result))
    return failure();
  node.setOutput(0, *result, elementType);
  return success();
}

} // namespace

void addQuantizationTranslators(TranslatorTable &table) {
  table.add("DequantizeLinear", dequantizeLinear);
  table.add("QuantizeLinear", quantizeLinear);
}

} // namespace tessera::onnx_importer
