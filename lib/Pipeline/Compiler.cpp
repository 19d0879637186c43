// One compilation, from a file to a file.
#include "lib/Pipeline/Compiler.h"

#include "dialects/Kernel/IR/Kernel.h"
#include "lib/Importer/Onnx/OnnxImporter.h"
#include "lib/Pipeline/Diagnostics.h"
#include "lib/Pipeline/Pipelines.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/IR/AsmState.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/Verifier.h"
#include "mlir/Parser/Parser.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"

using namespace mlir;
using namespace tessera;

std::string tessera::defaultOutput(const std::string &input, EmitKind emit) {
  SmallString<128> path(input);
  static const char *const extensions[] = {
      "graph.mlir", "kernel.mlir", "buffer.mlir", "ll", "s", "o", "so"};
  llvm::sys::path::replace_extension(path, extensions[static_cast<int>(emit)]);
  return path.str().str();
}

bool tessera::parseSizeRange(const std::string &text, int64_t &min,
                             int64_t &typical, int64_t &max) {
  SmallVector<StringRef> parts;
  StringRef(text).split(parts, ':');
  int64_t values[3];
  if (parts.size() != 1 && parts.size() != 3)
    return false;
  for (auto [i, part] : llvm::enumerate(parts))
    if (part.getAsInteger(10, values[i]) || values[i] < 0)
      return false;
  min = values[0];
  typical = parts.size() == 3 ? values[1] : min;
  max = parts.size() == 3 ? values[2] : min;
  return min <= typical && typical <= max;
}

namespace {

/// How far the IR has come.
enum class State { Graph, Kernel, Buffer };

State stateOf(ModuleOp module) {
  if (!module.getOps<kernel::EntryOp>().empty())
    return State::Buffer;
  return module.getOps<kernel::FuncOp>().empty() ? State::Graph : State::Kernel;
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
    // One compilation uses one core; builds and servers run many at once.
    context.disableMultithreading();
  }

  CompileStatus run();

private:
  CompileStatus chooseMachine();
  CompileStatus readInput();
  CompileStatus importModel();
  CompileStatus lower();
  CompileStatus runPipeline(StringRef name,
                            void (*build)(OpPassManager &,
                                          const PipelineOptions &));
  CompileStatus writeText();

  CompileStatus fail(CompileStatus status, const Twine &message) {
    observer.diagnostic(("error: " + message).str());
    return status;
  }
  void begin(StringRef phase) {
    if (observer.phase)
      observer.phase(phase.str());
  }

  const CompileOptions &options;
  const CompileObserver &observer;
  MLIRContext context;
  OwningOpRef<ModuleOp> module;
  PipelineOptions pipeline;
};

CompileStatus Compilation::chooseMachine() {
  llvm::Expected<Machine> machine = options.machineFile.empty()
                                        ? machineFor(options.cpu)
                                        : readMachine(options.machineFile);
  if (!machine)
    return fail(CompileStatus::InvalidOptions,
                llvm::toString(machine.takeError()));
  pipeline.machine = *machine;
  pipeline.machineFile = options.machineFile;
  pipeline.optimizationLevel = options.optimizationLevel;
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
  module = onnx_importer::importOnnx(options.input, import, &context);
  return module ? CompileStatus::Success : CompileStatus::Unsupported;
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

CompileStatus Compilation::runPipeline(
    StringRef name, void (*build)(OpPassManager &, const PipelineOptions &)) {
  begin(name);
  PassManager passes(&context);
  passes.enableVerifier(true);
  build(passes, pipeline);
  if (failed(passes.run(*module)))
    return CompileStatus::Unsupported;
  if (options.saveStates.empty())
    return CompileStatus::Success;
  SmallString<128> path(options.saveStates);
  llvm::sys::path::append(path, name + ".mlir");
  std::error_code error = llvm::sys::fs::create_directories(options.saveStates);
  llvm::raw_fd_ostream stream(path, error);
  if (error)
    return fail(CompileStatus::CannotWrite,
                "cannot write '" + path + "': " + error.message());
  module->print(stream);
  return CompileStatus::Success;
}

CompileStatus Compilation::lower() {
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
  State state = stateOf(*module);
  for (const Step &step : steps) {
    if (step.from < state || step.emit > options.emit)
      continue;
    CompileStatus status = runPipeline(step.name, step.build);
    if (status != CompileStatus::Success)
      return status;
  }
  return CompileStatus::Success;
}

CompileStatus Compilation::writeText() {
  std::error_code error;
  std::string temporary = options.output + ".part";
  llvm::raw_fd_ostream stream(options.output == "-" ? "-" : temporary, error);
  if (error)
    return fail(CompileStatus::CannotWrite,
                "cannot write '" + options.output + "': " + error.message());
  module->print(stream);
  stream.close();
  if (stream.has_error()) {
    error = stream.error();
    stream.clear_error();
  }
  if (options.output != "-" && !error)
    error = llvm::sys::fs::rename(temporary, options.output);
  if (error) {
    (void)llvm::sys::fs::remove(temporary);
    return fail(CompileStatus::CannotWrite,
                "cannot write '" + options.output + "': " + error.message());
  }
  return CompileStatus::Success;
}

CompileStatus Compilation::run() {
  DiagnosticPrinter printer(&context, observer.diagnostic);
  for (CompileStatus (Compilation::*phase)() :
       {&Compilation::chooseMachine, &Compilation::readInput,
        &Compilation::lower}) {
    CompileStatus status = (this->*phase)();
    if (status != CompileStatus::Success)
      return status;
  }
  if (options.emit <= EmitKind::Buffer)
    return writeText();
  return fail(CompileStatus::Unsupported, "not there yet");
}

} // namespace

CompileStatus tessera::compile(const CompileOptions &options,
                               const CompileObserver &observer) {
  return Compilation(options, observer).run();
}
