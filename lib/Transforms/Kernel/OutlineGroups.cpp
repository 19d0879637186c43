// Makes each fused group of operations a kernel.
#include "lib/Transforms/Kernel/AttentionGroups.h"
#include "lib/Transforms/Kernel/KernelGroups.h"
#include "lib/Transforms/Kernel/Outline.h"
#include "lib/Transforms/Kernel/Passes.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"

namespace tessera {
#define GEN_PASS_DEF_OUTLINEGROUPS
#include "lib/Transforms/Kernel/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

/// The operation whose kernel writes the bytes of `value`, or null if nothing
/// computes it.
static Operation *writerOf(Value value) {
  Operation *op = value.getDefiningOp();
  while (op && isView(op))
    op = op->getOperand(0).getDefiningOp();
  return op && !isClonedIntoGroups(op) && isKernelWork(op) ? op : nullptr;
}

/// Copies results of the entry that no kernel of their own would write:
/// arguments, weights, index maps such as a transpose, one value twice.
static void copyUnwrittenResults(func::FuncOp entry) {
  Operation *end = entry.getBody().front().getTerminator();
  OpBuilder builder(end);
  llvm::SmallDenseSet<std::pair<Operation *, unsigned>> written;
  for (OpOperand &operand : end->getOpOperands()) {
    Value value = operand.get();
    if (!isa<RankedTensorType>(value.getType()))
      continue;
    Operation *writer = writerOf(value);
    Value base = value;
    while (writer && base.getDefiningOp() != writer)
      base = base.getDefiningOp()->getOperand(0);
    if (writer &&
        written.insert({writer, cast<OpResult>(base).getResultNumber()}).second)
      continue;
    Value into = tensor::EmptyOp::create(
        builder, value.getLoc(),
        tensor::getMixedSizes(builder, value.getLoc(), value),
        cast<RankedTensorType>(value.getType()).getElementType());
    operand.set(linalg::CopyOp::create(builder, value.getLoc(), value, into)
                    .getResult(0));
  }
}

/// `linalg.matmul` gives `matmul`, reductions and elementwise chains their kind.
static StringRef nameOf(const KernelGroup &group) {
  switch (group.kind) {
  case RootKind::Rows:
    return "rows";
  case RootKind::Elementwise:
    return "elementwise";
  case RootKind::Attention:
    return "attention";
  default:
    return group.operations.front()->getName().stripDialect();
  }
}

/// Whether `op`, through operations that are cloned, reads what `group` computes.
static bool readsGroup(Operation *op,
                       const llvm::SetVector<Operation *> &group) {
  return llvm::any_of(op->getOperands(), [&](Value operand) {
    Operation *producer = operand.getDefiningOp();
    return producer && (group.contains(producer) ||
                        (isClonedIntoGroups(producer) &&
                         readsGroup(producer, group)));
  });
}

/// The operations of `group` with their own copies of the index maps between
/// them, each before its user.
static llvm::SetVector<Operation *> withIndexMaps(const KernelGroup &group) {
  llvm::SetVector<Operation *> members(group.operations.begin(),
                                       group.operations.end());
  llvm::SetVector<Operation *> ordered;
  std::function<void(Operation *)> add = [&](Operation *op) {
    for (OpOperand &operand : op->getOpOperands()) {
      Operation *producer = operand.get().getDefiningOp();
      if (!producer || members.contains(producer) ||
          ordered.contains(producer) || !isClonedIntoGroups(producer) ||
          !readsGroup(producer, members))
        continue;
      unsigned number = cast<OpResult>(operand.get()).getResultNumber();
      Operation *copy = OpBuilder(op).clone(*producer);
      operand.set(copy->getResult(number));
      add(copy);
    }
    ordered.insert(op);
  };
  for (Operation *op : group.operations)
    add(op);
  return ordered;
}

static LogicalResult outlineGroups(func::FuncOp entry, SymbolTable &symbols) {
  eraseDeadOperations(entry);
  copyUnwrittenResults(entry);
  cloneScorePrologues(entry);
  eraseDeadOperations(entry);
  for (const KernelGroup &group : formKernelGroups(entry)) {
    llvm::SetVector<Operation *> operations = withIndexMaps(group);
    eraseDeadOperations(entry);
    auto isCloned = [&](Operation *op) {
      return !operations.contains(op) && isClonedIntoGroups(op);
    };
    if (failed(outlineKernel(operations.getArrayRef(), nameOf(group), symbols,
                             isCloned)))
      return failure();
  }
  eraseDeadOperations(entry);
  return success();
}

namespace {
struct OutlineGroups : tessera::impl::OutlineGroupsBase<OutlineGroups> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto entry : getOperation().getOps<func::FuncOp>())
      if (!entry.isExternal() && failed(outlineGroups(entry, symbols)))
        return signalPassFailure();
  }
};
} // namespace
