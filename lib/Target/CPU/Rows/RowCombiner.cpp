// How the elements of a reduction are joined; see the header.
#include "lib/Target/CPU/Rows/RowCombiner.h"
#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Vector/IR/VectorOps.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

//===----------------------------------------------------------------------===//
// Recognising
//===----------------------------------------------------------------------===//

/// The least (or greatest) value of a type.
static TypedAttr extreme(Type type, bool greatest, bool isSigned) {
  Builder builder(type.getContext());
  if (auto floating = dyn_cast<FloatType>(type))
    return builder.getFloatAttr(
        type, APFloat::getInf(floating.getFloatSemantics(), !greatest));
  unsigned width = type.getIntOrFloatBitWidth();
  APInt value = isSigned ? (greatest ? APInt::getSignedMaxValue(width)
                                     : APInt::getSignedMinValue(width))
                         : (greatest ? APInt::getMaxValue(width)
                                     : APInt::getZero(width));
  return builder.getIntegerAttr(type, value);
}

/// The neutral element of the operation that `body` applies to its two
/// arguments; null where it is none that is known.
static TypedAttr neutralOf(Block &body, Type type) {
  Builder builder(type.getContext());
  auto ops = llvm::to_vector(
      llvm::make_pointer_range(body.without_terminator()));
  if (ops.empty() || body.getNumArguments() != 2 ||
      body.getTerminator()->getOperand(0) != ops.back()->getResult(0))
    return {};
  auto joinsArguments = [&](Value a, Value b) {
    return a != b && isa<BlockArgument>(a) && isa<BlockArgument>(b);
  };
  if (ops.size() == 2) {
    auto compare = dyn_cast<arith::CmpFOp>(ops[0]);
    auto select = dyn_cast<arith::SelectOp>(ops[1]);
    if (!compare || !select || select.getCondition() != compare ||
        select.getTrueValue() != compare.getLhs() ||
        select.getFalseValue() != compare.getRhs() ||
        !joinsArguments(compare.getLhs(), compare.getRhs()))
      return {};
    if (compare.getPredicate() == arith::CmpFPredicate::OGT)
      return extreme(type, /*greatest=*/false, true);
    return {};
  }
  if (ops.size() != 1 || ops[0]->getNumOperands() != 2 ||
      !joinsArguments(ops[0]->getOperand(0), ops[0]->getOperand(1)))
    return {};
  return llvm::TypeSwitch<Operation *, TypedAttr>(ops[0])
      .Case<arith::AddFOp, arith::AddIOp, arith::OrIOp, arith::XOrIOp>(
          [&](auto) { return builder.getZeroAttr(type); })
      .Case<arith::MulFOp, arith::MulIOp>(
          [&](auto) { return cast<TypedAttr>(builder.getOneAttr(type)); })
      .Case<arith::AndIOp>(
          [&](auto) { return extreme(type, /*greatest=*/true, false); })
      .Case<arith::MaximumFOp, arith::MaxSIOp>(
          [&](auto) { return extreme(type, /*greatest=*/false, true); })
      .Case<arith::MinimumFOp, arith::MinSIOp>(
          [&](auto) { return extreme(type, /*greatest=*/true, true); })
      .Case<arith::MaxUIOp>(
          [&](auto) { return extreme(type, /*greatest=*/false, false); })
      .Case<arith::MinUIOp>(
          [&](auto) { return extreme(type, /*greatest=*/true, false); })
      .Default([](Operation *) { return TypedAttr(); });
}

/// The constant that all elements of `tensor` are, if it is one.
static Attribute splatOf(Value tensor) {
  DenseElementsAttr elements;
  if (matchPattern(tensor, m_Constant(&elements)) && elements.isSplat())
    return elements.getSplatValue<Attribute>();
  auto fill = tensor.getDefiningOp<linalg::FillOp>();
  Attribute value;
  if (fill && matchPattern(fill.getInputs()[0], m_Constant(&value)))
    return value;
  return {};
}

FailureOr<Combiner> Combiner::of(Operation *op) {
  Combiner result(op);
  Builder builder(op->getContext());
  if (auto arg = dyn_cast<graph::ArgReduceOp>(op)) {
    auto type = cast<RankedTensorType>(arg.getSource().getType());
    int64_t size = type.getDimSize(arg.getDimension());
    bool fits = !ShapedType::isDynamic(size) && size <= INT32_MAX / 2;
    result.isIndex = true;
    result.elementType = result.accumulatorType = type.getElementType();
    result.positionType = builder.getIntegerType(fits ? 32 : 64);
    result.neutral =
        extreme(result.elementType, arg.getKind() == graph::Extremum::Min,
                !arg.getIsUnsigned());
    return result;
  }
  auto reduce = cast<linalg::ReduceOp>(op);
  if (reduce.getInputs().size() != 1)
    return op->emitOpError("row emitter: expects one input, but got ")
           << reduce.getInputs().size();
  result.elementType = getElementTypeOrSelf(reduce.getInits()[0].getType());
  result.accumulatorType = result.elementType;
  Block &body = reduce.getCombiner().front();
  result.isRounded =
      llvm::all_of(body.without_terminator(), [](Operation &inner) {
        return isa<arith::AddFOp, arith::MulFOp>(inner);
      });
  if (result.isRounded && isa<FloatType>(result.elementType) &&
      result.elementType.getIntOrFloatBitWidth() < 32)
    result.accumulatorType = builder.getF32Type();
  result.neutral = neutralOf(body, result.accumulatorType);
  if (!result.neutral)
    return op->emitOpError("row emitter: expects a body of one operation that "
                           "is associative and commutative");
  Attribute initial = splatOf(reduce.getInits()[0]);
  if (!initial || initial != neutralOf(body, result.elementType))
    result.init = reduce.getInits()[0];
  return result;
}

//===----------------------------------------------------------------------===//
// Emitting
//===----------------------------------------------------------------------===//


static Type sameLanes(Type like, Type element) {
  auto vector = dyn_cast<VectorType>(like);
  return vector ? Type(vector.clone(element)) : element;
}

/// `value` in a wider float type.
static Value extend(OpBuilder &builder, Location loc, Value value,
                    Type element) {
  Type type = sameLanes(value.getType(), element);
  return value.getType() == type
             ? value
             : arith::ExtFOp::create(builder, loc, type, value).getResult();
}

static Value constant(OpBuilder &builder, Location loc, TypedAttr value,
                      int64_t lanes) {
  if (lanes > 1)
    value = DenseElementsAttr::get(VectorType::get({lanes}, value.getType()),
                                   Attribute(value));
  return arith::ConstantOp::create(builder, loc, value);
}

Combiner::State Combiner::start(OpBuilder &builder, Location loc, int64_t lanes,
                                bool lanesAlongRow) const {
  State state = {constant(builder, loc, neutral, lanes)};
  if (!isIndex)
    return state;
  if (cast<graph::ArgReduceOp>(op).getSelectLast()) {
    state.push_back(constant(
        builder, loc, builder.getIntegerAttr(positionType, -1), lanes));
  } else if (lanes == 1 || !lanesAlongRow) {
    state.push_back(constant(
        builder, loc, builder.getIntegerAttr(positionType, 0), lanes));
  } else {
    SmallVector<Attribute> numbers;
    for (int64_t lane = 0; lane < lanes; ++lane)
      numbers.push_back(builder.getIntegerAttr(positionType, lane));
    state.push_back(arith::ConstantOp::create(
        builder, loc,
        DenseElementsAttr::get(VectorType::get({lanes}, positionType),
                               numbers)));
  }
  return state;
}

Value Combiner::apply(OpBuilder &builder, Location loc, Value a,
                      Value b) const {
  Block &body = cast<linalg::ReduceOp>(op).getCombiner().front();
  IRMapping mapping;
  mapping.map(body.getArgument(0), b);
  mapping.map(body.getArgument(1), a);
  for (Operation &inner : body.without_terminator()) {
    Operation *clone = builder.clone(inner, mapping);
    Type element = isa<arith::CmpFOp>(inner) ? Type(builder.getI1Type())
                                             : getElementTypeOrSelf(a.getType());
    clone->getResult(0).setType(sameLanes(a.getType(), element));
  }
  return mapping.lookup(body.getTerminator()->getOperand(0));
}

Value Combiner::beats(OpBuilder &builder, Location loc, Value candidate,
                      Value best, bool orEqual) const {
  auto arg = cast<graph::ArgReduceOp>(op);
  bool isMax = arg.getKind() == graph::Extremum::Max;
  if (!isa<FloatType>(elementType)) {
    using P = arith::CmpIPredicate;
    P predicate;
    if (arg.getIsUnsigned())
      predicate = isMax ? (orEqual ? P::uge : P::ugt)
                        : (orEqual ? P::ule : P::ult);
    else
      predicate = isMax ? (orEqual ? P::sge : P::sgt)
                        : (orEqual ? P::sle : P::slt);
    return arith::CmpIOp::create(builder, loc, predicate, candidate, best);
  }
  using P = arith::CmpFPredicate;
  P predicate =
      isMax ? (orEqual ? P::OGE : P::OGT) : (orEqual ? P::OLE : P::OLT);
  Value better =
      arith::CmpFOp::create(builder, loc, predicate, candidate, best);
  // A NaN beats every number.
  Value isNan =
      arith::CmpFOp::create(builder, loc, P::UNO, candidate, candidate);
  if (!orEqual) {
    Value isNumber = arith::CmpFOp::create(builder, loc, P::ORD, best, best);
    isNan = arith::AndIOp::create(builder, loc, isNan, isNumber);
  }
  return arith::OrIOp::create(builder, loc, better, isNan);
}

Combiner::State Combiner::combine(OpBuilder &builder, Location loc,
                                  ValueRange state, Value x, Value index,
                                  Value mask) const {
  if (isIndex) {
    bool last = cast<graph::ArgReduceOp>(op).getSelectLast();
    Value better = beats(builder, loc, x, state[0], /*orEqual=*/last);
    if (mask)
      better = arith::AndIOp::create(builder, loc, better, mask);
    return {arith::SelectOp::create(builder, loc, better, x, state[0]),
            arith::SelectOp::create(builder, loc, better, index, state[1])};
  }
  if (accumulatorType != elementType)
    x = extend(builder, loc, x, accumulatorType);
  Value joined = apply(builder, loc, state[0], x);
  if (mask)
    joined = arith::SelectOp::create(builder, loc, mask, joined, state[0]);
  return {joined};
}

Combiner::State Combiner::widen(OpBuilder &builder, Location loc,
                                ValueRange state) const {
  if (!isRounded)
    return State(state.begin(), state.end());
  return {extend(builder, loc, state[0], builder.getF64Type())};
}

Combiner::State Combiner::merge(OpBuilder &builder, Location loc, ValueRange a,
                                ValueRange b) const {
  if (!isIndex)
    return {apply(builder, loc, a[0], b[0])};
  // Of equal elements the index decides.
  bool last = cast<graph::ArgReduceOp>(op).getSelectLast();
  Value strictly = beats(builder, loc, b[0], a[0], /*orEqual=*/false);
  Value atLeast = beats(builder, loc, b[0], a[0], /*orEqual=*/true);
  Value order = arith::CmpIOp::create(builder, loc,
                                      last ? arith::CmpIPredicate::sgt
                                           : arith::CmpIPredicate::slt,
                                      b[1], a[1]);
  Value tie = arith::AndIOp::create(builder, loc, atLeast, order);
  Value better = arith::OrIOp::create(builder, loc, strictly, tie);
  return {arith::SelectOp::create(builder, loc, better, b[0], a[0]),
          arith::SelectOp::create(builder, loc, better, b[1], a[1])};
}

Combiner::State Combiner::acrossLanes(OpBuilder &builder, Location loc,
                                      ValueRange state) const {
  State joined(state.begin(), state.end());
  while (auto type = dyn_cast<VectorType>(joined[0].getType())) {
    int64_t lanes = type.getDimSize(0);
    auto half = [&](Value vector, int64_t from, int64_t count) -> Value {
      if (count == 1)
        return vector::ExtractOp::create(builder, loc, vector, from);
      return vector::ShuffleOp::create(
          builder, loc, vector, vector,
          llvm::to_vector(llvm::seq<int64_t>(from, from + count)));
    };
    State low, high;
    for (Value vector : joined) {
      low.push_back(half(vector, 0, lanes / 2));
      high.push_back(half(vector, lanes / 2, lanes / 2));
    }
    joined = merge(builder, loc, low, high);
  }
  return joined;
}

Value Combiner::finish(OpBuilder &builder, Location loc, ValueRange state,
                       Value initial) const {
  if (isIndex) {
    Type type = sameLanes(state[1].getType(), builder.getI64Type());
    if (state[1].getType() == type)
      return state[1];
    return arith::ExtSIOp::create(builder, loc, type, state[1]);
  }
  Value result = state[0];
  Type held = getElementTypeOrSelf(result.getType());
  if (initial && held != elementType)
    initial = extend(builder, loc, initial, held);
  if (initial)
    result = apply(builder, loc, initial, result);
  if (held == elementType)
    return result;
  return arith::TruncFOp::create(builder, loc,
                                 sameLanes(result.getType(), elementType),
                                 result);
}
