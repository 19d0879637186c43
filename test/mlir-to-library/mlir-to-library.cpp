// mlir-to-library: compiles MLIR text to a library, object, assembly or LLVM IR,
// for tests of what kernels compute.
//
//   mlir-to-library FILE.mlir -o FILE.so                      buffer state
//   mlir-to-library FILE.mlir -o FILE.so --wrap               one kernel.func
//   mlir-to-library FILE.mlir -o FILE.s --emit=asm --cpu=znver4
#include "WrapKernel.h"

#include "lib/CostModel/ModuleMachine.h"
#include "lib/Pipeline/Pipelines.h"
#include "lib/Pipeline/WriteArtifact.h"

#include "mlir/InitAllDialects.h"
#include "mlir/InitAllExtensions.h"
#include "mlir/InitAllPasses.h"
#include "mlir/Parser/Parser.h"
#include "mlir/Pass/PassRegistry.h"
#include "mlir/Support/FileUtilities.h"
#include "llvm/Support/CommandLine.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/InitLLVM.h"
#include "llvm/Support/SourceMgr.h"

using namespace mlir;
using namespace tessera;
namespace cl = llvm::cl;

namespace {

cl::opt<std::string> inputPath(cl::Positional, cl::desc("FILE.mlir or -"),
                               cl::init("-"));
cl::opt<std::string> outputPath("o", cl::Required, cl::desc("Output file"));
cl::opt<std::string> passes("passes", cl::init("tessera-cpu"),
                            cl::desc("Passes or pipelines to run before"));
cl::opt<bool> wrap("wrap", cl::desc("Add an entry around a kernel.func"));
cl::opt<std::string> kernelName("kernel", cl::desc("The kernel to wrap"));
cl::opt<std::string> cpuName("cpu", cl::init("native"), cl::desc("CPU"));
cl::opt<unsigned> optLevel("opt-level", cl::init(3), cl::desc("0 to 3"));
cl::opt<bool> printSeconds("seconds", cl::desc("Print seconds per phase"));
cl::opt<std::string> linker("linker", cl::desc("Path of ld.lld"));
cl::opt<ArtifactForm>
    emit("emit", cl::init(ArtifactForm::Library), cl::desc("Kind of output"),
         cl::values(clEnumValN(ArtifactForm::Library, "so", "library"),
                    clEnumValN(ArtifactForm::Object, "object", "object file"),
                    clEnumValN(ArtifactForm::Assembly, "asm", "assembly"),
                    clEnumValN(ArtifactForm::LlvmIr, "llvm", "LLVM IR")));
cl::opt<TesseraWeightPlace> weights(
    "weights", cl::init(TESSERA_WEIGHTS_APPENDED), cl::desc("Weight bytes"),
    cl::values(clEnumValN(TESSERA_WEIGHTS_APPENDED, "section", "in the library"),
               clEnumValN(TESSERA_WEIGHTS_FILE, "file", "beside it"),
               clEnumValN(TESSERA_WEIGHTS_NONE, "none", "not written")));

LogicalResult runPasses(ModuleOp module) {
  PassManager manager(module.getContext());
  if (failed(parsePassPipeline(passes, manager)))
    return failure();
  return manager.run(module);
}

/// The record of the CPU; of one that is no family, such as x86-64-v2, only the code
/// is.
void chooseMachine(ModuleOp module) {
  Machine machine;
  machine.name = machine.cpu = machine.tuneCpu = cpuName;
  if (llvm::Expected<Machine> known = machineFor(cpuName))
    machine = *known;
  else
    llvm::consumeError(known.takeError());
  setMachine(module, machine);
}

LogicalResult emitOutput(ModuleOp module) {
  ArtifactOptions options;
  options.outputPath = outputPath;
  options.form = emit;
  options.weightPlace = weights;
  options.optLevel = optLevel;
  options.linker = linker;
  ArtifactResult result = writeArtifact(CodeForCpu{module}, options);
  const PhaseSeconds &seconds = result.seconds;
  if (result.status != ArtifactResult::Written)
    return failure();
  if (printSeconds)
    llvm::outs() << llvm::formatv(
        "lowering {0:f3} translation {1:f3} optimization {2:f3} "
        "codegen {3:f3} linking {4:f3} weights {5:f3}\n",
        seconds.lowering, seconds.translation, seconds.optimization,
        seconds.codeGeneration, seconds.linking, seconds.weights);
  return success();
}

} // namespace

int main(int argc, char **argv) {
  llvm::InitLLVM init(argc, argv);
  registerAllPasses();
  tessera::registerPasses();
  tessera::registerPipelines();
  cl::ParseCommandLineOptions(argc, argv, "Compile MLIR text for tests\n");

  DialectRegistry registry;
  registerAllDialects(registry);
  registerAllExtensions(registry);
  tessera::registerDialects(registry);
  MLIRContext context(registry);
  std::string error;
  std::unique_ptr<llvm::MemoryBuffer> text = openInputFile(inputPath, &error);
  if (!text) {
    llvm::errs() << error << "\n";
    return 1;
  }
  llvm::SourceMgr sources;
  sources.AddNewSourceBuffer(std::move(text), llvm::SMLoc());
  SourceMgrDiagnosticHandler handler(sources, &context);
  OwningOpRef<ModuleOp> module = parseSourceFile<ModuleOp>(sources, &context);
  if (!module || (wrap && failed(test::wrapKernel(*module, kernelName))))
    return 1;
  chooseMachine(*module);
  if (failed(runPasses(*module)) || failed(emitOutput(*module)))
    return 1;
  return 0;
}
