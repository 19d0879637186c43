// What the emitter's walk and the check ask of single operations; see the header.
#include "lib/Target/Elements/ElementForms.h"

#include "dialects/Interfaces/Movement.h"

using namespace mlir;
using namespace tessera;

InFlightDiagnostic ElementForms::error(Value tensor) {
  return emitError(tensor.getLoc(), "element emitter: ");
}

LogicalResult ElementForms::reportNone(OpResult result) {
  return error(result) << "'" << result.getOwner()->getName()
                       << "' is neither elementwise nor bound to a source";
}

LogicalResult ElementForms::reportNone(Operation &bodyOperation) {
  return emitError(bodyOperation.getLoc(), "element emitter: '")
         << bodyOperation.getName() << "' has no element form";
}

LogicalResult ElementForms::checkLoops(linalg::LinalgOp op, OpResult result) {
  if (op.getNumParallelLoops() != op.getNumLoops() ||
      !op.getIndexingMapMatchingResult(result).isPermutation())
    return reportNone(result);
  for (OpOperand &operand : op->getOpOperands()) {
    if (op.getMatchingBlockArgument(&operand).use_empty())
      continue;
    AffineMap map = op.getMatchingIndexingMap(&operand);
    bool hasForm = true;
    map.walkExprs([&](AffineExpr expr) {
      hasForm = hasForm && expr.getKind() != AffineExprKind::CeilDiv &&
                expr.getKind() != AffineExprKind::SymbolId;
    });
    if (!hasForm)
      return error(result)
             << "'" << op->getName()
             << "' has an indexing map without an element form: "
             << AffineMapAttr::get(map);
  }
  return success();
}

FailureOr<Value> ElementForms::paddingOf(tensor::PadOp op) {
  if (Value padding = op.getConstantPaddingValue())
    return padding;
  return error(op) << "expects a constant padding value";
}

LogicalResult ElementForms::checkSteps(tensor::InsertSliceOp op) {
  for (OpFoldResult step : op.getMixedStrides())
    if (!isConstantIntValue(step, 1))
      return error(op) << "expects a slice of stride 1";
  return success();
}

FailureOr<DenseElementsAttr> ElementForms::elementsOf(arith::ConstantOp op) {
  if (auto elements = dyn_cast<DenseElementsAttr>(op.getValue()))
    return elements;
  return error(op) << "expects a constant of known elements";
}

static bool isSingle(Value tensor) {
  auto type = cast<RankedTensorType>(tensor.getType());
  return type.hasStaticShape() && type.getNumElements() == 1;
}

bool ElementForms::isLinear(
    Value tensor, DenseMap<Value, bool> &known,
    function_ref<std::optional<bool>(Value)> isEnd) {
  if (isSingle(tensor))
    return true;
  auto found = known.find(tensor);
  if (found != known.end())
    return found->second;
  auto find = [&]() -> bool {
    if (std::optional<bool> end = isEnd(tensor))
      return *end;
    Operation *op = tensor.getDefiningOp();
    if (OpTrait::hasElementwiseMappableTraits(op) || isView(op))
      return llvm::all_of(op->getOperands(), [&](Value operand) {
        return !isa<RankedTensorType>(operand.getType()) ||
               isLinear(operand, known, isEnd);
      });
    if (auto broadcast = dyn_cast<graph::BroadcastToOp>(op))
      return isSingle(broadcast.getSource());
    if (auto constant = dyn_cast<arith::ConstantOp>(op))
      return isa<SplatElementsAttr>(constant.getValue());
    return isa<linalg::FillOp, tensor::SplatOp>(op);
  };
  bool result = find();
  known[tensor] = result;
  return result;
}
