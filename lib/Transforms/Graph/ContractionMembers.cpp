// Contractions of one operand that may become one; see the header.
#include "lib/Transforms/Graph/ContractionMembers.h"

#include "dialects/Attention/IR/Attention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/LinalgInterfaces.h"
#include "mlir/IR/Matchers.h"

using namespace mlir;
using namespace tessera;

std::optional<ContractionMember> ContractionMember::of(linalg::LinalgOp op) {
  if (!isContraction(op) || op.getNumDpsInputs() != 2)
    return std::nullopt;
  ContractionMember member{op, {}, {}, {}};
  auto fill = op.getDpsInits()[0].getDefiningOp<linalg::FillOp>();
  if (!fill || !matchPattern(fill.getInputs()[0], m_AnyZeroFloat()))
    return std::nullopt;
  member.weight = op.getDpsInputs()[1].getDefiningOp<graph::WeightOp>();
  member.destination = fill.getOutputs()[0].getDefiningOp<tensor::EmptyOp>();
  if (!member.weight || !member.destination ||
      member.destination.getType().getRank() == 0)
    return std::nullopt;
  AffineMap lhs = op.getMatchingIndexingMap(op.getDpsInputOperand(0));
  AffineMap rhs = op.getMatchingIndexingMap(op.getDpsInputOperand(1));
  AffineExpr column =
      op.getMatchingIndexingMap(op.getDpsInitOperand(0)).getResults().back();
  if (rhs.getNumResults() != 2 || rhs.getResult(1) != column ||
      lhs.getResultPosition(column))
    return std::nullopt;
  return member;
}

bool ContractionMember::isLike(ContractionMember &other) {
  auto elementType = [](Value value) {
    return getElementTypeOrSelf(value.getType());
  };
  return product->getBlock() == other.product->getBlock() &&
         product->getName() == other.product->getName() &&
         product.getIndexingMapsArray() == other.product.getIndexingMapsArray() &&
         lhs() == other.lhs() &&
         elementType(weight) == elementType(other.weight) &&
         elementType(destination) == elementType(other.destination);
}

Value ContractionMember::result() {
  for (Operation *step : llvm::reverse(steps))
    if (step)
      return step->getResult(0);
  return product->getResult(0);
}

Value tessera::repeatedVector(Value value, int64_t columns) {
  auto broadcast = value.getDefiningOp<graph::BroadcastToOp>();
  if (!broadcast)
    return {};
  Value source = broadcast.getSource();
  auto type = cast<RankedTensorType>(source.getType());
  SplatElementsAttr splat;
  if (matchPattern(source, m_Constant(&splat)))
    return source;
  bool isVector = type.hasStaticShape() && type.getRank() > 0 &&
                  type.getNumElements() == columns &&
                  type.getShape().back() == columns;
  return isVector && source.getDefiningOp<graph::WeightOp>() ? source : Value();
}

Operation *ContractionMember::next() {
  Value value = result();
  if (!value.hasOneUse())
    return nullptr;
  OpOperand &use = *value.use_begin();
  Operation *user = use.getOwner();
  if (!OpTrait::hasElementwiseMappableTraits(user) ||
      user->getNumOperands() > 2 || user->getNumResults() != 1 ||
      user->getBlock() != product->getBlock())
    return nullptr;
  if (user->getNumOperands() == 2 &&
      !repeatedVector(user->getOperand(1 - use.getOperandNumber()), columns()))
    return nullptr;
  return user;
}

Value ContractionMember::vectorOf(unsigned step) {
  Operation *op = steps[step];
  if (!op || op->getNumOperands() < 2)
    return {};
  Value first = repeatedVector(op->getOperand(0), columns());
  return first ? first : repeatedVector(op->getOperand(1), columns());
}

/// Whether two steps compute the same of product and vector.
static bool isSameStep(Operation *a, Value ofA, Operation *b, Value ofB) {
  bool isInOrder = a->hasTrait<OpTrait::IsCommutative>() ||
                   (a->getOperand(0) == ofA) == (b->getOperand(0) == ofB);
  return a->getName() == b->getName() && isInOrder &&
         a->getAttrDictionary() == b->getAttrDictionary() &&
         getElementTypeOrSelf(a->getResult(0).getType()) ==
             getElementTypeOrSelf(b->getResult(0).getType());
}

bool tessera::extend(MutableArrayRef<ContractionMember> members) {
  SmallVector<Operation *> steps;
  unsigned model = members.size();
  for (auto [i, member] : llvm::enumerate(members)) {
    steps.push_back(member.next());
    if (steps.back() && model == members.size())
      model = i;
  }
  if (model == members.size())
    return false;
  for (auto [member, step] : llvm::zip(members, steps))
    if (step ? !isSameStep(steps[model], members[model].result(), step,
                           member.result())
             : !isa<arith::AddFOp>(steps[model]))
      return false;
  for (auto [member, step] : llvm::zip(members, steps))
    member.steps.push_back(step);
  return true;
}

/// Whether a reshape leaves all sizes but 1 alone.
static bool insertsOnlyOnes(tensor::ExpandShapeOp op) {
  auto count = [](RankedTensorType type) {
    return llvm::count_if(type.getShape(), [](int64_t d) { return d != 1; });
  };
  return count(op.getSrcType()) == count(op.getResultType());
}

/// `isSplit`: another kernel reads `value` in any case. `isMoved`: at other
/// indices, so that an output is a copy of it.
static bool isReadInParts(Value value, bool isSplit, bool isMoved) {
  return llvm::all_of(value.getUses(), [&](OpOperand &use) {
    Operation *user = use.getOwner();
    if (auto expand = dyn_cast<tensor::ExpandShapeOp>(user))
      return isReadInParts(expand, isSplit || !insertsOnlyOnes(expand), isMoved);
    if (isa<tensor::ExtractSliceOp>(user) ||
        (isa<linalg::TransposeOp>(user) && use.getOperandNumber() == 0))
      return isReadInParts(user->getResult(0), true, true);
    if (isa<attention::SdpaOp, tensor::ConcatOp>(user))
      return true;
    if (isa<func::ReturnOp>(user))
      return isMoved;
    return isSplit && (OpTrait::hasElementwiseMappableTraits(user) ||
                       isa<linalg::ReduceOp>(user));
  });
}

bool tessera::isReadInParts(Value value) {
  return ::isReadInParts(value, /*isSplit=*/false, /*isMoved=*/false);
}
