// What is computed from weights and constants alone, as parts with recipes.
#include "lib/Transforms/Graph/WeightParts.h"

#include "dialects/Graph/Weights/ElementFunctions.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/Dialect/Utils/IndexingUtils.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tessera;

/// Null if a number is not known, or dimensions go away.
static Attribute sliceStep(tensor::ExtractSliceOp slice) {
  auto isDynamic = [](ArrayRef<int64_t> values) {
    return llvm::any_of(values, ShapedType::isDynamic);
  };
  if (isDynamic(slice.getStaticOffsets()) || isDynamic(slice.getStaticSizes()) ||
      isDynamic(slice.getStaticStrides()) ||
      slice.getType().getRank() != slice.getSourceType().getRank())
    return {};
  return graph::SliceAttr::get(slice.getContext(), slice.getStaticOffsets(),
                               slice.getStaticSizes(),
                               slice.getStaticStrides());
}

Attribute tessera::viewStepOf(Operation *op) {
  if (auto transpose = dyn_cast<linalg::TransposeOp>(op))
    return graph::TransposeAttr::get(op->getContext(),
                                     transpose.getPermutation());
  if (auto reverse = dyn_cast<graph::ReverseOp>(op))
    return graph::ReverseAttr::get(op->getContext(), reverse.getDimensions());
  if (auto slice = dyn_cast<tensor::ExtractSliceOp>(op))
    return sliceStep(slice);
  if (isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp, graph::ReshapeOp>(op))
    return graph::ReshapeAttr::get(
        op->getContext(),
        cast<RankedTensorType>(op->getResult(0).getType()).getShape());
  return {};
}

/// The step of a reduction by one operation from its neutral element; null where
/// there is none, as for numbers without a sign.
static Attribute reductionStep(linalg::ReduceOp op) {
  Block &body = op.getCombiner().front();
  if (op.getNumDpsInputs() != 1 || body.getOperations().size() != 2)
    return {};
  Operation &join = body.front();
  auto fill = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  TypedAttr start;
  std::optional<TypedAttr> neutral = arith::getNeutralElement(&join);
  if (!fill || !neutral || join.getNumOperands() != 2 ||
      join.getOperand(0) == join.getOperand(1) ||
      !llvm::all_of(join.getOperands(), llvm::IsaPred<BlockArgument>) ||
      !matchPattern(fill.getInputs()[0], m_Constant(&start)))
    return {};
  // -0 and 0 both leave a sum alone.
  auto zero = dyn_cast<FloatAttr>(start), other = dyn_cast<FloatAttr>(*neutral);
  bool isZero = zero && other && zero.getValue().isZero() &&
                other.getValue().isZero();
  if (!isZero && start != *neutral)
    return {};
  auto step = graph::ReduceAttr::get(
      op.getContext(), join.getName().getStringRef(), op.getDimensions());
  std::string ignored;
  auto source = cast<RankedTensorType>(op.getDpsInputs()[0].getType());
  return succeeded(step.resultType(source, ignored)) ? Attribute(step)
                                                     : Attribute();
}

static int64_t bytesOf(RankedTensorType type) {
  return type.getNumElements() *
         llvm::divideCeil(type.getElementTypeBitWidth(), 8);
}

/// `part` behind one more step.
static WeightPart stepped(WeightPart part, Attribute step) {
  part.part = graph::withSteps(part.part, step);
  ++part.steps;
  return part;
}

bool WeightParts::isNarrow(Value value) {
  WeightPart part = of(value);
  return part && part.readsWeights &&
         bytesOf(cast<RankedTensorType>(value.getType())) >= 3 * part.storedBytes;
}

WeightPart WeightParts::of(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  Operation *op = value.getDefiningOp();
  if (!op || !type || !type.hasStaticShape() || op->getNumResults() != 1 ||
      !graph::elementKindOf(type.getElementType()))
    return {};
  auto found = known.find(value);
  if (found != known.end())
    return found->second;
  WeightPart part = compute(op);
  if (part.steps > kMostSteps)
    part = {};
  known[value] = part;
  return part;
}

WeightPart WeightParts::compute(Operation *op) {
  auto type = cast<RankedTensorType>(op->getResult(0).getType());
  auto empty = ArrayAttr::get(op->getContext(), {});
  if (auto weight = dyn_cast<graph::WeightOp>(op)) {
    auto weights = symbols.lookup<graph::WeightsOp>(weight.getWeights());
    return {weights.getPart(), bytesOf(type), 1, true};
  }
  DenseElementsAttr constant;
  if (matchPattern(op, m_Constant(&constant)))
    return {graph::PartAttr::get(op->getContext(), constant, type, empty),
            constant.isSplat() ? 0 : bytesOf(type), 1, !constant.isSplat()};
  if (isa<tensor::ConcatOp>(op))
    return joined(op);
  if (OpTrait::hasElementwiseMappableTraits(op)) {
    WeightPart part = elementwise(op);
    return bytesOf(type) > kMostGrowth * part.storedBytes ? WeightPart() : part;
  }
  Attribute step = viewStepOf(op);
  if (auto broadcast = dyn_cast<graph::BroadcastToOp>(op))
    step = graph::BroadcastAttr::get(op->getContext(), type.getShape());
  else if (auto reduction = dyn_cast<linalg::ReduceOp>(op))
    step = reductionStep(reduction);
  auto gather = dyn_cast<graph::GatherOp>(op);
  if (!step && !gather)
    return {};
  WeightPart source = of(op->getOperand(0));
  if (!source)
    return {};
  if (!gather)
    return stepped(source, step);
  WeightPart indices = of(gather.getIndices());
  if (!indices || gather.getData().getType().getDimSize(gather.getAxis()) == 0)
    return {};
  source.steps += indices.steps;
  source.storedBytes += indices.storedBytes;
  return stepped(source, graph::TakeAttr::get(op->getContext(),
                                              gather.getAxis(), indices.part));
}

SmallVector<WeightPart> WeightParts::operandsOf(Operation *op) {
  SmallVector<WeightPart> parts;
  for (Value operand : op->getOperands()) {
    parts.push_back(of(operand));
    if (!parts.back())
      return {};
  }
  return parts;
}

/// Counts what `part` is made of for `whole`, too.
static void include(WeightPart &whole, const WeightPart &part) {
  whole.storedBytes += part.storedBytes;
  whole.steps += part.steps;
  whole.readsWeights |= part.readsWeights;
}

WeightPart WeightParts::elementwise(Operation *op) {
  const graph::ElementOperation *operation =
      graph::ElementOperation::named(op->getName().getStringRef());
  Type result = getElementTypeOrSelf(op->getResult(0));
  SmallVector<Type> types;
  for (Value operand : op->getOperands())
    types.push_back(getElementTypeOrSelf(operand));
  // Another rounding than to the nearest has no step.
  if (!operation || !operation->admits(types, result) ||
      op->getAttr("roundingmode"))
    return {};
  SmallVector<WeightPart> operands = operandsOf(op);
  // The source is the largest: what is read once for each of its elements, a scalar
  // say, is better an operand.
  auto source = llvm::max_element(
      operands, [](const WeightPart &a, const WeightPart &b) {
        return std::make_pair(a.readsWeights, a.storedBytes) <
               std::make_pair(b.readsWeights, b.storedBytes);
      });
  if (source == operands.end())
    return {};
  WeightPart whole = *source;
  SmallVector<graph::PartAttr> others;
  for (WeightPart &operand : operands) {
    if (&operand == source)
      continue;
    others.push_back(operand.part);
    include(whole, operand);
  }
  int64_t predicate = 0;
  if (auto given = op->getAttrOfType<IntegerAttr>("predicate"))
    predicate = given.getInt();
  return stepped(whole, graph::ElementwiseAttr::get(
                            op->getContext(), operation->name, result, others,
                            std::distance(operands.begin(), source), predicate));
}

/// Parts are joined along the first dimension: another one is brought there and back.
WeightPart WeightParts::joined(Operation *op) {
  auto concat = cast<tensor::ConcatOp>(op);
  RankedTensorType type = concat.getResultType();
  SmallVector<WeightPart> operands = operandsOf(op);
  if (operands.empty())
    return {};
  SmallVector<int64_t> permutation{int64_t(concat.getDim())}, shape;
  for (int64_t i = 0; i < type.getRank(); ++i)
    if (i != permutation.front())
      permutation.push_back(i);
  auto toFront = graph::TransposeAttr::get(op->getContext(), permutation);
  bool isFirst = concat.getDim() == 0;
  WeightPart whole;
  SmallVector<graph::PartAttr> parts;
  for (WeightPart &operand : operands) {
    parts.push_back(isFirst ? operand.part
                            : graph::withSteps(operand.part, {toFront}));
    include(whole, operand);
  }
  for (int64_t from : permutation)
    shape.push_back(type.getDimSize(from));
  whole.part = graph::PartAttr::get(
      op->getContext(), graph::ConcatAttr::get(op->getContext(), parts),
      type.clone(shape), ArrayAttr::get(op->getContext(), {}));
  return isFirst ? whole
                 : stepped(whole, graph::TransposeAttr::get(
                                      op->getContext(),
                                      invertPermutationVector(permutation)));
}
