// One compilation, from a file to a file.
#include "lib/Pipeline/Compiler.h"

#include "dialects/Kernel/IR/Kernel.h"
#include "lib/CostModel/ModuleMachine.h"
#include "lib/CostModel/Precision.h"
#include "lib/Importer/Onnx/ReadableText.h"
#include "lib/Pipeline/Check.h"
#include "lib/Pipeline/ChooseMachines.h"
#include "lib/Pipeline/CompileThreads.h"
#include "lib/Pipeline/Diagnostics.h"
#include "lib/Pipeline/ExtraPasses.h"
#include "lib/Pipeline/IndexLimits.h"
#include "lib/Pipeline/Manifest.h"
#include "lib/Pipeline/MissedRemarks.h"
#include "lib/Pipeline/OutputFile.h"
#include "lib/Pipeline/Pipelines.h"
#include "lib/Pipeline/Report.h"
#include "lib/Pipeline/WriteArtifact.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/Threading.h"

#include <sys/resource.h>

using namespace mlir;
using namespace tessera;

namespace {

/// How far the IR has come.
enum class State { Graph, Kernel, Buffer };

State stateOf(ModuleOp module) {
  if (!module.getOps<kernel::EntryOp>().empty())
    return State::Buffer;
  return module.getOps<kernel::FuncOp>().empty() ? State::Graph : State::Kernel;
}

/// Whether the process may use so much address space only, of which each thread takes
/// a stack and a heap of its own.
bool isMemoryLimited() {
  rlimit limit;
  return getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

/// One compilation and what it has so far.
class Compilation {
public:
  Compilation(const CompileOptions &options, const CompileObserver &observer)
      : options(options), observer(observer) {
    DialectRegistry registry;
    registerDialects(registry);
    context.appendDialectRegistry(registry);
    context.loadAllAvailableDialects();
    if (!options.report.empty())
      missed.listen(context);
    // Until there are kernels, the passes see one function.
    context.disableMultithreading();
    unsigned count =
        llvm::hardware_concurrency(options.jobs).compute_thread_count();
    if (count > 1 && !isMemoryLimited())
      threads.emplace(count);
  }

  CompileStatus run();
  void check(ModelCheck &result);

private:
  CompileStatus checkOutput();
  /// All that does not depend on the machine: to the end of the graph state.
  CompileStatus makeGraph();
  CompileStatus chooseMachine();
  CompileStatus preparePasses();
  CompileStatus readInput();
  CompileStatus importModel();
  CompileStatus readMachineOfInput();
  /// Runs the pipelines whose states lie in [first, last], if the input was not
  /// beyond them.
  CompileStatus lower(EmitKind first, EmitKind last);
  CompileStatus runPipeline(StringRef name,
                            void (*build)(OpPassManager &,
                                          const PipelineOptions &));
  CompileStatus writeFile(const std::string &path,
                          function_ref<void(llvm::raw_ostream &)> write);
  CompileStatus writeReport(ArrayRef<CodeForCpu> codes,
                            const PhaseSeconds &seconds);
  /// Lowers the module to loops for its machine.
  FailureOr<CodeForCpu> makeCode(CompileStatus &status);
  CompileStatus writeCode(ArrayRef<CodeForCpu> codes);
  CompileStatus compileForMachines();

  CompileStatus fail(CompileStatus status, const Twine &message) {
    observer.diagnostic(
        onnx_importer::readable(("error: " + message).str()));
    return status;
  }
  void begin(StringRef phase) {
    if (observer.phase)
      observer.phase(phase.str());
  }

  const CompileOptions &options;
  const CompileObserver &observer;
  /// Absent where there is one thread only. Before the context, which uses it.
  std::optional<CompileThreads> threads;
  MissedRemarks missed;
  MLIRContext context;
  onnx_importer::OnnxCheck importReport;
  OwningOpRef<ModuleOp> module;
  State inputState = State::Graph;
  /// At least one; with several, the library has code for each.
  std::vector<Machine> machines;
  PipelineOptions pipeline;
  std::map<std::string, int64_t> indexLimits;
};

CompileStatus Compilation::chooseMachine() {
  pipeline.optimizationLevel = options.optimizationLevel;
  pipeline.precision = options.precision;
  if (!precisionNamed(options.precision))
    return fail(CompileStatus::InvalidOptions,
                "--precision expects " + precisionNames() + ", but got '" +
                    options.precision + "'");
  llvm::Expected<std::vector<Machine>> chosen = chooseMachines(options);
  if (!chosen)
    return fail(CompileStatus::InvalidOptions,
                llvm::toString(chosen.takeError()));
  machines = std::move(*chosen);
  return CompileStatus::Success;
}

/// A file that names its machine is compiled for that, where no option names one.
CompileStatus Compilation::readMachineOfInput() {
  if (!options.cpu.empty() || !options.machineFile.empty() ||
      !hasMachine(*module))
    return CompileStatus::Success;
  FailureOr<Machine> machine = machineOf(*module);
  if (failed(machine))
    return CompileStatus::InvalidInput;
  machines = {std::move(*machine)};
  return CompileStatus::Success;
}

/// Loads plugins and parses the passes that were given, before any work.
CompileStatus Compilation::preparePasses() {
  if (options.passPlugins.empty() && options.extraPasses.empty())
    return CompileStatus::Success;
  llvm::Error wrong = registerExtraPasses(options.passPlugins);
  if (!wrong)
    wrong = checkExtraPasses(&context, options.extraPasses);
  if (wrong)
    return fail(CompileStatus::InvalidOptions,
                llvm::toString(std::move(wrong)));
  return CompileStatus::Success;
}

CompileStatus Compilation::importModel() {
  onnx_importer::ImportOptions import;
  for (const auto &[name, text] : options.shapes) {
    onnx_importer::SizeRange range;
    range.name = name;
    if (!parseSizeRange(text, range.min, range.typical, range.max))
      return fail(CompileStatus::InvalidOptions,
                  "--shape " + name + "=" + text +
                      ": expects a size or min:typical:max");
    import.sizes.push_back(range);
  }
  import.taps = options.taps;
  module =
      onnx_importer::importOnnx(options.input, import, &context, &importReport);
  if (module)
    return CompileStatus::Success;
  if (importReport.hasWrongOptions)
    return CompileStatus::InvalidOptions;
  return importReport.isDamaged ? CompileStatus::InvalidInput
                                : CompileStatus::Unsupported;
}

CompileStatus Compilation::readInput() {
  begin("import");
  if (!llvm::sys::fs::exists(options.input))
    return fail(CompileStatus::InvalidInput,
                "cannot read '" + options.input + "': no such file");
  if (llvm::sys::path::extension(options.input) != ".mlir")
    return importModel();
  module = parseSourceFile<ModuleOp>(options.input, &context);
  return module ? CompileStatus::Success : CompileStatus::InvalidInput;
}

CompileStatus Compilation::runPipeline(StringRef name,
                                       void (*build)(OpPassManager &,
                                                     const PipelineOptions &)) {
  begin(name);
  PassManager passes(&context);
  // Once at the end: all passes together take less time than checking after each.
  passes.enableVerifier(false);
  if (build)
    build(passes, pipeline);
  llvm::cantFail(addExtraPasses(passes, name, options.extraPasses));
  if (failed(passes.run(*module)) || failed(verify(*module)))
    return CompileStatus::Unsupported;
  if (options.saveStates.empty())
    return CompileStatus::Success;
  SmallString<128> path(options.saveStates);
  const bool isOneOfSeveral = machines.size() > 1 && name != "graph" && name != "import";
  llvm::sys::path::append(
      path,
      name + (isOneOfSeveral ? "." + machineOf(*module)->cpu : "") + ".mlir");
  if (std::error_code error =
          llvm::sys::fs::create_directories(options.saveStates))
    return fail(CompileStatus::CannotWrite,
                "cannot write '" + path + "': " + error.message());
  return writeFile(path.str().str(),
                   [&](llvm::raw_ostream &stream) { module->print(stream); });
}

CompileStatus Compilation::lower(EmitKind first, EmitKind last) {
  struct Step {
    State from;
    EmitKind emit;
    StringLiteral name;
    void (*build)(OpPassManager &, const PipelineOptions &);
  };
  static const Step steps[] = {
      {State::Graph, EmitKind::Graph, "graph", buildGraphPipeline},
      {State::Graph, EmitKind::Kernel, "kernel", buildKernelPipeline},
      {State::Kernel, EmitKind::Buffer, "buffer", buildBufferPipeline},
  };
  for (const Step &step : steps) {
    if (step.from < inputState || step.emit < first || step.emit > last)
      continue;
    CompileStatus status = runPipeline(step.name, step.build);
    if (status != CompileStatus::Success)
      return status;
  }
  return CompileStatus::Success;
}

CompileStatus
Compilation::writeFile(const std::string &path,
                       function_ref<void(llvm::raw_ostream &)> write) {
  if (std::error_code error = writeOutput(path, write))
    return fail(CompileStatus::CannotWrite,
                "cannot write '" + path + "': " + error.message());
  return CompileStatus::Success;
}

FailureOr<CodeForCpu> Compilation::makeCode(CompileStatus &status) {
  status = lower(EmitKind::Kernel, EmitKind::Buffer);
  if (status != CompileStatus::Success)
    return failure();
  FailureOr<std::string> manifest =
      describeCompilation(*module, options, indexLimits);
  status = succeeded(manifest) ? runPipeline("cpu", buildCpuPipeline)
                               : CompileStatus::InternalError;
  if (status != CompileStatus::Success)
    return failure();
  return CodeForCpu{*module, std::move(*manifest)};
}

/// The graph is one for all; what follows depends on the machine.
CompileStatus Compilation::compileForMachines() {
  OwningOpRef<ModuleOp> graph = std::move(module);
  std::vector<OwningOpRef<ModuleOp>> modules;
  std::vector<CodeForCpu> codes;
  for (const Machine &machine : machines) {
    const bool isLast = &machine == &machines.back();
    module = isLast ? std::move(graph)
                    : OwningOpRef<ModuleOp>(cast<ModuleOp>((*graph)->clone()));
    setMachine(*module, machine);
    CompileStatus status;
    FailureOr<CodeForCpu> code = makeCode(status);
    if (failed(code))
      return status;
    codes.push_back(std::move(*code));
    modules.push_back(std::move(module));
  }
  return writeCode(codes);
}

CompileStatus Compilation::writeCode(ArrayRef<CodeForCpu> codes) {
  begin("code");
  ArtifactOptions artifact;
  artifact.outputPath = options.output;
  artifact.form = options.emit == EmitKind::Library  ? ArtifactForm::Library
                  : options.emit == EmitKind::Object ? ArtifactForm::Object
                  : options.emit == EmitKind::Assembly
                      ? ArtifactForm::Assembly
                      : ArtifactForm::LlvmIr;
  artifact.weightPlace = llvm::StringSwitch<TesseraWeightPlace>(options.weights)
                             .Case("file", TESSERA_WEIGHTS_FILE)
                             .Case("none", TESSERA_WEIGHTS_NONE)
                             .Default(TESSERA_WEIGHTS_APPENDED);
  artifact.producer = "tessera " TESSERA_VERSION;
  artifact.optLevel = options.optimizationLevel;
  artifact.threads = threads ? &*threads : nullptr;
  ArtifactResult result = writeArtifact(codes, artifact);
  switch (result.status) {
  case ArtifactResult::Written:
    return writeReport(codes, result.seconds);
  case ArtifactResult::NoCode:
    return CompileStatus::InternalError;
  case ArtifactResult::CannotWrite:
    return CompileStatus::CannotWrite;
  }
  llvm_unreachable("unknown status of an artifact");
}

CompileStatus Compilation::writeReport(ArrayRef<CodeForCpu> codes,
                                       const PhaseSeconds &seconds) {
  if (options.report.empty())
    return CompileStatus::Success;
  llvm::json::Value report = makeReport(codes, seconds);
  (*report.getAsObject())["missed"] = missed.describe();
  return writeFile(options.report, [&](llvm::raw_ostream &stream) {
    if (options.reportAsText)
      printKernels(*report.getAsObject(), stream);
    else
      stream << llvm::formatv("{0:2}\n", report);
  });
}

/// Fails if the output is there and no file: a device or pipe is not replaced.
CompileStatus Compilation::checkOutput() {
  if (options.output == "-" && options.emit >= EmitKind::Object)
    return fail(CompileStatus::InvalidOptions,
                "only text goes to standard output: give -o FILE for an object "
                "or a library");
  if (!isNoRegularFile(options.output))
    return CompileStatus::Success;
  return fail(CompileStatus::CannotWrite,
              "cannot write '" + options.output + "': not a regular file");
}

CompileStatus Compilation::makeGraph() {
  for (CompileStatus (Compilation::*phase)() :
       {&Compilation::chooseMachine, &Compilation::preparePasses,
        &Compilation::readInput, &Compilation::readMachineOfInput}) {
    CompileStatus status = (this->*phase)();
    if (status != CompileStatus::Success)
      return status;
  }
  inputState = stateOf(*module);
  if (inputState == State::Graph) {
    // Nothing of ours; what the user adds.
    CompileStatus status = runPipeline("import", nullptr);
    if (status != CompileStatus::Success)
      return status;
    indexLimits = findIndexLimits(*module);
  }
  return lower(EmitKind::Graph, EmitKind::Graph);
}

CompileStatus Compilation::run() {
  DiagnosticPrinter printer(&context, observer.diagnostic);
  CompileStatus status = checkOutput();
  if (status == CompileStatus::Success)
    status = makeGraph();
  if (status != CompileStatus::Success)
    return status;
  if (options.emit > EmitKind::Buffer)
    return compileForMachines();
  if (options.emit > EmitKind::Graph)
    setMachine(*module, machines.front());
  status = lower(EmitKind::Kernel, options.emit);
  return status != CompileStatus::Success
             ? status
             : writeFile(options.output, [&](llvm::raw_ostream &stream) {
                 module->print(stream);
               });
}

void Compilation::check(ModelCheck &result) {
  DiagnosticPrinter printer(&context, observer.diagnostic);
  result.status = makeGraph();
  result.model = importReport;
  if (!result.model.errors.empty() || !result.model.unsupported.empty())
    result.errors.clear(); // the same as diagnostics
  if (result.status != CompileStatus::Success)
    return;
  setMachine(*module, machines.front());
  FailureOr<CodeForCpu> code = makeCode(result.status);
  if (failed(code))
    return;
  llvm::json::Value description = llvm::json::parse(code->manifest).get();
  result.kernels = std::move(*description.getAsObject()->getArray("kernels"));
}

} // namespace

CompileStatus tessera::compile(const CompileOptions &options,
                               const CompileObserver &observer) {
  return Compilation(options, observer).run();
}

ModelCheck tessera::checkModel(const CompileOptions &options) {
  ModelCheck result;
  CompileObserver observer;
  observer.diagnostic = [&](const std::string &message) {
    StringRef text = message;
    if (text.consume_front("error: "))
      result.errors.push_back(text.str());
    else if (text.starts_with("note: ") && !result.errors.empty())
      result.errors.back() += "; " + message;
  };
  Compilation(options, observer).check(result);
  return result;
}
