// What becomes part of an attention's kernel; see the header.
#include "lib/Transforms/Kernel/AttentionGroups.h"
#include "lib/Transforms/Kernel/KernelGroups.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/TypicalValue.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace tessera;

bool tessera::isAttentionLayout(Operation *op) {
  auto transpose = dyn_cast<linalg::TransposeOp>(op);
  if (!transpose)
    return false;
  auto attention = transpose.getInput().getDefiningOp<attention::SdpaOp>();
  return attention && attention->getBlock() == op->getBlock() &&
         transpose.getInput() == attention.getResult() &&
         transpose.getInput().hasOneUse();
}

namespace {

/// Walks back from bias and mask of one attention.
class ScorePrologue {
public:
  ScorePrologue(attention::SdpaOp op, graph::SizeAnalysis &sizes,
                bool exclusive)
      : sizes(sizes), exclusive(exclusive), block(op->getBlock()),
        queries(sizes.dimOf(op.getQuery(), 2)),
        keys(sizes.dimOf(op.getKey(), 2)) {}

  /// Adds what computes `value` if that is worth it.
  void addOperand(Value value);

  llvm::SetVector<Operation *> members;

private:
  /// Bytes of `value` at typical sizes.
  double bytesOf(Value value);

  /// Whether `value` has queries x keys elements: dimensions of both sizes.
  bool hasScoreSizes(Value value);
  /// Whether `op` computes elements cheaply from those of its operands.
  bool isCheap(Operation *op);
  /// Collects members below `value` and adds to `read` the bytes that they take
  /// from stored values; `most` bounds what can be read of `value`. Returns
  /// whether there are members.
  bool collect(Value value, double most, double &read,
               llvm::SetVector<Operation *> &found);
  void addRoot(Operation *op);

  graph::SizeAnalysis &sizes;
  bool exclusive;
  /// What another block computes is stored by a kernel there.
  Block *block;
  AffineExpr queries, keys;
};

} // namespace

double ScorePrologue::bytesOf(Value value) {
  int64_t bytes = llvm::divideCeil(
      cast<RankedTensorType>(value.getType()).getElementTypeBitWidth(), 8);
  return bytes * graph::typicalElementCountOf(value, sizes);
}

bool ScorePrologue::hasScoreSizes(Value value) {
  SmallVector<AffineExpr> dims = sizes.dimsOf(value);
  for (auto [i, size] : llvm::enumerate(dims)) {
    if (!sizes.areEqual(size, queries))
      continue;
    for (auto [j, other] : llvm::enumerate(dims))
      if (i != j && sizes.areEqual(other, keys))
        return true;
  }
  return false;
}

bool ScorePrologue::isCheap(Operation *op) {
  if (op->getBlock() != block)
    return false;
  if (isa<graph::GatherOp, graph::GatherPointsOp>(op))
    return true;
  return OpTrait::hasElementwiseMappableTraits(op) &&
         isa<arith::ArithDialect>(op->getDialect()) &&
         isa<RankedTensorType>(op->getResult(0).getType());
}

bool ScorePrologue::collect(Value value, double most, double &read,
                            llvm::SetVector<Operation *> &found) {
  Operation *op = value.getDefiningOp();
  bool isShared = exclusive && op && !value.hasOneUse() &&
                  llvm::any_of(op->getUsers(), [&](Operation *user) {
                    return !found.contains(user) && !members.contains(user) &&
                           !isa<attention::SdpaOp>(user) &&
                           !isClonedIntoGroups(user);
                  });
  if (op && found.contains(op))
    return true;
  bool cloned = op && isClonedIntoGroups(op);
  bool belongs = op && op->getBlock() == block &&
                 (isCheap(op) || isView(op)) && hasScoreSizes(value);
  if (!op || (!cloned && (isShared || !belongs))) {
    read += std::min(most, bytesOf(value));
    return false;
  }
  if (op->hasTrait<OpTrait::ConstantLike>())
    return false;
  most = std::min(most, bytesOf(value));
  if (isCheap(op))
    found.insert(op);
  bool any = false;
  for (Value operand : op->getOperands())
    if (isa<RankedTensorType>(operand.getType()))
      any |= collect(operand, most, read, found);
  if (any && !cloned)
    found.insert(op);
  return any || found.contains(op);
}

void ScorePrologue::addRoot(Operation *op) {
  if (!hasScoreSizes(op->getResult(0)))
    return;
  double bytes = bytesOf(op->getResult(0)), read = 0;
  llvm::SetVector<Operation *> found;
  if (collect(op->getResult(0), bytes, read, found) && read <= bytes)
    members.insert(found.begin(), found.end());
}

void ScorePrologue::addOperand(Value value) {
  Operation *op = value.getDefiningOp();
  if (!op || op->hasTrait<OpTrait::ConstantLike>() ||
      !isa<RankedTensorType>(value.getType()))
    return;
  if (isCheap(op))
    return addRoot(op);
  if (isClonedIntoGroups(op) || isView(op))
    for (Value operand : op->getOperands())
      addOperand(operand);
}

llvm::SetVector<Operation *>
tessera::scorePrologueOf(attention::SdpaOp op, graph::SizeAnalysis &sizes,
                         bool exclusive) {
  ScorePrologue prologue(op, sizes, exclusive);
  for (Value operand : {op.getBias(), op.getMask()})
    if (operand)
      prologue.addOperand(operand);
  SmallVector<Operation *> ordered = prologue.members.takeVector();
  llvm::sort(ordered, [](Operation *a, Operation *b) {
    return a->isBeforeInBlock(b);
  });
  return llvm::SetVector<Operation *>(ordered.begin(), ordered.end());
}

/// A copy of what computes `value`, members and the index maps between them.
static Value cloneBefore(OpBuilder &builder, Value value,
                         const llvm::SetVector<Operation *> &members,
                         IRMapping &mapping) {
  if (Value known = mapping.lookupOrNull(value))
    return known;
  Operation *op = value.getDefiningOp();
  if (!op || !(members.contains(op) || isClonedIntoGroups(op)))
    return value;
  for (Value operand : op->getOperands())
    mapping.map(operand, cloneBefore(builder, operand, members, mapping));
  builder.clone(*op, mapping);
  return mapping.lookup(value);
}

void tessera::cloneScorePrologues(Block &block) {
  SmallVector<attention::SdpaOp> attentions(block.getOps<attention::SdpaOp>());
  for (attention::SdpaOp op : attentions) {
    graph::SizeAnalysis sizes(op.getContext());
    llvm::SetVector<Operation *> members =
        scorePrologueOf(op, sizes, /*exclusive=*/false);
    if (members.empty())
      continue;
    OpBuilder builder(op);
    IRMapping mapping;
    for (MutableOperandRange operand :
         {op.getBiasMutable(), op.getMaskMutable()})
      for (OpOperand &use : operand)
        use.set(cloneBefore(builder, use.get(), members, mapping));
  }
}
