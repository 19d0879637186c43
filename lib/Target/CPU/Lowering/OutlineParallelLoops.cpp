// Turns the bodies of parallel loops into functions that the run-time context's
// thread pool calls.
#include "dialects/Kernel/IR/Kernel.h"
#include "lib/Target/CPU/Lowering/ContextFields.h"
#include "lib/Target/CPU/Passes.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/IRMapping.h"
#include "mlir/IR/Matchers.h"
#include "mlir/Transforms/RegionUtils.h"

namespace tessera::cpu {
#define GEN_PASS_DEF_OUTLINEPARALLELLOOPS
#include "lib/Target/CPU/Passes.h.inc"
} // namespace tessera::cpu

using namespace mlir;
using namespace tessera;

namespace {

/// Names of functions that are called, directly or not, from a parallel body.
llvm::DenseSet<StringAttr> functionsCalledByTasks(ModuleOp module,
                                                  SymbolTable &symbols) {
  llvm::DenseSet<StringAttr> found;
  SmallVector<Operation *> work;
  module.walk([&](kernel::ParallelForOp loop) { work.push_back(loop); });
  while (!work.empty())
    work.pop_back_val()->walk([&](LLVM::CallOp call) {
      FlatSymbolRefAttr callee = call.getCalleeAttr();
      if (callee && found.insert(callee.getAttr()).second)
        if (auto function = symbols.lookup(callee.getValue()))
          work.push_back(function);
    });
  return found;
}

/// Whether a body repeats the value's operation rather than capture its result.
bool isRepeated(Value value) {
  Operation *op = value.getDefiningOp();
  return op && op->getNumOperands() == 0 && isPure(op) &&
         op->getNumRegions() == 0;
}

/// The block at whose start the function or parallel body around `op` keeps its
/// stack variables.
Block *stackBlock(Operation *op) {
  if (auto loop = op->getParentOfType<kernel::ParallelForOp>())
    return &loop.getBody().front();
  return &op->getParentOfType<LLVM::LLVMFuncOp>().getBody().front();
}

/// One parallel loop on its way out of its function.
class Outlining {
public:
  Outlining(kernel::ParallelForOp loop, SymbolTable &symbols, bool knowsWorker)
      : loop(loop), symbols(symbols), knowsWorker(knowsWorker),
        builder(loop), loc(loop.getLoc()),
        pointer(LLVM::LLVMPointerType::get(loop.getContext())),
        integer(builder.getI64Type()) {}

  void run() {
    APInt count;
    bool isConstant = matchPattern(loop.getCount(), m_ConstantInt(&count));
    if (isConstant && count.isOne() && knowsWorker)
      return runInPlace();
    collectCaptures();
    LLVM::LLVMFuncOp task = emitTask();
    Value struct_ = emitCaptures();
    if (isConstant || !knowsWorker)
      emitParallelCall(task, struct_);
    else
      emitGuardedCalls(task, struct_);
    loop.erase();
  }

private:
  Value constant(int64_t value) {
    return LLVM::ConstantOp::create(builder, loc, integer,
                                    builder.getI64IntegerAttr(value));
  }

  /// The worker that runs the code around the loop.
  Value currentWorker() {
    if (auto outer = loop->getParentOfType<kernel::ParallelForOp>())
      return outer.getBody().getArgument(1);
    return constant(0);
  }

  /// Splices the body into the function around the loop.
  void runInPlace() {
    Value task = constant(0), worker = currentWorker();
    Block *before = loop->getBlock();
    Block *after = before->splitBlock(loop);
    Region &body = loop.getBody();
    body.getArgument(0).replaceAllUsesWith(task);
    body.getArgument(1).replaceAllUsesWith(worker);
    Block *first = &body.front();
    first->eraseArguments(0, 2);
    for (Block &block : body)
      if (auto end = dyn_cast<kernel::EndOp>(block.getTerminator())) {
        builder.setInsertionPoint(end);
        LLVM::BrOp::create(builder, loc, after);
        end.erase();
      }
    before->getParent()->getBlocks().splice(after->getIterator(),
                                            body.getBlocks());
    builder.setInsertionPointToEnd(before);
    LLVM::BrOp::create(builder, loc, first);
    loop.erase();
  }

  void collectCaptures() {
    llvm::SetVector<Value> used;
    getUsedValuesDefinedAbove(loop.getBody(), used);
    SmallVector<Type> types;
    for (Value value : used) {
      if (isRepeated(value)) {
        repeated.push_back(value);
        continue;
      }
      captured.push_back(value);
      types.push_back(value.getType());
    }
    capturesType = LLVM::LLVMStructType::getLiteral(loop.getContext(), types);
  }

  /// The address of captured value number `index` in the struct at `address`.
  Value emitFieldAddress(Value address, int32_t index) {
    return LLVM::GEPOp::create(builder, loc, pointer, capturesType, address,
                               ArrayRef<LLVM::GEPArg>{0, index},
                               LLVM::GEPNoWrapFlags::inbounds);
  }

  /// The function `void task(captures, task, worker)` with the loop's body.
  LLVM::LLVMFuncOp emitTask() {
    auto parent = loop->getParentOfType<LLVM::LLVMFuncOp>();
    auto type = LLVM::LLVMFunctionType::get(
        LLVM::LLVMVoidType::get(loop.getContext()), {pointer, integer, integer});
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointAfter(parent);
    auto task = LLVM::LLVMFuncOp::create(builder, loc,
                                         (parent.getName() + ".task").str(),
                                         type, LLVM::Linkage::Internal);
    task->remove();
    symbols.insert(task, std::next(parent->getIterator()));
    for (StringRef attribute : {"llvm.noalias", "llvm.nonnull"})
      task.setArgAttr(0, attribute, builder.getUnitAttr());

    Block *entry = task.addEntryBlock(builder);
    builder.setInsertionPointToStart(entry);
    for (auto [i, value] : llvm::enumerate(captured)) {
      Value field = emitFieldAddress(entry->getArgument(0), i);
      Value loaded = LLVM::LoadOp::create(builder, loc, value.getType(), field);
      replaceAllUsesInRegionWith(value, loaded, loop.getBody());
    }
    for (Value value : repeated) {
      Operation *copy = builder.clone(*value.getDefiningOp());
      unsigned result = cast<OpResult>(value).getResultNumber();
      replaceAllUsesInRegionWith(value, copy->getResult(result),
                                 loop.getBody());
    }
    Region &body = loop.getBody();
    Block *first = &body.front();
    first->getArgument(0).replaceAllUsesWith(entry->getArgument(1));
    first->getArgument(1).replaceAllUsesWith(entry->getArgument(2));
    first->eraseArguments(0, 2);
    for (Block &block : body)
      if (auto end = dyn_cast<kernel::EndOp>(block.getTerminator())) {
        builder.setInsertionPoint(end);
        LLVM::ReturnOp::create(builder, loc, ValueRange());
        end.erase();
      }
    task.getBody().getBlocks().splice(task.getBody().end(), body.getBlocks());
    builder.setInsertionPointToEnd(entry);
    LLVM::BrOp::create(builder, loc, first);
    return task;
  }

  /// Fills a struct on the stack with the captured values.
  Value emitCaptures() {
    Value address;
    {
      OpBuilder::InsertionGuard guard(builder);
      builder.setInsertionPointToStart(stackBlock(loop));
      address = LLVM::AllocaOp::create(builder, loc, pointer, capturesType,
                                       constant(1));
    }
    for (auto [i, value] : llvm::enumerate(captured))
      LLVM::StoreOp::create(builder, loc, value, emitFieldAddress(address, i));
    return address;
  }

  void emitParallelCall(LLVM::LLVMFuncOp task, Value captures) {
    Value context = loop.getRunContext();
    Value function =
        cpu::emitLoad(builder, loc, context, cpu::ContextField::parallelFor);
    Value pool =
        cpu::emitLoad(builder, loc, context, cpu::ContextField::pool);
    Value address = LLVM::AddressOfOp::create(builder, loc, task);
    auto type = LLVM::LLVMFunctionType::get(
        LLVM::LLVMVoidType::get(loop.getContext()),
        {pointer, pointer, pointer, integer});
    LLVM::CallOp::create(builder, loc, type,
                         ValueRange{function, pool, address, captures,
                                    loop.getCount()});
  }

  /// if (count > 1) parallelFor(…) else if (count == 1) task(captures, 0, worker)
  void emitGuardedCalls(LLVM::LLVMFuncOp task, Value captures) {
    Value one = constant(1);
    Value many = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::sgt,
                                      loop.getCount(), one);
    Block *before = loop->getBlock();
    Block *after = before->splitBlock(loop);
    Block *parallel = builder.createBlock(after);
    Block *serial = builder.createBlock(after);
    Block *single = builder.createBlock(after);

    builder.setInsertionPointToEnd(before);
    LLVM::CondBrOp::create(builder, loc, many, parallel, serial);
    builder.setInsertionPointToEnd(parallel);
    emitParallelCall(task, captures);
    LLVM::BrOp::create(builder, loc, after);
    builder.setInsertionPointToEnd(serial);
    Value any = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::eq,
                                     loop.getCount(), one);
    LLVM::CondBrOp::create(builder, loc, any, single, after);
    builder.setInsertionPointToEnd(single);
    LLVM::CallOp::create(builder, loc, task,
                         ValueRange{captures, constant(0), currentWorker()});
    LLVM::BrOp::create(builder, loc, after);
    // The optimizer must not make a second copy of the body here.
    task.setNoInline(true);
  }

  kernel::ParallelForOp loop;
  SymbolTable &symbols;
  bool knowsWorker;
  OpBuilder builder;
  Location loc;
  Type pointer, integer;
  LLVM::LLVMStructType capturesType;
  SmallVector<Value> captured, repeated;
};

/// Moves allocas of constant size to the start of their function.
void hoistAllocas(LLVM::LLVMFuncOp function) {
  Block &entry = function.getBody().front();
  SmallVector<LLVM::AllocaOp> moved;
  function.walk([&](LLVM::AllocaOp op) {
    if (op->getBlock() != &entry && matchPattern(op.getArraySize(), m_Constant()))
      moved.push_back(op);
  });
  OpBuilder builder = OpBuilder::atBlockBegin(&entry);
  for (LLVM::AllocaOp op : moved) {
    Operation *size = builder.clone(*op.getArraySize().getDefiningOp());
    op.getArraySizeMutable().assign(size->getResult(0));
    op->moveAfter(size);
  }
}

struct OutlineParallelLoops
    : cpu::impl::OutlineParallelLoopsBase<OutlineParallelLoops> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    llvm::DenseSet<StringAttr> byTasks = functionsCalledByTasks(module, symbols);
    SmallVector<kernel::ParallelForOp> loops;
    // Inner loops first: their captures are then plain values of the outer body.
    module.walk<WalkOrder::PostOrder>(
        [&](kernel::ParallelForOp loop) { loops.push_back(loop); });
    for (kernel::ParallelForOp loop : loops) {
      auto function = loop->getParentOfType<LLVM::LLVMFuncOp>();
      if (!function) {
        loop.emitOpError("expects to be in a function of the LLVM dialect");
        return signalPassFailure();
      }
      Outlining(loop, symbols, !byTasks.contains(function.getSymNameAttr()))
          .run();
    }
    for (auto function : module.getOps<LLVM::LLVMFuncOp>())
      if (!function.isExternal())
        hoistAllocas(function);
  }
};

} // namespace
