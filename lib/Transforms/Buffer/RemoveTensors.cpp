// Removes the tensors of an entry; see the header.
#include "lib/Transforms/Buffer/RemoveTensors.h"

#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace mlir;
using namespace tessera;

static bool isTensor(Type type) { return isa<TensorType>(type); }

namespace {

class TensorRemoval {
public:
  explicit TensorRemoval(func::FuncOp entry)
      : entry(entry), builder(entry.getContext()) {}

  LogicalResult run();

private:
  /// Stands for a tensor of a branch or loop until what uses it is removed.
  Value placeholder(Value tensor) {
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(&entry.getBody().front());
    return UnrealizedConversionCastOp::create(builder, tensor.getLoc(),
                                              tensor.getType(), ValueRange())
        .getResult(0);
  }
  void keepScalars(Operation *terminator);
  void replace(Operation *op, Operation *scalar);
  void rebuild(scf::IfOp branch);
  void rebuild(scf::ForOp loop);
  LogicalResult eraseTensors(Block &block);

  func::FuncOp entry;
  OpBuilder builder;
};

} // namespace

void TensorRemoval::keepScalars(Operation *terminator) {
  for (int64_t i = terminator->getNumOperands() - 1; i >= 0; --i)
    if (isTensor(terminator->getOperand(i).getType()))
      terminator->eraseOperand(i);
}

/// Replaces `op` by `scalar`, which gives what of its results is no tensor.
void TensorRemoval::replace(Operation *op, Operation *scalar) {
  scalar->setDiscardableAttrs(op->getDiscardableAttrDictionary());
  auto kept = scalar->result_begin();
  for (Value result : op->getResults())
    result.replaceAllUsesWith(isTensor(result.getType()) ? placeholder(result)
                                                         : Value(*kept++));
  op->erase();
}

void TensorRemoval::rebuild(scf::IfOp branch) {
  SmallVector<Type> kept;
  llvm::copy_if(branch.getResultTypes(), std::back_inserter(kept),
                [](Type type) { return !isTensor(type); });
  builder.setInsertionPoint(branch);
  auto scalar = scf::IfOp::create(builder, branch.getLoc(), kept,
                                  branch.getCondition(),
                                  /*addThenBlock=*/false, /*addElseBlock=*/false);
  scalar.getThenRegion().takeBody(branch.getThenRegion());
  scalar.getElseRegion().takeBody(branch.getElseRegion());
  keepScalars(scalar.thenYield());
  keepScalars(scalar.elseYield());
  replace(branch, scalar);
}

void TensorRemoval::rebuild(scf::ForOp loop) {
  SmallVector<Value> kept;
  llvm::copy_if(loop.getInitArgs(), std::back_inserter(kept),
                [](Value init) { return !isTensor(init.getType()); });
  builder.setInsertionPoint(loop);
  auto scalar = scf::ForOp::create(builder, loop.getLoc(), loop.getLowerBound(),
                                   loop.getUpperBound(), loop.getStep(), kept,
                                   /*bodyBuilder=*/nullptr, loop.getUnsignedCmp());
  scalar.getRegion().takeBody(loop.getRegion());
  Block *body = scalar.getBody();
  for (int64_t i = body->getNumArguments() - 1; i > 0; --i)
    if (Value carried = body->getArgument(i); isTensor(carried.getType())) {
      carried.replaceAllUsesWith(placeholder(carried));
      body->eraseArgument(i);
    }
  keepScalars(body->getTerminator());
  replace(loop, scalar);
}

/// Erases what gives tensors in `block`, last first.
LogicalResult TensorRemoval::eraseTensors(Block &block) {
  for (Operation &op : llvm::make_early_inc_range(llvm::reverse(block))) {
    if (isa<scf::IfOp, scf::ForOp>(op))
      for (Region &region : op.getRegions())
        for (Block &nested : region)
          if (failed(eraseTensors(nested)))
            return failure();
    if (llvm::none_of(op.getResultTypes(), isTensor))
      continue;
    if (!op.use_empty())
      return (*op.user_begin())
          ->emitError("reads a tensor's elements outside a kernel");
    op.erase();
  }
  return success();
}

LogicalResult TensorRemoval::run() {
  Block &body = entry.getBody().front();
  keepScalars(body.getTerminator());
  SmallVector<Operation *> regions;
  entry.walk([&](Operation *op) {
    if (isa<scf::IfOp, scf::ForOp>(op) &&
        llvm::any_of(op->getResultTypes(), isTensor))
      regions.push_back(op);
  });
  for (Operation *op : regions) {
    if (auto branch = dyn_cast<scf::IfOp>(op))
      rebuild(branch);
    else
      rebuild(cast<scf::ForOp>(op));
  }
  return eraseTensors(body);
}

LogicalResult tessera::removeTensors(func::FuncOp entry) {
  return TensorRemoval(entry).run();
}
