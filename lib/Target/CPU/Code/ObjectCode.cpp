// From the LLVM dialect to optimised LLVM IR, assembly and object code.
#include "lib/Target/CPU/Code/ObjectCode.h"
#include "lib/Target/CPU/Code/MaskedStores.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/Analysis/CGSCCPassManager.h"
#include "llvm/Analysis/LoopAnalysisManager.h"
#include "llvm/IR/IRBuilder.h"
#include "llvm/IR/IntrinsicInst.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

using namespace mlir;

namespace tessera::cpu {
namespace {

/// `value`, of f16 or bf16, as integers.
llvm::Value *bitsOf(llvm::Value *value, llvm::IRBuilder<> &builder) {
  llvm::Type *bits = value->getType()->getWithNewType(builder.getInt16Ty());
  if (auto *cast = llvm::dyn_cast<llvm::BitCastInst>(value))
    if (cast->getSrcTy() == bits)
      return cast->getOperand(0);
  return builder.CreateBitCast(value, bits);
}

/// Replaces a masked load, store or gather of f16 or bf16 by one of integers.
void replaceMasked(llvm::IntrinsicInst *access) {
  llvm::IRBuilder<> builder(access);
  llvm::Value *first = access->getArgOperand(0);
  llvm::Value *second = access->getArgOperand(1);
  llvm::Value *third = access->getArgOperand(2);
  if (access->getIntrinsicID() == llvm::Intrinsic::masked_store) {
    builder.CreateMaskedStore(bitsOf(first, builder), second,
                              access->getParamAlign(1).valueOrOne(), third);
    access->eraseFromParent();
    return;
  }
  llvm::Value *rest = bitsOf(third, builder);
  llvm::Align align = access->getParamAlign(0).valueOrOne();
  llvm::Value *loaded =
      access->getIntrinsicID() == llvm::Intrinsic::masked_load
          ? builder.CreateMaskedLoad(rest->getType(), first, align, second, rest)
          : builder.CreateMaskedGather(rest->getType(), first, align, second,
                                       rest);
  access->replaceAllUsesWith(builder.CreateBitCast(loaded, access->getType()));
  access->eraseFromParent();
}

/// phi bfloat  ==>  phi i16; the values come in by bitcasts in their own blocks.
void replacePhi(llvm::PHINode *phi) {
  llvm::IRBuilder<> builder(phi);
  llvm::PHINode *bits = builder.CreatePHI(
      phi->getType()->getWithNewType(builder.getInt16Ty()),
      phi->getNumIncomingValues());
  llvm::BasicBlock *block = phi->getParent();
  builder.SetInsertPoint(block, block->getFirstInsertionPt());
  phi->replaceAllUsesWith(builder.CreateBitCast(bits, phi->getType()));
  for (unsigned i = 0; i < phi->getNumIncomingValues(); ++i) {
    builder.SetInsertPoint(phi->getIncomingBlock(i)->getTerminator());
    bits->addIncoming(bitsOf(phi->getIncomingValue(i), builder),
                      phi->getIncomingBlock(i));
  }
  phi->eraseFromParent();
}

/// shufflevector <8 x bfloat>  ==>  shufflevector <8 x i16>, and so the accesses to
/// single elements.
void replaceLanes(llvm::Instruction *lanes) {
  llvm::IRBuilder<> builder(lanes);
  llvm::Value *moved = bitsOf(lanes->getOperand(0), builder);
  if (auto *shuffle = llvm::dyn_cast<llvm::ShuffleVectorInst>(lanes))
    moved = builder.CreateShuffleVector(
        moved, bitsOf(shuffle->getOperand(1), builder),
        shuffle->getShuffleMask());
  else if (llvm::isa<llvm::InsertElementInst>(lanes))
    moved = builder.CreateInsertElement(
        moved, bitsOf(lanes->getOperand(1), builder), lanes->getOperand(2));
  else
    moved = builder.CreateExtractElement(moved, lanes->getOperand(1));
  lanes->replaceAllUsesWith(builder.CreateBitCast(moved, lanes->getType()));
  lanes->eraseFromParent();
}

/// select <8 x bfloat>  ==>  select <8 x i16>, and so all that only moves elements.
///
/// LLVM's code generator selects bf16 and f16 as f32 and calls a helper of the
/// compiler's runtime library to narrow the result. After optimisation, which
/// moves bitcasts through selects; stores, so that the code generator does not.
void moveNarrowFloatsAsBits(llvm::Module &code) {
  llvm::SmallVector<llvm::SelectInst *> selects;
  llvm::SmallVector<llvm::StoreInst *> stores;
  llvm::SmallVector<llvm::IntrinsicInst *> masked;
  llvm::SmallVector<llvm::PHINode *> phis;
  llvm::SmallVector<llvm::Instruction *> lanes;
  auto isNarrow = [](llvm::Value *value) {
    return value->getType()->getScalarType()->is16bitFPTy();
  };
  for (llvm::Function &function : code)
    for (llvm::BasicBlock &block : function)
      for (llvm::Instruction &instruction : block) {
        if (auto *select = llvm::dyn_cast<llvm::SelectInst>(&instruction))
          if (isNarrow(select))
            selects.push_back(select);
        if (auto *phi = llvm::dyn_cast<llvm::PHINode>(&instruction))
          if (isNarrow(phi))
            phis.push_back(phi);
        if (llvm::isa<llvm::ShuffleVectorInst, llvm::InsertElementInst,
                      llvm::ExtractElementInst>(&instruction) &&
            isNarrow(&instruction))
          lanes.push_back(&instruction);
        if (auto *store = llvm::dyn_cast<llvm::StoreInst>(&instruction))
          if (isNarrow(store->getValueOperand()))
            stores.push_back(store);
        if (auto *call = llvm::dyn_cast<llvm::IntrinsicInst>(&instruction))
          if (((call->getIntrinsicID() == llvm::Intrinsic::masked_load ||
                call->getIntrinsicID() == llvm::Intrinsic::masked_gather) &&
               isNarrow(call)) ||
              (call->getIntrinsicID() == llvm::Intrinsic::masked_store &&
               isNarrow(call->getArgOperand(0))))
            masked.push_back(call);
      }
  for (llvm::SelectInst *select : selects) {
    llvm::IRBuilder<> builder(select);
    llvm::Value *chosen = builder.CreateSelect(
        select->getCondition(), bitsOf(select->getTrueValue(), builder),
        bitsOf(select->getFalseValue(), builder));
    select->replaceAllUsesWith(
        builder.CreateBitCast(chosen, select->getType()));
    select->eraseFromParent();
  }
  llvm::for_each(masked, replaceMasked);
  llvm::for_each(lanes, replaceLanes);
  llvm::for_each(phis, replacePhi);
  for (llvm::StoreInst *store : stores) {
    llvm::IRBuilder<> builder(store);
    store->setOperand(0, bitsOf(store->getValueOperand(), builder));
  }
}

/// load bfloat, bitcast to i16  ==>  load i16, and no bitcast there and back.
void foldBitcasts(llvm::Module &code) {
  llvm::SmallVector<llvm::BitCastInst *> casts;
  for (llvm::Function &function : code)
    for (llvm::BasicBlock &block : function)
      for (llvm::Instruction &instruction : block)
        if (auto *cast = llvm::dyn_cast<llvm::BitCastInst>(&instruction))
          casts.push_back(cast);
  for (llvm::BitCastInst *cast : casts) {
    if (!cast->getSrcTy()->getScalarType()->is16bitFPTy() ||
        !cast->getDestTy()->getScalarType()->isIntegerTy(16))
      continue;
    llvm::Value *source = cast->getOperand(0);
    if (auto *inner = llvm::dyn_cast<llvm::BitCastInst>(source)) {
      if (inner->getSrcTy() == cast->getDestTy())
        cast->replaceAllUsesWith(inner->getOperand(0));
    } else if (auto *load = llvm::dyn_cast<llvm::LoadInst>(source)) {
      auto *bits = llvm::cast<llvm::LoadInst>(load->clone());
      bits->mutateType(cast->getDestTy());
      bits->insertBefore(load->getIterator());
      cast->replaceAllUsesWith(bits);
    }
  }
  // Users come after what they use.
  for (llvm::BitCastInst *cast : llvm::reverse(casts))
    if (cast->use_empty())
      cast->eraseFromParent();
}

constexpr const char *tripleName = "x86_64-unknown-linux-gnu";

const llvm::Target *findTarget(std::string &error) {
  static const bool initialized = [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86Target();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmPrinter();
    LLVMInitializeX86AsmParser(); // inline assembly
    return true;
  }();
  (void)initialized;
  return llvm::TargetRegistry::lookupTarget(llvm::Triple(tripleName), error);
}

llvm::CodeGenOptLevel codeGenLevel(unsigned optLevel) {
  switch (optLevel) {
  case 0:
    return llvm::CodeGenOptLevel::None;
  case 1:
    return llvm::CodeGenOptLevel::Less;
  case 2:
    return llvm::CodeGenOptLevel::Default;
  default:
    return llvm::CodeGenOptLevel::Aggressive;
  }
}

llvm::OptimizationLevel optimizationLevel(unsigned optLevel) {
  switch (optLevel) {
  case 1:
    return llvm::OptimizationLevel::O1;
  case 2:
    return llvm::OptimizationLevel::O2;
  default:
    return llvm::OptimizationLevel::O3;
  }
}

/// Takes the operations that are no code out of a module for a while.
class WithoutSymbols {
public:
  explicit WithoutSymbols(ModuleOp module) : module(module) {
    for (Operation &op : llvm::make_early_inc_range(*module.getBody()))
      if (!isa<LLVM::LLVMDialect>(op.getDialect())) {
        op.remove();
        removed.push_back(&op);
      }
  }
  ~WithoutSymbols() {
    for (Operation *op : removed)
      module.getBody()->push_back(op);
  }

private:
  ModuleOp module;
  SmallVector<Operation *> removed;
};

} // namespace

bool usesTiles(Operation *code) {
  return code
      ->walk([](Operation *op) {
        return llvm::any_of(op->getResultTypes(), llvm::IsaPred<LLVM::LLVMX86AMXType>)
                   ? WalkResult::interrupt()
                   : WalkResult::advance();
      })
      .wasInterrupted();
}

llvm::Expected<CodeGenerator> CodeGenerator::create(const CpuTarget &target,
                                                    unsigned optLevel) {
  std::string error;
  const llvm::Target *found = findTarget(error);
  if (!found)
    return llvm::createStringError("this LLVM has no x86-64 target: " + error);
  llvm::TargetOptions options;
  std::unique_ptr<llvm::TargetMachine> machine(found->createTargetMachine(
      llvm::Triple(tripleName), target.cpu, target.features, options,
      llvm::Reloc::PIC_, std::nullopt, codeGenLevel(optLevel)));
  if (!machine)
    return llvm::createStringError("LLVM refuses the CPU '" + target.cpu + "'");
  return CodeGenerator(target, optLevel, std::move(machine));
}

CodeGenerator::CodeGenerator(const CpuTarget &target, unsigned optLevel,
                             std::unique_ptr<llvm::TargetMachine> machine)
    : target(target), optLevel(optLevel), machine(std::move(machine)) {}
CodeGenerator::CodeGenerator(CodeGenerator &&) = default;
CodeGenerator::~CodeGenerator() = default;

std::unique_ptr<llvm::Module>
CodeGenerator::translate(ModuleOp module, llvm::LLVMContext &context) const {
  DialectRegistry registry;
  registerBuiltinDialectTranslation(registry);
  registerLLVMDialectTranslation(registry);
  module.getContext()->appendDialectRegistry(registry);
  WithoutSymbols scope(module);
  SmallVector<StringRef> tiled;
  for (auto function : module.getOps<LLVM::LLVMFuncOp>())
    if (usesTiles(function))
      tiled.push_back(function.getName());
  std::unique_ptr<llvm::Module> code =
      translateModuleToLLVMIR(module, context, "model");
  if (!code)
    return nullptr;
  code->setTargetTriple(llvm::Triple(tripleName));
  code->setDataLayout(machine->createDataLayout());
  for (llvm::Function &function : *code) {
    if (function.isDeclaration())
      continue;
    function.addFnAttr(llvm::Attribute::NoUnwind);
    function.addFnAttr("target-cpu", target.cpu);
    function.addFnAttr("target-features", target.features);
    function.addFnAttr("tune-cpu", target.tune);
    if (target.has("avx512f"))
      function.addFnAttr("prefer-vector-width", "512");
  }
  // Every call in a function with tiles would configure them again: it is not to be
  // part of another one, and no loop of it a call of memset.
  for (StringRef name : tiled) {
    code->getFunction(name)->addFnAttr(llvm::Attribute::NoInline);
    code->getFunction(name)->addFnAttr("no-builtins");
  }
  return code;
}

void CodeGenerator::optimize(llvm::Module &code) const {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager graph;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(machine.get());
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(graph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, graph, modules);
  llvm::ModulePassManager passes =
      optLevel == 0
          ? builder.buildO0DefaultPipeline(llvm::OptimizationLevel::O0)
          : builder.buildPerModuleDefaultPipeline(optimizationLevel(optLevel));
  passes.run(code, modules);
  moveNarrowFloatsAsBits(code);
  foldBitcasts(code);
  splitNarrowMaskedStores(code);
}

llvm::Error CodeGenerator::emit(llvm::Module &code, Form form,
                                llvm::SmallVectorImpl<char> &output) const {
  llvm::raw_svector_ostream stream(output);
  llvm::legacy::PassManager passes;
  auto type = form == Form::object ? llvm::CodeGenFileType::ObjectFile
                                   : llvm::CodeGenFileType::AssemblyFile;
  if (machine->addPassesToEmitFile(passes, stream, nullptr, type))
    return llvm::createStringError("LLVM cannot emit this form of code");
  passes.run(code);
  return llvm::Error::success();
}

} // namespace tessera::cpu
