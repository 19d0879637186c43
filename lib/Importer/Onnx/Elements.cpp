// The element view of small tensors; see the header.
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/ModelImporter.h"

#include "dialects/Graph/IR/WeightReader.h"

#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;

namespace tessera::onnx_importer {

bool hasElements(Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.hasStaticShape() || type.getNumElements() > kMaxViewedElements)
    return false;
  return tensor.getDefiningOp<tensor::FromElementsOp>() ||
         matchPattern(tensor, m_Constant());
}

std::optional<SmallVector<Value>> elementsOf(NodeContext &node, Value tensor) {
  if (!hasElements(tensor))
    return std::nullopt;
  if (auto made = tensor.getDefiningOp<tensor::FromElementsOp>())
    return SmallVector<Value>(made.getElements());
  DenseElementsAttr constant;
  if (!matchPattern(tensor, m_Constant(&constant)))
    return std::nullopt;
  SmallVector<Value> scalars;
  for (Attribute element : constant.getValues<Attribute>())
    scalars.push_back(arith::ConstantOp::create(node.builder, node.loc,
                                                cast<TypedAttr>(element)));
  return scalars;
}

Value fromElements(NodeContext &node, ArrayRef<Value> scalars,
                   ArrayRef<int64_t> shape, Type elementType) {
  auto type = RankedTensorType::get(shape, elementType);
  if (scalars.empty())
    return arith::ConstantOp::create(
        node.builder, node.loc,
        DenseElementsAttr::get(type, ArrayRef<Attribute>()));
  return node.create<tensor::FromElementsOp>(type, scalars);
}

Value rearrangeElements(NodeContext &node, Value tensor,
                        ArrayRef<int64_t> shape,
                        function_ref<int64_t(ArrayRef<int64_t>)> source) {
  std::optional<SmallVector<Value>> scalars = elementsOf(node, tensor);
  if (!scalars)
    return {};
  SmallVector<int64_t> strides = computeStrides(shape);
  SmallVector<Value> taken;
  for (int64_t i = 0, e = ShapedType::getNumElements(shape); i < e; ++i)
    taken.push_back((*scalars)[source(delinearize(i, strides))]);
  return fromElements(
      node, taken, shape,
      cast<RankedTensorType>(tensor.getType()).getElementType());
}

std::optional<int64_t> constantInteger(Value scalar) {
  APInt value;
  if (!matchPattern(scalar, m_ConstantInt(&value)))
    return std::nullopt;
  return value.getBitWidth() == 1 ? value.getZExtValue() : value.getSExtValue();
}

std::optional<SmallVector<int64_t>> constantIntegers(Value tensor) {
  DenseIntElementsAttr constant;
  if (!hasElements(tensor) || !matchPattern(tensor, m_Constant(&constant)))
    return std::nullopt;
  SmallVector<int64_t> integers;
  for (const APInt &value : constant.getValues<APInt>())
    integers.push_back(value.getSExtValue());
  return integers;
}

std::optional<DenseElementsAttr> constantList(Value tensor) {
  if (cast<RankedTensorType>(tensor.getType()).getRank() > 1)
    return std::nullopt;
  return constantElements(tensor);
}

std::optional<DenseElementsAttr> constantElements(Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  if (!type.hasStaticShape() || type.getNumElements() > kMaxListElements)
    return std::nullopt;
  DenseElementsAttr constant;
  if (matchPattern(tensor, m_Constant(&constant)))
    return constant;
  auto weight = tensor.getDefiningOp<graph::WeightOp>();
  if (!weight)
    return std::nullopt;
  auto declared = SymbolTable::lookupNearestSymbolFrom<graph::WeightsOp>(
      weight, weight.getWeightsAttr());
  auto elements = graph::elementsOf(declared.getPart(), kMaxListElements * 8);
  if (elements)
    return *elements;
  llvm::consumeError(elements.takeError());
  return std::nullopt;
}

/// The integers of a constant list of any length.
static std::optional<SmallVector<int64_t>> integersOfList(Value tensor) {
  std::optional<DenseElementsAttr> list = constantList(tensor);
  if (!list || !list->getElementType().isInteger())
    return std::nullopt;
  SmallVector<int64_t> integers;
  for (const APInt &value : list->getValues<APInt>())
    integers.push_back(value.getSExtValue());
  return integers;
}

std::optional<double> constantNumber(Value tensor) {
  DenseElementsAttr constant;
  if (!matchPattern(tensor, m_Constant(&constant)) ||
      constant.getNumElements() != 1)
    return std::nullopt;
  Attribute element = *constant.value_begin<Attribute>();
  if (auto number = dyn_cast<FloatAttr>(element))
    return number.getValueAsDouble();
  if (auto number = dyn_cast<IntegerAttr>(element))
    return static_cast<double>(number.getValue().getSExtValue());
  return std::nullopt;
}

FailureOr<Shape> elementSizes(NodeContext &node, Value tensor, StringRef what) {
  Shape shape;
  if (auto integers = integersOfList(tensor)) {
    for (int64_t integer : *integers)
      shape.push_back(node.constantSize(integer));
    return shape;
  }
  std::optional<SmallVector<Value>> scalars = elementsOf(node, tensor);
  if (!scalars)
    return node.error(what + " depends on the model's data; it must be "
                             "computed from shapes and constants");
  for (Value scalar : *scalars)
    shape.push_back(node.sizes.sizeOf(scalar));
  return shape;
}

FailureOr<SmallVector<int64_t>>
requireConstantIntegers(NodeContext &node, Value tensor, StringRef what) {
  if (std::optional<SmallVector<int64_t>> integers = integersOfList(tensor))
    return *integers;
  return node.error(what + " must be a constant");
}

} // namespace tessera::onnx_importer
