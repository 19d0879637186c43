// Quantized tensors; see the header.
#include "lib/Importer/Onnx/Quantizing.h"

#include "dialects/Quantization/Conversion/Lowering.h"
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/ModelReader.h"
#include "lib/Importer/Onnx/NarrowTypes.h"
#include "lib/Importer/Onnx/Shaping.h"

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

LogicalResult requireScales(NodeContext &node, unsigned index,
                            bool areDivisors) {
  Value input = node.input(index);
  std::optional<DenseElementsAttr> scales =
      input ? constantElements(input) : std::nullopt;
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

/// What one element or several say: the former is of the whole tensor in any rank.
static FailureOr<Value> asScalarIfOne(NodeContext &node, Value parameter) {
  auto type = cast<RankedTensorType>(parameter.getType());
  return type.hasStaticShape() && type.getNumElements() == 1
             ? reshapeTo(node, parameter, {})
             : parameter;
}

/// `parameter`, a scalar, for each index of the axis or block that `shape` has.
static FailureOr<Value> aligned(NodeContext &node, Value parameter,
                                const Shape &shape, int64_t block,
                                StringRef what) {
  if (block) {
    if (failed(requireShape(node, parameter, shape, what)))
      return failure();
    return parameter;
  }
  return broadcastTo(node, parameter, shape);
}

/// Fails with a report unless `parameters` have a form of the dialect for a tensor of
/// `shape`; else gives the shape that they have together.
static FailureOr<Shape> parameterShape(NodeContext &node, Shape shape,
                                       const QuantizationInputs &inputs,
                                       ArrayRef<Value> parameters) {
  int64_t rank = 0;
  for (Value parameter : parameters)
    rank = std::max(rank, cast<RankedTensorType>(parameter.getType()).getRank());
  if (rank == 0 && !inputs.block)
    return Shape();
  if (inputs.block < 0 || (!inputs.block && rank != 1))
    return node.error("expects a scale per tensor, per axis, or a block_size");
  FailureOr<int64_t> axis = node.normalizeAxis(inputs.axis, shape.size());
  if (failed(axis))
    return failure();
  if (!inputs.block)
    return Shape{shape[*axis]};
  shape[*axis] = shape[*axis].ceilDiv(inputs.block);
  return shape;
}

FailureOr<Quantization> quantizationOf(NodeContext &node, Value tensor,
                                       const QuantizationInputs &inputs) {
  Quantization result;
  Value scale = node.input(inputs.scale), zeroPoint = node.input(inputs.zeroPoint);
  if (failed(requireScales(node, inputs.scale, inputs.divides)))
    return failure();
  if (zeroPoint &&
      node.inputRank(inputs.scale) == node.inputRank(inputs.zeroPoint) &&
      failed(requireShape(node, zeroPoint, node.shapeOf(scale),
                          "the zero point")))
    return failure();
  SmallVector<Value> parameters{
      castFloat(node, scale, node.builder.getF32Type())};
  if (zeroPoint)
    parameters.push_back(zeroPoint);
  for (Value &parameter : parameters)
    if (!inputs.block) {
      FailureOr<Value> one = asScalarIfOne(node, parameter);
      if (failed(one))
        return failure();
      parameter = *one;
    }
  FailureOr<Shape> shape =
      parameterShape(node, node.shapeOf(tensor), inputs, parameters);
  if (failed(shape))
    return failure();
  for (Value &parameter : parameters) {
    FailureOr<Value> fitting =
        aligned(node, parameter, *shape, inputs.block, "the scales of blocks");
    if (failed(fitting))
      return failure();
    parameter = *fitting;
  }
  result.scale = parameters.front();
  if (zeroPoint)
    result.zeroPoint = parameters.back();
  if (!shape->empty())
    result.axis = *node.normalizeAxis(inputs.axis, node.shapeOf(tensor).size());
  if (inputs.block)
    result.block = inputs.block;
  return result;
}

static IntegerAttr optional(NodeContext &node, std::optional<int64_t> value) {
  return value ? node.builder.getI64IntegerAttr(*value) : IntegerAttr();
}

Value quantize(NodeContext &node, Value value, const Quantization &quantization,
               int32_t elementType, bool saturate) {
  quantization::Format format = *formatOf(elementType);
  Value source = castFloat(node, value, node.builder.getF32Type());
  Type type = withElement(
      source, quantization::storageOf(format, node.builder.getContext()));
  return quantization::QuantizeOp::create(
      node.builder, node.loc, type, source, quantization.scale,
      quantization.zeroPoint, format, optional(node, quantization.axis),
      optional(node, quantization.block), saturate);
}

Value dequantize(NodeContext &node, Value stored,
                 const Quantization &quantization, int32_t elementType) {
  return quantization::DequantizeOp::create(
      node.builder, node.loc, withElement(stored, node.builder.getF32Type()),
      stored, quantization.scale, quantization.zeroPoint, /*groups=*/Value(),
      *formatOf(elementType), optional(node, quantization.axis),
      optional(node, quantization.block));
}

Value quantize(NodeContext &node, Value value, Value zeroPoint,
               int32_t elementType) {
  quantization::TensorBuilder builder(node.builder, node.loc, node.sizes);
  Value integers = quantization::roundToInteger(builder, value, zeroPoint,
                                                *formatOf(elementType));
  return castElements(
      node, integers, false,
      elementTypeToMlir(node.builder.getContext(), elementType),
      isUnsignedType(elementType));
}

} // namespace tessera::onnx_importer
