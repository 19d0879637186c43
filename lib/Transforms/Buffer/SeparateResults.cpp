// Gives each place of an entry a kernel call of its own; see the header.
#include "lib/Transforms/Buffer/SeparateResults.h"
#include "lib/Transforms/Buffer/TensorLives.h"

#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace tessera;

/// Makes `operand` what a second call gives, in front of its owner.
static void callAgain(OpOperand &operand) {
  SmallVector<Operation *> views;
  Value result = operand.get();
  for (; Operation *op = result.getDefiningOp(); result = op->getOperand(0)) {
    if (!viewSource(op))
      break;
    views.push_back(op);
  }
  OpBuilder builder(operand.getOwner());
  Operation *again = builder.clone(*result.getDefiningOp());
  Value value = again->getResult(cast<OpResult>(result).getResultNumber());
  for (Operation *view : llvm::reverse(views)) {
    IRMapping mapping;
    mapping.map(view->getOperand(0), value);
    value = builder.clone(*view, mapping)->getResult(0);
  }
  operand.set(value);
}

/// Whether `operand` alone, through reshapes, uses what a kernel computes.
static bool isOnlyUse(OpOperand &operand) {
  Value below = belowViews(operand.get());
  for (Value value = operand.get();; value = value.getDefiningOp()->getOperand(0)) {
    if (!value.hasOneUse())
      return false;
    if (value == below)
      return true;
  }
}

static void separateResults(Block &block) {
  auto isOfCall = [](OpOperand &operand) {
    return bool(belowViews(operand.get()).getDefiningOp<kernel::CallOp>());
  };
  auto isOutside = [&](OpOperand &operand) {
    return belowViews(operand.get()).getParentBlock() != &block;
  };
  for (auto loop : block.getOps<scf::ForOp>())
    for (OpOperand &init : loop.getInitArgsMutable())
      if (isOfCall(init) && (isOutside(init) || !isOnlyUse(init)))
        callAgain(init);
  DenseSet<Value> taken;
  for (OpOperand &operand : block.getTerminator()->getOpOperands()) {
    if (!isOfCall(operand))
      continue;
    if (isOutside(operand) || taken.contains(belowViews(operand.get())))
      callAgain(operand);
    taken.insert(belowViews(operand.get()));
  }
}

void tessera::separateResults(func::FuncOp entry) {
  ::separateResults(entry.getBody().front());
  entry.walk([](Operation *op) {
    if (isa<scf::IfOp, scf::ForOp>(op))
      for (Region &region : op->getRegions())
        for (Block &block : region)
          ::separateResults(block);
  });
}
