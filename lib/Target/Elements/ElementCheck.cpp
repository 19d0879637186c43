// The element emitter's walk without emission: what is bound, scalars and sizes,
// operations that compute. See the header.
#include "lib/Target/Elements/ElementCheck.h"
#include "lib/Target/Elements/ElementForms.h"

#include "mlir/Interfaces/SideEffectInterfaces.h"

using namespace mlir;
using namespace tessera;

int64_t ElementCheck::rankOf(Value tensor) {
  return cast<RankedTensorType>(tensor.getType()).getRank();
}

//===----------------------------------------------------------------------===//
// What is bound
//===----------------------------------------------------------------------===//

void ElementCheck::forget() {
  checked.clear();
  readsBound.clear();
  linear.clear();
}

void ElementCheck::bind(Value tensor, Access access) {
  bound[tensor] = std::move(access);
  forget();
}

void ElementCheck::bindAnywhere(Value tensor) {
  bound[tensor] = std::nullopt;
  forget();
}

void ElementCheck::unbind(Value tensor) {
  if (bound.erase(tensor))
    forget();
}

bool ElementCheck::dependsOnBound(Value tensor) {
  if (bound.contains(tensor))
    return true;
  auto [known, isNew] = readsBound.try_emplace(tensor, false);
  if (!isNew)
    return known->second;
  bool result = false;
  if (Operation *op = tensor.getDefiningOp())
    op->walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        result = result || (isa<RankedTensorType>(operand.getType()) &&
                            dependsOnBound(operand));
    });
  return readsBound[tensor] = result;
}

bool ElementCheck::isLinear(Value tensor) {
  return ElementForms::isLinear(
      tensor, linear, [&](Value end) -> std::optional<bool> {
        if (bound.contains(end) || isa<BlockArgument>(end))
          return true;
        return std::nullopt;
      });
}

//===----------------------------------------------------------------------===//
// Scalars and sizes
//===----------------------------------------------------------------------===//

LogicalResult ElementCheck::isKnown(AffineExpr size) {
  auto [known, isNew] = sizes.try_emplace(size, true);
  if (!isNew)
    return success(known->second);
  bool result = true;
  size.walk([&](AffineExpr part) {
    auto used = dyn_cast<AffineSymbolExpr>(part);
    if (!used || !result)
      return;
    const graph::SizeAnalysis::Symbol symbol =
        analysis.symbols()[used.getPosition()];
    if (symbol.kind == graph::SizeAnalysis::Symbol::Kind::Whole)
      result = succeeded(isKnown(symbol.operands[0]));
    else
      result = symbol.value && symbol.dimension < 0 &&
               succeeded(checkScalar(symbol.value));
  });
  sizes[size] = result;
  return success(result);
}

LogicalResult ElementCheck::checkSize(Value tensor, int64_t dimension) {
  return isKnown(analysis.dimOf(tensor, dimension));
}

LogicalResult ElementCheck::checkSizes(Value tensor) {
  for (int64_t dimension = 0, e = rankOf(tensor); dimension < e; ++dimension)
    if (failed(checkSize(tensor, dimension))) {
      ElementForms::error(tensor)
          << "expects sizes over the kernel's symbols, but dimension "
          << dimension << " of " << tensor.getType() << " is none";
      return failure();
    }
  return success();
}

LogicalResult ElementCheck::sizeOperand(Value tensor, int64_t dimension) {
  return succeeded(checkSize(tensor, dimension)) ? success()
                                                 : checkSizes(tensor);
}

LogicalResult ElementCheck::checkScalar(Value value) {
  if (auto argument = dyn_cast<BlockArgument>(value))
    return success(argument.getOwner() == &kernel.getBody().front() &&
                   static_cast<int64_t>(argument.getArgNumber()) >=
                       kernel.getTensorCount());
  auto [known, isNew] = scalars.try_emplace(value, true);
  if (!isNew)
    return success(known->second);
  Operation *op = value.getDefiningOp();
  LogicalResult result = success();
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    std::optional<int64_t> dimension = dim.getConstantIndex();
    result = success(dimension &&
                     succeeded(checkSize(dim.getSource(), *dimension)));
  } else if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
    for (Value index : extract.getIndices())
      result = success(succeeded(result) && succeeded(checkScalar(index)));
    result =
        success(succeeded(result) && succeeded(elsewhere(extract.getTensor())));
  } else {
    result = success(op->getNumRegions() == 0 && isPure(op));
    for (Value operand : op->getOperands())
      result = success(succeeded(result) &&
                       !isa<ShapedType>(operand.getType()) &&
                       succeeded(checkScalar(operand)));
  }
  scalars[value] = succeeded(result);
  return result;
}

LogicalResult ElementCheck::scalarOperand(Value value) {
  if (succeeded(checkScalar(value)))
    return success();
  return ElementForms::error(value)
         << "expects a scalar that follows from the kernel's arguments";
}

LogicalResult ElementCheck::indexOperands(ArrayRef<OpFoldResult> values) {
  for (OpFoldResult each : values) {
    auto value = dyn_cast<Value>(each);
    if (!value || succeeded(checkScalar(value)))
      continue;
    return ElementForms::error(value)
           << "expects a size over the kernel's symbols";
  }
  return success();
}

//===----------------------------------------------------------------------===//
// Elements
//===----------------------------------------------------------------------===//

LogicalResult ElementCheck::check(Value tensor) {
  Access access;
  for (int64_t i = 0, e = rankOf(tensor); i < e; ++i)
    access.push_back(i);
  return check(tensor, access);
}

LogicalResult ElementCheck::elsewhere(Value tensor) {
  return check(tensor, Access(rankOf(tensor), kElsewhere));
}

LogicalResult ElementCheck::check(Value tensor, const Access &given) {
  // Where nothing bound is read, all accesses are alike.
  Access access =
      dependsOnBound(tensor) ? given : Access(given.size(), kElsewhere);
  for (const Access &known : checked[tensor])
    if (known == access)
      return success();
  if (failed(checkNew(tensor, access)))
    return failure();
  checked[tensor].push_back(access);
  return success();
}

LogicalResult ElementCheck::checkNew(Value tensor, const Access &access) {
  auto source = bound.find(tensor);
  if (source != bound.end())
    return fromSource(tensor, source->second, access);
  if (isa<BlockArgument>(tensor))
    return success();
  return ElementForms::visit<Result>(*this, cast<OpResult>(tensor), access);
}

LogicalResult ElementCheck::fromSource(Value tensor,
                                       const std::optional<Access> &there,
                                       const Access &access) {
  if (!there)
    return success();
  auto type = cast<RankedTensorType>(tensor.getType());
  auto isVector = [&](int64_t index) {
    return laneLoop >= 0 && index == laneLoop;
  };
  for (auto [size, read, place] : llvm::zip(type.getShape(), access, *there))
    if (read != place && (size != 1 || isVector(read) || isVector(place)))
      return ElementForms::error(tensor)
             << "the bound value cannot be read here";
  return success();
}

LogicalResult ElementCheck::elementwise(OpResult result, const Access &access) {
  for (Value operand : result.getOwner()->getOperands())
    if (failed(isa<RankedTensorType>(operand.getType())
                   ? check(operand, access)
                   : scalarOperand(operand)))
      return failure();
  return success();
}

LogicalResult ElementCheck::constant(arith::ConstantOp op, const Access &) {
  return ElementForms::elementsOf(op);
}

LogicalResult ElementCheck::structured(linalg::LinalgOp op, OpResult result,
                                       const Access &access) {
  if (failed(ElementForms::checkLoops(op, result)))
    return failure();
  Access loops(op.getNumLoops());
  AffineMap outputMap = op.getIndexingMapMatchingResult(result);
  for (auto [i, expr] : llvm::enumerate(outputMap.getResults()))
    loops[cast<AffineDimExpr>(expr).getPosition()] = access[i];
  for (OpOperand &operand : op->getOpOperands()) {
    if (op.getMatchingBlockArgument(&operand).use_empty())
      continue;
    if (!isa<RankedTensorType>(operand.get().getType())) {
      if (failed(scalarOperand(operand.get())))
        return failure();
      continue;
    }
    Access read;
    for (AffineExpr expr : op.getMatchingIndexingMap(&operand).getResults()) {
      if (auto dim = dyn_cast<AffineDimExpr>(expr))
        read.push_back(loops[dim.getPosition()]);
      else
        read.push_back(expr == 0 ? kZero : kElsewhere);
    }
    if (failed(check(operand.get(), read)))
      return failure();
  }
  for (Operation &inner : op.getBlock()->without_terminator())
    if (failed(bodyOperation(inner)))
      return failure();
  return success();
}

LogicalResult ElementCheck::bodyOperation(Operation &op) {
  for (Value operand : op.getOperands()) {
    bool isOfBody = operand.getParentBlock() == op.getBlock();
    if (isa<RankedTensorType>(operand.getType()) || isOfBody)
      continue;
    if (failed(scalarOperand(operand)))
      return failure();
  }
  return ElementForms::visitBody<Result>(*this, op);
}

LogicalResult ElementCheck::bodyExtract(tensor::ExtractOp op) {
  return elsewhere(op.getTensor());
}
