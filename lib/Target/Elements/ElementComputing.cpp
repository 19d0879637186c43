// The walk of the element emitter: elementwise operations, and structured ones with
// parallel loops only.
#include "lib/Target/Elements/ElementWalk.h"

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
  AffineMap outputMap = op.getIndexingMapMatchingResult(result);
  if (op.getNumParallelLoops() != op.getNumLoops() ||
      !outputMap.isPermutation()) {
    error(result) << "'" << op->getName()
                  << "' is neither elementwise nor bound to a source";
    return failure();
  }
  FailureOr<ElementAccess> access = delinearize(result, linearOrNot);
  if (failed(access))
    return failure();
  SmallVector<LaneIndex> loopIndices(op.getNumLoops());
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
        if (failed(index)) {
          error(result) << "'" << op->getName()
                        << "' has an indexing map without an element form: "
                        << AffineMapAttr::get(
                               op.getMatchingIndexingMap(&operand));
          return failure();
        }
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
  for (Operation &inner : body->without_terminator())
    if (failed(bodyOperation(inner, mapping, loopIndices, *access)))
      return failure();
  Value yielded = body->getTerminator()->getOperand(result.getResultNumber());
  if (Value mapped = mapping.lookupOrNull(yielded))
    return mapped;
  return splat(yielded, access->lanes);
}

FailureOr<Value>
ElementEmitter::Walk::bodyOperation(Operation &op, IRMapping &mapping,
                                    ArrayRef<LaneIndex> loopIndices,
                                    const ElementAccess &access) {
  if (auto index = dyn_cast<linalg::IndexOp>(op)) {
    Value value = math.vectorOf(loopIndices[index.getDim()], access.lanes);
    mapping.map(index.getResult(), value);
    return value;
  }
  for (Value operand : op.getOperands()) {
    if (isa<RankedTensorType>(operand.getType()) ||
        mapping.lookupOrNull(operand))
      continue;
    FailureOr<Value> value = splat(operand, access.lanes);
    if (failed(value))
      return failure();
    mapping.map(operand, *value);
  }
  Value result;
  if (auto constant = dyn_cast<arith::ConstantOp>(op)) {
    result =
        broadcast(arith::ConstantOp::create(builder, loc, constant.getValue()),
                  access.lanes);
  } else if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
    ElementAccess element;
    element.lanes = access.lanes;
    element.mask = access.mask;
    for (Value index : extract.getIndices()) {
      LaneIndex lane{mapping.lookup(index), 0};
      if (access.lanes > 1)
        lane.step = std::nullopt;
      element.indices.push_back(lane);
    }
    FailureOr<Value> value = get(extract.getTensor(), element);
    if (failed(value))
      return failure();
    result = *value;
  } else if (OpTrait::hasElementwiseMappableTraits(&op) &&
             op.getNumResults() == 1) {
    Operation *clone = builder.clone(op, mapping);
    result = clone->getResult(0);
    result.setType(withLanes(result.getType(), access.lanes));
    guardDivision(builder, clone, access.mask);
  } else {
    emitError(op.getLoc(), "element emitter: '")
        << op.getName() << "' has no element form";
    return failure();
  }
  mapping.map(op.getResult(0), result);
  return result;
}
