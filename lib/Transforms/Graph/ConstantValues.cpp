// Values of small constant tensors.
#include "lib/Transforms/Graph/ConstantValues.h"

#include "dialects/Graph/IR/WeightReader.h"

#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

#include <cmath>

using namespace mlir;
using namespace tessera;

DenseElementsAttr ConstantValues::of(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  Operation *op = value.getDefiningOp();
  if (!op || !type || !type.hasStaticShape() ||
      type.getNumElements() > kMostElements)
    return {};
  auto found = known.find(value);
  if (found != known.end())
    return found->second;
  DenseElementsAttr elements = compute(op);
  known[value] = elements;
  return elements;
}

/// 1 / sqrt(x) for each element; upstream has no folder for it.
static DenseElementsAttr reciprocalRoots(DenseElementsAttr elements) {
  auto type = dyn_cast<FloatType>(elements.getElementType());
  if (!type || !type.isF32())
    return {};
  return cast<DenseElementsAttr>(
      cast<DenseFPElementsAttr>(elements).mapValues(
          type, [](const APFloat &value) {
            APFloat root(1.0f / std::sqrt(value.convertToFloat()));
            return root.bitcastToAPInt();
          }));
}

DenseElementsAttr ConstantValues::compute(Operation *op) {
  DenseElementsAttr constant;
  if (matchPattern(op, m_Constant(&constant)))
    return constant;
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  if (auto weight = dyn_cast<graph::WeightOp>(op)) {
    auto weights = symbols.lookup<graph::WeightsOp>(weight.getWeights());
    return weights ? read(weights) : DenseElementsAttr();
  }
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op)) {
    DenseElementsAttr source = of(op->getOperand(0));
    return source ? source.reshape(type) : source;
  }
  if (auto broadcast = dyn_cast<graph::BroadcastToOp>(op)) {
    DenseElementsAttr source = of(broadcast.getSource());
    return source && source.isSplat() ? source.resizeSplat(type)
                                      : DenseElementsAttr();
  }
  if (!OpTrait::hasElementwiseMappableTraits(op) || op->getNumResults() != 1)
    return {};
  SmallVector<Attribute> operands;
  for (Value operand : op->getOperands()) {
    operands.push_back(of(operand));
    if (!operands.back())
      return {};
  }
  if (isa<math::RsqrtOp>(op))
    return reciprocalRoots(cast<DenseElementsAttr>(operands[0]));
  SmallVector<OpFoldResult> results;
  if (failed(op->fold(operands, results)) || results.size() != 1)
    return {};
  // A folder may also name one of the operands.
  if (auto same = dyn_cast<Value>(results[0]))
    return of(same);
  auto elements = dyn_cast_or_null<DenseElementsAttr>(
      dyn_cast<Attribute>(results[0]));
  return elements && elements.getType() == type ? elements
                                                : DenseElementsAttr();
}

DenseElementsAttr ConstantValues::read(graph::WeightsOp weights) {
  auto elements = graph::elementsOf(weights.getPart(), kMostElements * 8);
  if (elements)
    return *elements;
  // Who writes the artifact reports it.
  llvm::consumeError(elements.takeError());
  return {};
}
