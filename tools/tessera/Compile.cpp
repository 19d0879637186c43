// tessera compile: a model becomes a library, or stops at a state on the way.
#include "tools/tessera/CompileArguments.h"
#include "tools/tessera/ExitCodes.h"
#include "tools/tessera/Subcommands.h"
#include "tools/tessera/Suggestions.h"

#include "lib/Pipeline/Compiler.h"

#include "llvm/ADT/StringRef.h"

#include <memory>

using namespace tessera;
using namespace tessera::tool;

namespace {

const std::pair<const char *, EmitKind> kEmitKinds[] = {
    {"graph", EmitKind::Graph},     {"kernel", EmitKind::Kernel},
    {"buffer", EmitKind::Buffer},   {"llvm", EmitKind::Llvm},
    {"asm", EmitKind::Assembly},    {"object", EmitKind::Object},
    {"so", EmitKind::Library}};

/// Sets the kind called `name`; throws what CLI11 reports.
EmitKind emitKind(const std::string &name) {
  std::vector<std::string> known;
  for (auto [text, kind] : kEmitKinds) {
    if (name == text)
      return kind;
    known.push_back(text);
  }
  throw CLI::ValidationError("--emit", "unknown state '" + name + "'" +
                                           suggestion(name, known));
}

/// "kernel=canonicalize,cse"; throws what CLI11 reports.
std::pair<std::string, std::string> extraPasses(const std::string &text) {
  size_t at = text.find('='); // a pipeline's options may have one
  if (at == std::string::npos || at == 0)
    throw CLI::ValidationError("--run-passes", text + ": expects STATE=PIPELINE");
  return {text.substr(0, at), text.substr(at + 1)};
}

/// "": text on standard output; "json": the same as JSON; else a file.
void setReport(CompileOptions &options, const std::string &where) {
  const bool json = llvm::StringRef(where).ends_with("json");
  options.reportAsText = !json;
  options.report = where.empty() || where == "json" || where == "text" ||
                           where == "{}" // CLI11's word for no value
                       ? "-"
                       : where;
}

int run(CompileArguments &arguments) {
  if (!parseShapes(arguments))
    return kUsageError;
  CompileOptions &options = arguments.options;
  if (options.output.empty())
    options.output = defaultOutput(options.input, options.emit);
  return compileModel(arguments);
}

} // namespace

void tool::addCompile(CLI::App &app, int &exitCode) {
  auto command = std::make_shared<CompileArguments>();
  CompileOptions &options = command->options;
  CLI::App *sub = app.add_subcommand("compile",
                                     "Compile a model into a native library");
  sub->footer(
      "Examples:\n"
      "  tessera compile model.onnx\n"
      "  tessera compile model.onnx -o out.so --shape batch=1:8:64 --cpu x86-64-v3\n"
      "  tessera compile model.onnx --emit kernel -o -\n"
      "  tessera compile model.onnx --weights file --report=report.json\n"
      "  tessera compile model.onnx --run-passes 'kernel=canonicalize,cse'\n");
  sub->add_option("model", options.input, "ONNX model, or MLIR text (.mlir)")
      ->type_name("MODEL")
      ->required();
  sub->add_option("-o,--output", options.output,
                  "File to write; - is standard output (MODEL.so)")
      ->type_name("FILE");
  sub->add_option_function<std::string>(
         "--emit", [&options](const std::string &name) {
           options.emit = emitKind(name);
         },
         "Where to stop: graph, kernel, buffer, llvm, asm, object or so (so)")
      ->type_name("STATE");
  addMachineAndShape(*sub, *command);
  sub->add_option("--weights", options.weights,
                  "section: appended to the library, file: beside it, none: "
                  "given at load (section)")
      ->type_name("PLACE")
      ->check(CLI::IsMember({"section", "file", "none"}).description(""));
  sub->add_option("-j,--jobs", options.jobs,
                  "Threads that make the code of a library (0: all that this "
                  "process may use); it does not depend on them")
      ->type_name("N")
      ->check(CLI::Range(0, 1024).description(""));
  sub->add_option("--load-pass-plugin", options.passPlugins,
                  "Shared library with MLIR passes for --run-passes; may be "
                  "repeated")
      ->type_name("FILE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  sub->add_option_function<std::vector<std::string>>(
         "--run-passes",
         [&options](const std::vector<std::string> &texts) {
           for (const std::string &text : texts)
             options.extraPasses.push_back(extraPasses(text));
         },
         "STATE=PIPELINE: passes, as tessera-opt takes them, that run at the end "
         "of import, graph, kernel or buffer; may be repeated")
      ->type_name("STATE=PIPELINE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  sub->add_option("--save-states", options.saveStates,
                  "Folder for the IR at the end of each state")
      ->type_name("DIR");
  sub->add_option_function<std::string>(
         "--report",
         [&options](const std::string &where) { setReport(options, where); },
         "Kernels by route, with reasons and node names, and seconds: as text, "
         "with =json as JSON, or to FILE (JSON if it ends in .json)")
      ->type_name("[json|FILE]")
      ->expected(0, 1);
  sub->add_flag("--in-process", command->inProcess,
                "Compile in this process, for debuggers");
  sub->callback([command, &exitCode] { exitCode = run(*command); });
}
