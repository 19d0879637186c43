// tessera compile: a model becomes a library, or stops at a state on the way.
#include "lib/Pipeline/Compiler.h"
#include "tools/tessera/ChildProcess.h"
#include "tools/tessera/Subcommands.h"

#include "llvm/Support/raw_ostream.h"

#include <memory>
#include <unistd.h>

using namespace tessera;

namespace {

struct CompileCommand {
  CompileOptions options;
  std::vector<std::string> shapes;
  bool inProcess = false;
};

/// "seq=128" at its last '=', because names may contain one.
bool splitShape(const std::string &text,
                std::pair<std::string, std::string> &shape) {
  size_t at = text.rfind('=');
  if (at == std::string::npos || at == 0)
    return false;
  shape = {text.substr(0, at), text.substr(at + 1)};
  return true;
}

int compileHere(const CompileOptions &options) {
  CompileObserver observer;
  observer.diagnostic = [](const std::string &message) {
    llvm::errs() << message << '\n';
  };
  if (isatty(STDERR_FILENO))
    observer.phase = [](const std::string &phase) {
      llvm::errs() << "tessera: " << phase << '\n';
    };
  return static_cast<int>(compile(options, observer));
}

int run(CompileCommand &command) {
  for (const std::string &text : command.shapes) {
    std::pair<std::string, std::string> shape;
    if (!splitShape(text, shape)) {
      llvm::errs() << "error: --shape " << text << ": expects SYMBOL=SIZE\n";
      return tool::kUsageError;
    }
    command.options.shapes.push_back(shape);
  }
  if (command.options.output.empty())
    command.options.output =
        defaultOutput(command.options.input, command.options.emit);
  auto work = [&] { return compileHere(command.options); };
  return command.inProcess
             ? work()
             : tool::runInChild(work, "compiling '" + command.options.input + "'");
}

} // namespace

void tool::addCompile(CLI::App &app, int &exitCode) {
  static const std::map<std::string, EmitKind> emitKinds = {
      {"graph", EmitKind::Graph},       {"kernel", EmitKind::Kernel},
      {"buffer", EmitKind::Buffer},     {"llvm", EmitKind::Llvm},
      {"asm", EmitKind::Assembly},      {"object", EmitKind::Object},
      {"so", EmitKind::Library}};
  auto command = std::make_shared<CompileCommand>();
  CompileOptions &options = command->options;
  CLI::App *sub = app.add_subcommand(
      "compile", "Compile a model into a native library\n\n"
                 "  tessera compile model.onnx\n"
                 "  tessera compile model.onnx -o out.so --shape batch=1:8:64 --cpu x86-64-v3\n"
                 "  tessera compile model.onnx --emit kernel -o -\n");
  sub->add_option("model", options.input, "ONNX model, or MLIR text (.mlir)")
      ->required();
  sub->add_option("-o,--output", options.output,
                  "File to write; - is standard output (default: MODEL.so)");
  sub->add_option("--emit", options.emit, "Where to stop")
      ->transform(CLI::CheckedTransformer(emitKinds));
  sub->add_option("--shape", command->shapes,
                  "SYMBOL=SIZE or SYMBOL=MIN:TYPICAL:MAX; an unnamed dimension "
                  "is INPUT.AXIS; may be repeated");
  sub->add_option("-O,--opt-level", options.optimizationLevel,
                "Optimization level 0 to 3; 0 is the unfused oracle")
      ->check(CLI::Range(0, 3));
  sub->add_option("--cpu", options.cpu,
                  "CPU that the code is for (default: native)");
  sub->add_option("--machine", options.machineFile,
                  "JSON record of a measured machine, instead of --cpu's")
      ->check(CLI::ExistingFile);
  sub->add_option("--weights", options.weights,
                  "section: appended to the library, file: beside it, none")
      ->check(CLI::IsMember({"section", "file", "none"}));
  sub->add_option("--save-states", options.saveStates,
                  "Folder for the IR at the end of each state");
  sub->add_option("--report", options.report,
                  "File for a JSON report: kernels by route, seconds");
  sub->add_flag("--in-process", command->inProcess,
                "Compile in this process, for debuggers");
  sub->callback([command, &exitCode] { exitCode = run(*command); });
}
