// Gives entries the C signature of TesseraRun, asserts an error exit, and tells
// the runtime's observer of kernel calls.
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Kernel/IR/Kernel.h"
#include "lib/Target/CPU/Lowering/ContextFields.h"
#include "lib/Target/CPU/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "llvm/ADT/MapVector.h"

namespace tessera::cpu {
#define GEN_PASS_DEF_LOWERENTRIES
#include "lib/Target/CPU/Passes.h.inc"
} // namespace tessera::cpu

using namespace mlir;
using namespace tessera;

namespace {

Value emitInt32(OpBuilder &builder, Location loc, int32_t value) {
  return arith::ConstantOp::create(builder, loc,
                                   builder.getI32IntegerAttr(value));
}

/// func.return  ==>  func.return %zero : i32
LogicalResult returnStatus(func::FuncOp entry) {
  FunctionType type = entry.getFunctionType();
  if (type.getNumResults() != 0 || type.getNumInputs() != 1 ||
      !isa<LLVM::LLVMPointerType>(type.getInput(0)))
    return entry.emitOpError(
               "expects an entry that takes the context pointer and returns "
               "nothing, but got ")
           << type;
  OpBuilder builder(entry.getContext());
  entry.setFunctionType(
      builder.getFunctionType(type.getInputs(), builder.getI32Type()));
  for (Block &block : entry.getBody())
    if (auto end = dyn_cast<func::ReturnOp>(block.getTerminator())) {
      builder.setInsertionPoint(end);
      Value zero = emitInt32(builder, end.getLoc(), 0);
      end->setOperands(zero);
    }
  return success();
}

/// graph.assert %condition, "message"
///   ==>  cf.cond_br %condition, ^rest, ^failed
///   ^failed: ctx->errorMessage = "message";  return 1
void lowerAssert(graph::AssertOp check, func::FuncOp entry,
                 SymbolTable &symbols) {
  Location loc = check.getLoc();
  std::string text = check.getMessage().str();
  text.push_back('\0');
  OpBuilder builder(check);
  auto global = LLVM::GlobalOp::create(
      builder, loc,
      LLVM::LLVMArrayType::get(builder.getI8Type(), text.size()),
      /*isConstant=*/true, LLVM::Linkage::Internal, "message",
      builder.getStringAttr(text));
  global->remove();
  symbols.insert(global);

  Block *before = check->getBlock();
  Block *rest = before->splitBlock(check->getNextNode());
  Block *failed = builder.createBlock(&entry.getBody(), entry.getBody().end());
  Value address = cpu::emitAddress(builder, loc, entry.getArgument(0),
                              static_cast<int64_t>(
                                  cpu::ContextField::errorMessage));
  Value message = LLVM::AddressOfOp::create(builder, loc, global);
  LLVM::StoreOp::create(builder, loc, message, address);
  func::ReturnOp::create(builder, loc, emitInt32(builder, loc, 1));
  builder.setInsertionPointToEnd(before);
  cf::CondBranchOp::create(builder, loc, check.getCondition(), rest, failed);
  check.erase();
}

/// func @main(%ctx) { … }
///   ==>  func @main(%ctx) { if (@checks(%ctx)) return 1; … }
void callChecks(func::FuncOp entry, func::FuncOp checks) {
  Block *begin = &entry.getBody().front();
  Block *rest = begin->splitBlock(begin->begin());
  OpBuilder builder = OpBuilder::atBlockEnd(begin);
  Location loc = entry.getLoc();
  Value status = func::CallOp::create(builder, loc, checks,
                                      ValueRange{entry.getArgument(0)})
                     .getResult(0);
  Block *failed = builder.createBlock(&entry.getBody(), entry.getBody().end());
  func::ReturnOp::create(builder, loc, status);
  builder.setInsertionPointToEnd(begin);
  Value holds = arith::CmpIOp::create(builder, loc, arith::CmpIPredicate::eq,
                                      status, emitInt32(builder, loc, 0));
  cf::CondBranchOp::create(builder, loc, holds, rest, failed);
}

/// A function that tells the observer, if there is one, of a call:
///
///   if (ctx->size covers afterCall && ctx->afterCall)
///     ctx->afterCall(ctx->observer, number);
///
/// An older runtime has a shorter context.
func::FuncOp makeTellObserver(ModuleOp module, SymbolTable &symbols) {
  using cpu::ContextField;
  Location loc = UnknownLoc::get(module.getContext());
  OpBuilder builder(module.getContext());
  Type pointer = LLVM::LLVMPointerType::get(module.getContext());
  Type i64 = builder.getI64Type();
  auto function = func::FuncOp::create(
      loc, "tell_observer", builder.getFunctionType({pointer, i64}, {}));
  function.setPrivate();
  symbols.insert(function);
  Block *entry = function.addEntryBlock();
  Block *read = builder.createBlock(&function.getBody(), function.end());
  Block *tell = builder.createBlock(&function.getBody(), function.end());
  Block *end = builder.createBlock(&function.getBody(), function.end());
  Value context = entry->getArgument(0), number = entry->getArgument(1);

  builder.setInsertionPointToEnd(entry);
  Value size = LLVM::LoadOp::create(
      builder, loc, i64,
      cpu::emitAddress(builder, loc, context,
                       static_cast<int64_t>(ContextField::size)));
  Value needed = arith::ConstantOp::create(
      builder, loc,
      builder.getI64IntegerAttr(static_cast<int64_t>(ContextField::observer) +
                                sizeof(void *)));
  Value isThere = arith::CmpIOp::create(
      builder, loc, arith::CmpIPredicate::uge, size, needed);
  cf::CondBranchOp::create(builder, loc, isThere, read, end);

  builder.setInsertionPointToEnd(read);
  Value observe =
      cpu::emitLoad(builder, loc, context, ContextField::afterCall);
  Value null = LLVM::ZeroOp::create(builder, loc, pointer);
  Value isSet = LLVM::ICmpOp::create(builder, loc, LLVM::ICmpPredicate::ne,
                                     observe, null);
  cf::CondBranchOp::create(builder, loc, isSet, tell, end);

  builder.setInsertionPointToEnd(tell);
  Value observer =
      cpu::emitLoad(builder, loc, context, ContextField::observer);
  auto type = LLVM::LLVMFunctionType::get(
      LLVM::LLVMVoidType::get(module.getContext()), {pointer, i64});
  LLVM::CallOp::create(builder, loc, type,
                       ValueRange{observe, observer, number});
  cf::BranchOp::create(builder, loc, end);

  builder.setInsertionPointToEnd(end);
  func::ReturnOp::create(builder, loc);
  return function;
}

/// func.call @kernel(…) {kernel.number = 3}
///   ==>  func.call @kernel(…) ; func.call @tell_observer(%ctx, %three)
void tellOfCalls(func::FuncOp entry, ModuleOp module, SymbolTable &symbols,
                 func::FuncOp &tellObserver) {
  SmallVector<func::CallOp> calls;
  entry.walk([&](func::CallOp call) {
    if (call->hasAttr(cpu::kCallNumberAttr))
      calls.push_back(call);
  });
  for (func::CallOp call : calls) {
    if (!tellObserver)
      tellObserver = makeTellObserver(module, symbols);
    OpBuilder builder(call->getContext());
    builder.setInsertionPointAfter(call);
    Value number = arith::ConstantOp::create(
        builder, call.getLoc(),
        call->getAttrOfType<IntegerAttr>(cpu::kCallNumberAttr));
    call->removeAttr(cpu::kCallNumberAttr);
    func::CallOp::create(builder, call.getLoc(), tellObserver,
                         ValueRange{entry.getArgument(0), number});
  }
}

struct LowerEntries : cpu::impl::LowerEntriesBase<LowerEntries> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    // What an entry runs, and its checks.
    llvm::SetVector<Operation *> entries, functions;
    llvm::MapVector<Operation *, func::FuncOp> checksOf;
    for (auto entry : module.getOps<kernel::EntryOp>()) {
      SmallVector<func::FuncOp> found;
      for (FlatSymbolRefAttr name :
           {entry.getFunctionAttr(), entry.getChecksAttr()}) {
        auto function = name ? symbols.lookup<func::FuncOp>(name.getValue())
                             : func::FuncOp();
        if (name && (!function || function.isExternal())) {
          entry.emitOpError("expects a function with a body, but got ") << name;
          return signalPassFailure();
        }
        if (function)
          found.push_back(function);
      }
      entries.insert(found.front());
      functions.insert_range(found);
      if (found.size() == 2)
        checksOf[found.front()] = found.back();
    }
    for (Operation *function : functions)
      if (failed(returnStatus(cast<func::FuncOp>(function))))
        return signalPassFailure();
    func::FuncOp tellObserver;
    for (Operation *entry : entries)
      tellOfCalls(cast<func::FuncOp>(entry), module, symbols, tellObserver);
    for (auto [entry, checks] : checksOf)
      callChecks(cast<func::FuncOp>(entry), checks);

    SmallVector<graph::AssertOp> checks;
    module.walk([&](graph::AssertOp check) { checks.push_back(check); });
    for (graph::AssertOp check : checks) {
      if (!functions.contains(check->getParentOp())) {
        check.emitOpError("expects to be in an entry, outside of loops");
        return signalPassFailure();
      }
      lowerAssert(check, cast<func::FuncOp>(check->getParentOp()), symbols);
    }
  }
};

} // namespace
