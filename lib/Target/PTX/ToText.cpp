// Device code in the LLVM dialect to PTX text, by LLVM's NVPTX code generator.
#include "lib/Target/PTX/Passes.h"

#include "lib/Target/PTX/KernelLaunch.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Target/LLVMIR/Dialect/Builtin/BuiltinToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/GPU/GPUToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/LLVMIR/LLVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Dialect/NVVM/NVVMToLLVMIRTranslation.h"
#include "mlir/Target/LLVMIR/Export.h"
#include "llvm/IR/LegacyPassManager.h"
#include "llvm/IR/Module.h"
#include "llvm/MC/MCSubtargetInfo.h"
#include "llvm/MC/TargetRegistry.h"
#include "llvm/Passes/PassBuilder.h"
#include "llvm/Support/TargetSelect.h"
#include "llvm/Target/TargetMachine.h"

namespace tessera::ptx {
#define GEN_PASS_DEF_TOTEXT
#include "lib/Target/PTX/Passes.h.inc"
} // namespace tessera::ptx

using namespace mlir;

namespace tessera::ptx {

static constexpr llvm::StringLiteral kTriple = "nvptx64-nvidia-cuda";

static FailureOr<std::unique_ptr<llvm::TargetMachine>>
createMachine(Location loc, StringRef chip, StringRef features) {
  static const bool initialized = [] {
    LLVMInitializeNVPTXTarget();
    LLVMInitializeNVPTXTargetInfo();
    LLVMInitializeNVPTXTargetMC();
    LLVMInitializeNVPTXAsmPrinter();
    return true;
  }();
  (void)initialized;
  llvm::Triple triple(kTriple);
  std::string error;
  const llvm::Target *target =
      llvm::TargetRegistry::lookupTarget(triple, error);
  if (!target)
    return emitError(loc) << "no code generator for " << kTriple << ": "
                          << error;
  std::unique_ptr<llvm::TargetMachine> machine(target->createTargetMachine(
      triple, chip, features, llvm::TargetOptions(), std::nullopt,
      std::nullopt, llvm::CodeGenOptLevel::Aggressive));
  if (!machine)
    return emitError(loc) << "no code generator for " << chip;
  // An unknown processor would end the process inside the code generator.
  if (!machine->getMCSubtargetInfo()->isCPUStringValid(chip))
    return emitError(loc) << "unknown GPU architecture " << chip;
  return machine;
}

static void optimize(llvm::Module &module, llvm::TargetMachine &machine) {
  llvm::LoopAnalysisManager loops;
  llvm::FunctionAnalysisManager functions;
  llvm::CGSCCAnalysisManager callGraph;
  llvm::ModuleAnalysisManager modules;
  llvm::PassBuilder builder(&machine);
  builder.registerModuleAnalyses(modules);
  builder.registerCGSCCAnalyses(callGraph);
  builder.registerFunctionAnalyses(functions);
  builder.registerLoopAnalyses(loops);
  builder.crossRegisterProxies(loops, functions, callGraph, modules);
  builder.buildPerModuleDefaultPipeline(llvm::OptimizationLevel::O3)
      .run(module, modules);
}

static FailureOr<std::string>
generateText(gpu::GPUModuleOp module, StringRef chip, StringRef features) {
  auto machine = createMachine(module.getLoc(), chip, features);
  if (failed(machine))
    return failure();
  llvm::LLVMContext context;
  std::unique_ptr<llvm::Module> llvmModule =
      translateModuleToLLVMIR(module, context, module.getName());
  if (!llvmModule)
    return module.emitOpError("could not be translated to LLVM IR");
  llvmModule->setTargetTriple(llvm::Triple(kTriple));
  llvmModule->setDataLayout((*machine)->createDataLayout());
  optimize(*llvmModule, **machine);

  llvm::SmallString<0> text;
  llvm::raw_svector_ostream stream(text);
  llvm::legacy::PassManager codegen;
  if ((*machine)->addPassesToEmitFile(codegen, stream, nullptr,
                                      llvm::CodeGenFileType::AssemblyFile))
    return module.emitOpError("has no PTX code generator");
  codegen.run(*llvmModule);
  return std::string(text);
}

/// The launch data of all kernels, by name.
static DictionaryAttr collectLaunches(gpu::GPUModuleOp module) {
  SmallVector<NamedAttribute> launches;
  for (auto function : module.getOps<LLVM::LLVMFuncOp>())
    if (Attribute launch = function->getAttr(kLaunchAttr))
      launches.emplace_back(function.getSymNameAttr(), launch);
  return DictionaryAttr::get(module.getContext(), launches);
}

namespace {
struct ToText : impl::ToTextBase<ToText> {
  using ToTextBase::ToTextBase;

  void getDependentDialects(DialectRegistry &registry) const override {
    ToTextBase::getDependentDialects(registry);
    registerBuiltinDialectTranslation(registry);
    registerGPUDialectTranslation(registry);
    registerLLVMDialectTranslation(registry);
    registerNVVMDialectTranslation(registry);
  }

  void runOnOperation() override {
    auto modules =
        llvm::to_vector(getOperation().getOps<gpu::GPUModuleOp>());
    for (gpu::GPUModuleOp module : modules) {
      FailureOr<std::string> text = generateText(module, chip, features);
      if (failed(text))
        return signalPassFailure();
      OpBuilder builder(module);
      auto target = NVVM::NVVMTargetAttr::get(
          &getContext(), /*optLevel=*/3, kTriple, chip, features);
      auto object = gpu::ObjectAttr::get(
          &getContext(), target, gpu::CompilationTarget::Assembly,
          builder.getStringAttr(*text), collectLaunches(module),
          gpu::KernelTableAttr());
      gpu::BinaryOp::create(builder, module.getLoc(), module.getName(),
                            Attribute(), builder.getArrayAttr(object));
      module.erase();
    }
  }
};
} // namespace

} // namespace tessera::ptx
