// Makes each fused group of operations a kernel.
#include "lib/Transforms/Kernel/AttentionGroups.h"
#include "lib/Transforms/Kernel/KernelGroups.h"
#include "lib/Transforms/Kernel/Outline.h"
#include "lib/Transforms/Kernel/Passes.h"
#include "lib/Transforms/Kernel/RegionTensors.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeMaterialization.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"

namespace tessera {
#define GEN_PASS_DEF_OUTLINEGROUPS
#include "lib/Transforms/Kernel/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

/// The result whose kernel writes the bytes of `value`, or null if nothing computes
/// them.
static OpResult writerOf(Value value) {
  Operation *op = value.getDefiningOp();
  while (op && isView(op)) {
    value = op->getOperand(0);
    op = value.getDefiningOp();
  }
  return op && !isClonedIntoGroups(op) && isKernelWork(op) ? cast<OpResult>(value)
                                                           : OpResult();
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

/// Outer blocks first: what inner ones read of them is a kernel's result by then.
static LogicalResult outlineGroups(Block &block, SymbolTable &symbols) {
  for (const KernelGroup &group : formKernelGroups(block)) {
    llvm::SetVector<Operation *> operations = withIndexMaps(group);
    eraseDeadOperations(block);
    auto isCloned = [&](Operation *op) {
      return !operations.contains(op) && isClonedIntoGroups(op);
    };
    if (failed(outlineKernel(operations.getArrayRef(), nameOf(group), symbols,
                             isCloned)))
      return failure();
  }
  for (Operation &op : block)
    if (isControlFlow(&op))
      for (Region &region : op.getRegions())
        for (Block &nested : region)
          if (failed(outlineGroups(nested, symbols)))
            return failure();
  return success();
}

static LogicalResult outlineGroups(func::FuncOp entry, SymbolTable &symbols) {
  eraseDeadOperations(entry);
  makeBranchesOfSelections(entry);
  if (failed(checkCarriedSizes(entry)))
    return failure();
  copyUnwrittenResults(entry, writerOf);
  for (Block *block : entryBlocks(entry))
    cloneScorePrologues(*block);
  eraseDeadOperations(entry);
  if (failed(outlineGroups(entry.getBody().front(), symbols)))
    return failure();
  return finishRegions(entry, symbols);
}

/// dim(%computed, 0)  ==>  the size, by what it is made of
///
/// A kernel must not wait for the size of what it computes itself.
static void takeSizesFromInputs(func::FuncOp entry) {
  graph::SizeAnalysis sizes(entry.getContext());
  SmallVector<tensor::DimOp> dims;
  entry.walk([&](tensor::DimOp op) {
    if (op.getConstantIndex() && op.getSource().getDefiningOp())
      dims.push_back(op);
  });
  auto type = RankedTensorType::get({ShapedType::kDynamic},
                                    Builder(entry.getContext()).getI8Type());
  for (tensor::DimOp op : dims) {
    OpBuilder builder(op);
    Value size =
        graph::materializeDynamicSizes(
            builder, op.getLoc(), sizes, type,
            sizes.dimOf(op.getSource(), *op.getConstantIndex()))
            .front();
    if (size == op.getResult())
      continue;
    op.replaceAllUsesWith(size);
    op.erase();
  }
}

namespace {
struct OutlineGroups : tessera::impl::OutlineGroupsBase<OutlineGroups> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto entry : getOperation().getOps<func::FuncOp>()) {
      if (entry.isExternal())
        continue;
      takeSizesFromInputs(entry);
      if (failed(outlineGroups(entry, symbols)))
        return signalPassFailure();
    }
  }
};
} // namespace
