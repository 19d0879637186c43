// Quantization with explicit scales.
#include "lib/Importer/Onnx/ElementwiseBuild.h"
#include "lib/Importer/Onnx/ModelReader.h"
#include "lib/Importer/Onnx/NarrowTypes.h"
#include "lib/Importer/Onnx/Quantizing.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;
using onnx::TensorProto;

namespace tessera::onnx_importer {
namespace {

QuantizationInputs inputsOf(NodeContext &node) {
  return {1, 2, node.integer("axis", 1), node.integer("block_size", 0)};
}

/// (x - zero point) * scale, in f32, then in the scale's type.
LogicalResult dequantizeLinear(NodeContext &node) {
  int32_t from = node.inputElementType(0);
  if (!formatOf(from) || !isa<FloatType>(node.inputType(1).getElementType()))
    return node.error("only integers and 8-bit floats can be dequantized, by "
                      "scales that are floats");
  int32_t elementType = node.inputElementType(1);
  if (int64_t given = node.integer("output_dtype", 0))
    elementType = given;
  auto to = dyn_cast_or_null<FloatType>(
      elementTypeToMlir(node.builder.getContext(), elementType));
  if (!to)
    return node.error("output_dtype must be a float type of 16 bits or more");
  FailureOr<Quantization> quantization =
      quantizationOf(node, node.input(0), inputsOf(node));
  if (failed(quantization))
    return failure();
  Value result = dequantize(node, node.input(0), *quantization, from);
  node.setOutput(0, castFloat(node, result, to), elementType);
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
  std::optional<quantization::Format> format = formatOf(elementType);
  if (!format || quantization::bitsOf(*format) > 16)
    return node.error("only 8-bit floats and integers of up to 16 bits can be "
                      "quantized to");
  if (!isa<FloatType>(node.inputType(0).getElementType()) ||
      !isa<FloatType>(node.inputType(1).getElementType()))
    return node.error(
        "only floats can be quantized, by scales that are floats");
  QuantizationInputs inputs = inputsOf(node);
  inputs.divides = true;
  FailureOr<Quantization> quantization =
      quantizationOf(node, node.input(0), inputs);
  if (failed(quantization))
    return failure();
  node.setOutput(0,
                 quantize(node, node.input(0), *quantization, elementType,
                          node.integer("saturate", 1) != 0),
                 elementType);
  return success();
}

/// Bytes, and the scale and zero point that the tensor's range gives.
LogicalResult dynamicQuantizeLinear(NodeContext &node) {
  Type f32 = node.builder.getF32Type(), i8 = node.builder.getI8Type();
  auto range = quantization::RangeOp::create(
      node.builder, node.loc, RankedTensorType::get({}, f32),
      RankedTensorType::get({}, i8), node.input(0), quantization::Part::Tensor,
      /*symmetric=*/false, quantization::Format::U8, /*block=*/IntegerAttr());
  node.setOutput(0,
                 quantize(node, node.input(0),
                          Quantization{range.getScale(), range.getZero()},
                          TensorProto::UINT8),
                 TensorProto::UINT8);
  node.setOutput(1, range.getScale());
  node.setOutput(2, range.getZero(), TensorProto::UINT8);
  return success();
}

} // namespace

void addQuantizationTranslators(TranslatorTable &table) {
  table.add("DequantizeLinear", dequantizeLinear);
  table.add("QuantizeLinear", quantizeLinear);
  table.add("DynamicQuantizeLinear", dynamicQuantizeLinear);
}

} // namespace tessera::onnx_importer
