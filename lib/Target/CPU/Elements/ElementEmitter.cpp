// The element emitter: dispatch, scalars, elementwise operations and structured
// operations with parallel loops only.
#include "lib/Target/CPU/Elements/ElementEmitter.h"
#include "lib/Target/CPU/Elements/ElementWalk.h"

#include "mlir/Dialect/Affine/IR/AffineOps.h"
#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

//===----------------------------------------------------------------------===//
// ElementEmitter
//===----------------------------------------------------------------------===//

ElementEmitter::ElementEmitter(kernel::FuncOp kernel, ArrayRef<Value> memrefs,
                               ArrayRef<Value> symbols)
    : kernel(kernel), memrefs(memrefs), symbols(symbols),
      sizes(kernel.getContext()) {
  assert(static_cast<int64_t>(memrefs.size()) == kernel.getTensorCount() &&
         static_cast<int64_t>(symbols.size()) == kernel.getSymbolCount() &&
         "one memref for each tensor and one value for each symbol");
}

ElementEmitter::~ElementEmitter() = default;

void ElementEmitter::bind(Value tensor, Source source) {
  sources[tensor] = {std::move(source), /*isLinear=*/false};
}

void ElementEmitter::bindLinear(Value tensor, Source source) {
  sources[tensor] = {std::move(source), /*isLinear=*/true};
}

void ElementEmitter::bindElements(Value tensor, Value elements) {
  sources[tensor] = {/*source=*/{}, /*isLinear=*/false, elements};
}

FailureOr<SmallVector<Value>>
ElementEmitter::emit(OpBuilder &builder, Location loc, ArrayRef<Value> tensors,
                     ArrayRef<Value> indices, int64_t lanes, Value mask) {
  ElementAccess access;
  for (Value index : indices)
    access.indices.push_back({index, 0});
  if (lanes > 1 && !indices.empty())
    access.indices.back().step = 1;
  access.lanes = lanes;
  access.mask = lanes > 1 ? mask : Value();
  return emit(builder, loc, tensors, access);
}

FailureOr<Value> ElementEmitter::emit(OpBuilder &builder, Location loc,
                                      Value tensor, ArrayRef<Value> indices,
                                      int64_t lanes, Value mask) {
  FailureOr<SmallVector<Value>> values =
      emit(builder, loc, ArrayRef(tensor), indices, lanes, mask);
  if (failed(values))
    return failure();
  return values->front();
}

FailureOr<SmallVector<Value>>
ElementEmitter::emitLinear(OpBuilder &builder, Location loc,
                           ArrayRef<Value> tensors, Value position,
                           int64_t lanes, Value mask) {
  ElementAccess access;
  access.indices.push_back({position, lanes > 1 ? 1 : 0});
  access.linear = true;
  access.lanes = lanes;
  access.mask = lanes > 1 ? mask : Value();
  return emit(builder, loc, tensors, access);
}

FailureOr<SmallVector<Value>>
ElementEmitter::emit(OpBuilder &builder, Location loc, ArrayRef<Value> tensors,
                     const ElementAccess &access) {
  Walk walk(*this, builder, loc);
  SmallVector<Value> values;
  for (Value tensor : tensors) {
    FailureOr<Value> value = walk.get(tensor, access);
    if (failed(value))
      return failure();
    values.push_back(*value);
  }
  return values;
}

bool ElementEmitter::isLinear(Value tensor) {
  OpBuilder builder(kernel.getContext());
  return Walk(*this, builder, kernel.getLoc()).servesLinear(tensor);
}

Value ElementEmitter::emitIndex(OpBuilder &builder, Location loc,
                                Value valueOfTheBody) {
  FailureOr<Value> value = Walk(*this, builder, loc).scalar(valueOfTheBody);
  return succeeded(value) ? *value : Value();
}

Value ElementEmitter::emitSize(OpBuilder &builder, Location loc, Value tensor,
                               int64_t dimension) {
  FailureOr<Value> value = Walk(*this, builder, loc).size(tensor, dimension);
  return succeeded(value) ? *value : Value();
}

//===----------------------------------------------------------------------===//
// Types, scalars and sizes
//===----------------------------------------------------------------------===//

static Type vectorOrScalar(Type element, int64_t lanes) {
  return lanes == 1 ? element : VectorType::get({lanes}, element);
}

Type ElementEmitter::Walk::typeOf(Value tensor, int64_t lanes) {
  return vectorOrScalar(getElementTypeOrSelf(tensor.getType()), lanes);
}

InFlightDiagnostic ElementEmitter::Walk::error(Value tensor) {
  return emitError(tensor.getLoc(), "element emitter: ");
}

Value ElementEmitter::Walk::broadcast(Value scalar, int64_t lanes) {
  if (lanes == 1)
    return scalar;
  Attribute constant;
  Type type = vectorOrScalar(scalar.getType(), lanes);
  if (matchPattern(scalar, m_Constant(&constant)))
    return arith::ConstantOp::create(
        builder, loc, DenseElementsAttr::get(cast<VectorType>(type), constant));
  return vector::BroadcastOp::create(builder, loc, type, scalar);
}

FailureOr<Value> ElementEmitter::Walk::splat(Value value, int64_t lanes) {
  FailureOr<Value> single = scalar(value);
  if (failed(single)) {
    error(value) << "expects a scalar that follows from the kernel's arguments";
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
      error(tensor) << "expects sizes over the kernel's symbols, but dimension "
                    << dimension << " of " << tensor.getType() << " is none";
      return failure();
    }
    values.push_back(*value);
  }
  return values;
}

//===----------------------------------------------------------------------===//
// Dispatch
//===----------------------------------------------------------------------===//

FailureOr<Value> ElementEmitter::Walk::get(Value tensor,
                                           const ElementAccess &access) {
  for (auto &[known, value] : visible.elements[tensor])
    if (known == access)
      return value;
  FailureOr<Value> value;
  if (access.lanes > 1 && access.isUniform()) {
    ElementAccess single = access;
    single.lanes = 1;
    single.mask = {};
    value = get(tensor, single);
    if (succeeded(value))
      value = broadcast(*value, access.lanes);
  } else {
    value = compute(tensor, access);
  }
  if (failed(value))
    return failure();
  visible.elements[tensor].push_back({access, *value});
  return value;
}

/// What `access` reads if its last index is 0 in all lanes, and if it is not. Only
/// what elementwise operations and broadcasts read in the end is emitted twice.
FailureOr<Value>
ElementEmitter::Walk::repeatedOrNot(Value tensor, const ElementAccess &access) {
  ElementAccess varying = access, single = access;
  varying.repeated = single.repeated = {};
  single.indices.back() = math.uniform(0);
  return select(typeOf(tensor, access.lanes), access.repeated, access,
                [&](Value) { return get(tensor, single); },
                [&](Value) { return get(tensor, varying); });
}

FailureOr<Value> ElementEmitter::Walk::compute(Value tensor,
                                               const ElementAccess &access) {
  Operation *reader = tensor.getDefiningOp();
  bool passesOn = reader && !emitter.sources.contains(tensor) &&
                  (OpTrait::hasElementwiseMappableTraits(reader) ||
                   isa<graph::BroadcastToOp>(reader));
  if (access.repeated && !passesOn)
    return repeatedOrNot(tensor, access);
  auto source = emitter.sources.find(tensor);
  if (source != emitter.sources.end())
    return fromSource(tensor, source->second, access);
  if (auto argument = dyn_cast<BlockArgument>(tensor))
    return load(argument, access);
  auto result = cast<OpResult>(tensor);
  Operation *op = result.getOwner();
  if (OpTrait::hasElementwiseMappableTraits(op))
    return elementwise(result, access);
  if (auto structuredOp = dyn_cast<linalg::LinalgOp>(op))
    return structured(structuredOp, result, access);
  if (auto constantOp = dyn_cast<arith::ConstantOp>(op))
    return constant(constantOp, access);
  return movement(result, access);
}

FailureOr<Value>
ElementEmitter::Walk::fromSource(Value tensor, const Bound &bound,
                                 const ElementAccess &linearOrNot) {
  // Lanes read one element along a size of 1, where only the first exists.
  if (bound.elements)
    return linearOrNot.lanes == 1 && isa<VectorType>(bound.elements.getType())
               ? Value(vector::ExtractOp::create(builder, loc, bound.elements, 0))
               : bound.elements;
  if (bound.isLinear && !linearOrNot.linear) {
    error(tensor) << "the bound value cannot be read here";
    return failure();
  }
  FailureOr<ElementAccess> access =
      bound.isLinear ? linearOrNot : delinearize(tensor, linearOrNot);
  if (failed(access))
    return failure();
  auto call = [&](int64_t lane, int64_t lanes) -> Value {
    SmallVector<Value> indices;
    for (LaneIndex index : access->indices)
      indices.push_back(math.laneOf(index, lane));
    return bound.source(builder, loc, indices, lanes);
  };
  bool alongLast =
      access->lanes > 1 && access->indices.back().isContiguous() &&
      llvm::all_of(ArrayRef(access->indices).drop_back(),
                   [](LaneIndex i) { return i.isUniform(); });
  if (access->lanes == 1 || alongLast) {
    if (Value value = call(0, access->lanes))
      return value;
    error(tensor) << "the bound value cannot be read here";
    return failure();
  }
  SmallVector<Value> elements;
  for (int64_t lane = 0; lane < access->lanes; ++lane) {
    elements.push_back(call(lane, 1));
    if (!elements.back()) {
      error(tensor) << "the bound value cannot be read element by element";
      return failure();
    }
  }
  return Value(vector::FromElementsOp::create(
      builder, loc, cast<VectorType>(typeOf(tensor, access->lanes)), elements));
}

bool ElementEmitter::Walk::servesLinear(Value tensor) {
  auto known = linear.find(tensor);
  if (known != linear.end())
    return known->second;
  auto all = [&](ValueRange tensors) {
    return llvm::all_of(tensors, [&](Value operand) {
      return !isa<RankedTensorType>(operand.getType()) || servesLinear(operand);
    });
  };
  auto isSingle = [](Value single) {
    auto type = cast<RankedTensorType>(single.getType());
    return type.hasStaticShape() && type.getNumElements() == 1;
  };
  bool result = false;
  if (isSingle(tensor)) {
    result = true;
  } else if (auto bound = emitter.sources.find(tensor);
             bound != emitter.sources.end()) {
    result = bound->second.isLinear ||
             cast<RankedTensorType>(tensor.getType()).getRank() == 1;
  } else if (auto argument = dyn_cast<BlockArgument>(tensor)) {
    auto type =
        cast<MemRefType>(emitter.memrefs[argument.getArgNumber()].getType());
    result = type.getLayout().isIdentity();
  } else {
    Operation *op = tensor.getDefiningOp();
    if (OpTrait::hasElementwiseMappableTraits(op) ||
        isa<graph::ReshapeOp, tensor::CollapseShapeOp, tensor::ExpandShapeOp,
            tensor::CastOp>(op))
      result = all(op->getOperands());
    else if (isa<linalg::FillOp>(op))
      result = true;
    else if (auto broadcast = dyn_cast<graph::BroadcastToOp>(op))
      result = isSingle(broadcast.getSource()) &&
               servesLinear(broadcast.getSource());
    else if (auto constant = dyn_cast<arith::ConstantOp>(op))
      result = isa<SplatElementsAttr>(constant.getValue());
    else
      result = isa<tensor::SplatOp>(op);
  }
  linear[tensor] = result;
  return result;
}

//===----------------------------------------------------------------------===//
// Computing operations
//===----------------------------------------------------------------------===//

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
    result.setType(vectorOrScalar(result.getType(), access.lanes));
    guardDivision(builder, clone, access.mask);
  } else {
    emitError(op.getLoc(), "element emitter: '")
        << op.getName() << "' has no element form";
    return failure();
  }
  mapping.map(op.getResult(0), result);
  return result;
}
