// Moves the asserts of entries to functions that run before anything is planned or
// launched.
#include "lib/Transforms/Buffer/Passes.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Kernel/IR/Kernel.h"

#include "mlir/Analysis/SliceAnalysis.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/IRMapping.h"

namespace tessera {
#define GEN_PASS_DEF_SEPARATECHECKS
#include "lib/Transforms/Buffer/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

/// The asserts of `entry` and what computes their conditions, in its order. Fails
/// with a diagnostic at an assert whose condition reads memory, and at one in a branch
/// or loop, which does not hold for the whole run.
FailureOr<SmallVector<Operation *>> checksOf(func::FuncOp entry) {
  Block &body = entry.getBody().front();
  SmallVector<graph::AssertOp> checks;
  entry.walk([&](graph::AssertOp check) { checks.push_back(check); });
  SetVector<Operation *> needed;
  for (graph::AssertOp check : checks) {
    if (check->getBlock() != &body)
      return check.emitOpError("stands in a branch or loop; expects it outside, "
                               "because all asserts are checked before a run");
    SetVector<Operation *> slice;
    (void)getBackwardSlice(check.getOperation(), &slice);
    for (Operation *op : slice)
      if (!isMemoryEffectFree(op) || op->getBlock() != &body)
        return check.emitOpError("expects a condition on sizes only");
    needed.insert_range(slice);
    needed.insert(check);
  }
  SmallVector<Operation *> ordered;
  for (Operation &op : body)
    if (needed.contains(&op))
      ordered.push_back(&op);
  return ordered;
}

struct SeparateChecks : tessera::impl::SeparateChecksBase<SeparateChecks> {
  void runOnOperation() override {
    SymbolTable symbols(getOperation());
    for (auto entry : getOperation().getOps<kernel::EntryOp>()) {
      auto function = symbols.lookup<func::FuncOp>(entry.getFunction());
      if (!function || function.isExternal())
        continue;
      FailureOr<SmallVector<Operation *>> checks = checksOf(function);
      if (failed(checks))
        return signalPassFailure();
      if (!checks->empty())
        entry.setChecksAttr(
            FlatSymbolRefAttr::get(separate(function, *checks, symbols)));
    }
  }

  /// Moves the asserts among `checks` to a function behind `entry`, with copies of
  /// the others.
  func::FuncOp separate(func::FuncOp entry, ArrayRef<Operation *> checks,
                        SymbolTable &symbols) {
    OpBuilder builder(entry.getContext());
    auto function = func::FuncOp::create(
        builder, entry.getLoc(), (entry.getSymName() + "_checks").str(),
        entry.getFunctionType());
    function.setPrivate();
    symbols.insert(function, std::next(Block::iterator(entry)));
    Block *body = function.addEntryBlock();
    builder.setInsertionPointToEnd(body);
    IRMapping mapping;
    mapping.map(entry.getArguments(), body->getArguments());
    for (Operation *op : checks)
      builder.clone(*op, mapping);
    func::ReturnOp::create(builder, entry.getLoc());
    for (Operation *op : checks)
      if (isa<graph::AssertOp>(op))
        op->erase();
    return function;
  }
};

} // namespace
