// The walk of the element emitter: elementwise operations, and structured ones with
// parallel loops only.
#include "lib/Target/Elements/ElementWalk.h"
#include "lib/Target/Elements/ElementForms.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace tessera;

/// Lanes outside the mask hold zeros, and integer division by zero traps: they
/// divide by 1 instead.
static void guardDivision(OpBuilder &builder, Operation *op, Value mask) {
  if (!mask || !isa<arith::DivSIOp, arith::DivUIOp, arith::RemSIOp,
                    arith::RemUIOp, arith::FloorDivSIOp, arith::CeilDivSIOp,
                    arith::CeilDivUIOp>(op))
    return;
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPoint(op);
  Value divisor = op->getOperand(1);
  Value one = arith::ConstantOp::create(builder, op->getLoc(),
                                        builder.getOneAttr(divisor.getType()));
  op->setOperand(1, arith::SelectOp::create(builder, op->getLoc(), mask, divisor,
                                            one));
}

FailureOr<Value>
ElementEmitter::Walk::elementwise(OpResult result,
                                  const ElementAccess &access) {
  Operation *op = result.getOwner();
  IRMapping mapping;
  for (Value operand : op->getOperands()) {
    FailureOr<Value> value;
    if (isa<RankedTensorType>(operand.getType()))
      value = get(operand, access);
    else
      value = splat(operand, access.lanes);
    if (failed(value))
      return failure();
    mapping.map(operand, *value);
  }
  Operation *clone = builder.clone(*op, mapping);
  for (OpResult part : clone->getResults())
    part.setType(typeOf(part, access.lanes));
  guardDivision(builder, clone, access.mask);
  for (auto [from, to] : llvm::zip(op->getResults(), clone->getResults()))
    if (from != result)
      visible.elements[from].push_back({access, to});
  return Value(clone->getResult(result.getResultNumber()));
}

FailureOr<LaneIndex> ElementEmitter::Walk::apply(AffineExpr expr,
                                                 ArrayRef<LaneIndex> dims,
                                                 int64_t lanes) {
  if (auto dim = dyn_cast<AffineDimExpr>(expr))
    return dims[dim.getPosition()];
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return math.uniform(constant.getValue());
  auto binary = dyn_cast<AffineBinaryOpExpr>(expr);
  if (!binary)
    return failure();
  FailureOr<LaneIndex> lhs = apply(binary.getLHS(), dims, lanes);
  FailureOr<LaneIndex> rhs = apply(binary.getRHS(), dims, lanes);
  if (failed(lhs) || failed(rhs))
    return failure();
  switch (expr.getKind()) {
  case AffineExprKind::Add:
    return math.add(*lhs, *rhs, lanes);
  case AffineExprKind::Mul:
    return rhs->isUniform() ? math.mul(*lhs, rhs->base, lanes)
                            : FailureOr<LaneIndex>(failure());
  case AffineExprKind::FloorDiv:
    return math.split(*lhs, rhs->base, lanes).first;
  case AffineExprKind::Mod:
    return math.split(*lhs, rhs->base, lanes).second;
  default:
    return failure();
  }
}

FailureOr<Value>
ElementEmitter::Walk::structured(linalg::LinalgOp op, OpResult result,
                                 const ElementAccess &linearOrNot) {
  if (failed(ElementForms::checkLoops(op, result)))
    return failure();
  FailureOr<ElementAccess> access = delinearize(result, linearOrNot);
  if (failed(access))
    return failure();
  SmallVector<LaneIndex> loopIndices(op.getNumLoops());
  AffineMap outputMap = op.getIndexingMapMatchingResult(result);
  for (auto [i, expr] : llvm::enumerate(outputMap.getResults()))
    loopIndices[cast<AffineDimExpr>(expr).getPosition()] = access->indices[i];
  Block *body = op.getBlock();
  IRMapping mapping;
  for (OpOperand &operand : op->getOpOperands()) {
    BlockArgument argument = op.getMatchingBlockArgument(&operand);
    if (argument.use_empty())
      continue;
    FailureOr<Value> value;
    if (isa<RankedTensorType>(operand.get().getType())) {
      ElementAccess operandAccess = *access;
      operandAccess.indices.clear();
      for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults()) {
        FailureOr<LaneIndex> index = apply(expr, loopIndices, access->lanes);
        if (failed(index))
          return ElementForms::reportNone(result);
        operandAccess.indices.push_back(*index);
      }
      value = get(operand.get(), operandAccess);
    } else {
      value = splat(operand.get(), access->lanes);
    }
    if (failed(value))
      return failure();
    mapping.map(argument, *value);
  }
  BodyScope scope{mapping, loopIndices, *access};
  for (Operation &inner : body->without_terminator())
    if (failed(bodyOperation(inner, scope)))
      return failure();
  Value yielded = body->getTerminator()->getOperand(result.getResultNumber());
  if (Value mapped = mapping.lookupOrNull(yielded))
    return mapped;
  return splat(yielded, access->lanes);
}

LogicalResult ElementEmitter::Walk::bodyOperation(Operation &op,
                                                  BodyScope &scope) {
  for (Value operand : op.getOperands()) {
    if (isa<RankedTensorType>(operand.getType()) ||
        scope.mapping.lookupOrNull(operand))
      continue;
    FailureOr<Value> value = splat(operand, scope.access.lanes);
    if (failed(value))
      return failure();
    scope.mapping.map(operand, *value);
  }
  FailureOr<Value> result = ElementForms::visitBody<Result>(*this, op, scope);
  if (succeeded(result))
    scope.mapping.map(op.getResult(0), *result);
  return result;
}

FailureOr<Value> ElementEmitter::Walk::bodyIndex(linalg::IndexOp op,
                                                 BodyScope &scope) {
  return math.vectorOf(scope.loopIndices[op.getDim()], scope.access.lanes);
}

FailureOr<Value> ElementEmitter::Walk::bodyConstant(arith::ConstantOp op,
                                                    BodyScope &scope) {
  return broadcast(arith::ConstantOp::create(builder, loc, op.getValue()),
                   scope.access.lanes);
}

FailureOr<Value> ElementEmitter::Walk::bodyExtract(tensor::ExtractOp op,
                                                   BodyScope &scope) {
  ElementAccess element;
  element.lanes = scope.access.lanes;
  element.mask = scope.access.mask;
  for (Value index : op.getIndices()) {
    LaneIndex lane{scope.mapping.lookup(index), 0};
    if (element.lanes > 1)
      lane.step = std::nullopt;
    element.indices.push_back(lane);
  }
  return get(op.getTensor(), element);
}

FailureOr<Value> ElementEmitter::Walk::bodyElementwise(Operation &op,
                                                       BodyScope &scope) {
  Operation *clone = builder.clone(op, scope.mapping);
  Value result = clone->getResult(0);
  result.setType(withLanes(result.getType(), scope.access.lanes));
  guardDivision(builder, clone, scope.access.mask);
  return result;
}
