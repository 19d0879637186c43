// The walk of the element emitter: types, scalars and sizes.
#include "lib/Target/Elements/ElementWalk.h"
#include "lib/Target/Elements/ElementForms.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tessera;

Type ElementEmitter::Walk::typeOf(Value tensor, int64_t lanes) {
  return withLanes(getElementTypeOrSelf(tensor.getType()), lanes);
}

Value ElementEmitter::Walk::broadcast(Value scalar, int64_t lanes) {
  if (lanes == 1)
    return scalar;
  Attribute constant;
  Type type = withLanes(scalar.getType(), lanes);
  if (matchPattern(scalar, m_Constant(&constant)))
    return arith::ConstantOp::create(
        builder, loc, DenseElementsAttr::get(cast<VectorType>(type), constant));
  return vector::BroadcastOp::create(builder, loc, type, scalar);
}

FailureOr<Value> ElementEmitter::Walk::splat(Value value, int64_t lanes) {
  FailureOr<Value> single = scalar(value);
  if (failed(single)) {
    ElementForms::error(value)
        << "expects a scalar that follows from the kernel's arguments";
    return failure();
  }
  return broadcast(*single, lanes);
}

FailureOr<Value> ElementEmitter::Walk::scalar(Value value) {
  if (Value known = visible.scalars.lookup(value))
    return known;
  if (auto argument = dyn_cast<BlockArgument>(value)) {
    int64_t symbol = argument.getArgNumber() - emitter.kernel.getTensorCount();
    if (argument.getOwner() != &emitter.kernel.getBody().front() || symbol < 0)
      return failure();
    return emitter.symbols[symbol];
  }
  Operation *op = value.getDefiningOp();
  if (auto dim = dyn_cast<tensor::DimOp>(op)) {
    std::optional<int64_t> dimension = dim.getConstantIndex();
    if (!dimension)
      return failure();
    return size(dim.getSource(), *dimension);
  }
  if (auto extract = dyn_cast<tensor::ExtractOp>(op)) {
    ElementAccess access;
    for (Value index : extract.getIndices()) {
      FailureOr<Value> emitted = scalar(index);
      if (failed(emitted))
        return failure();
      access.indices.push_back({*emitted, 0});
    }
    return get(extract.getTensor(), access);
  }
  if (op->getNumRegions() != 0 || !isPure(op))
    return failure();
  IRMapping mapping;
  for (Value operand : op->getOperands()) {
    if (isa<ShapedType>(operand.getType()))
      return failure();
    FailureOr<Value> emitted = scalar(operand);
    if (failed(emitted))
      return failure();
    mapping.map(operand, *emitted);
  }
  Operation *clone = builder.clone(*op, mapping);
  for (auto [from, to] : llvm::zip(op->getResults(), clone->getResults()))
    visible.scalars[from] = to;
  return visible.scalars.lookup(value);
}

FailureOr<Value> ElementEmitter::Walk::expand(AffineExpr expr) {
  if (auto constant = dyn_cast<AffineConstantExpr>(expr))
    return math.constant(constant.getValue());
  if (Value known = visible.sizes.lookup(expr))
    return known;
  ArrayRef<graph::SizeAnalysis::Symbol> symbols = emitter.sizes.symbols();
  SmallVector<Value> values(symbols.size());
  bool failedSymbol = false;
  expr.walk([&](AffineExpr part) {
    auto used = dyn_cast<AffineSymbolExpr>(part);
    if (!used || values[used.getPosition()] || failedSymbol)
      return;
    const graph::SizeAnalysis::Symbol &symbol = symbols[used.getPosition()];
    bool isWhole = symbol.kind == graph::SizeAnalysis::Symbol::Kind::Whole;
    if (!isWhole && (!symbol.value || symbol.dimension >= 0)) {
      failedSymbol = true;
      return;
    }
    FailureOr<Value> value =
        isWhole ? expand(symbol.operands[0]) : scalar(symbol.value);
    if (failed(value)) {
      failedSymbol = true;
      return;
    }
    if (!value->getType().isIndex())
      *value = arith::IndexCastOp::create(builder, loc, builder.getIndexType(),
                                          *value);
    values[used.getPosition()] = *value;
  });
  if (failedSymbol)
    return failure();
  Value result = affine::expandAffineExpr(builder, loc, expr, {}, values);
  visible.sizes[expr] = result;
  return result;
}

FailureOr<Value> ElementEmitter::Walk::size(Value tensor, int64_t dimension) {
  return expand(emitter.sizes.dimOf(tensor, dimension));
}

FailureOr<SmallVector<Value>> ElementEmitter::Walk::sizes(Value tensor) {
  SmallVector<Value> values;
  int64_t rank = cast<RankedTensorType>(tensor.getType()).getRank();
  for (int64_t dimension = 0; dimension < rank; ++dimension) {
    FailureOr<Value> value = size(tensor, dimension);
    if (failed(value)) {
      ElementForms::error(tensor)
          << "expects sizes over the kernel's symbols, but dimension "
          << dimension << " of " << tensor.getType() << " is none";
      return failure();
    }
    values.push_back(*value);
  }
  return values;
}
