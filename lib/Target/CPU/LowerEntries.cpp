// Gives entries the C signature of TesseraRun and asserts an error exit.
#include "dialects/Graph/IR/Graph.h"
#include "dialects/Kernel/IR/Kernel.h"
#include "lib/Target/CPU/ContextFields.h"
#include "lib/Target/CPU/Passes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/ControlFlow/IR/ControlFlowOps.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"

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

struct LowerEntries : cpu::impl::LowerEntriesBase<LowerEntries> {
  void runOnOperation() override {
    ModuleOp module = getOperation();
    SymbolTable symbols(module);
    llvm::SetVector<Operation *> entries;
    for (auto entry : module.getOps<kernel::EntryOp>()) {
      auto function = symbols.lookup<func::FuncOp>(entry.getFunction());
      if (!function || function.isExternal()) {
        entry.emitOpError("expects a function with a body, but got ")
            << entry.getFunctionAttr();
        return signalPassFailure();
      }
      entries.insert(function);
    }
    for (Operation *entry : entries)
      if (failed(returnStatus(cast<func::FuncOp>(entry))))
        return signalPassFailure();

    SmallVector<graph::AssertOp> checks;
    module.walk([&](graph::AssertOp check) { checks.push_back(check); });
    for (graph::AssertOp check : checks) {
      if (!entries.contains(check->getParentOp())) {
        check.emitOpError("expects to be in an entry, outside of loops");
        return signalPassFailure();
      }
      lowerAssert(check, cast<func::FuncOp>(check->getParentOp()), symbols);
    }
  }
};

} // namespace
