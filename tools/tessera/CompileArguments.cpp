// The options that say how a model is compiled; `compile` and `run` share them.
#include "tools/tessera/CompileArguments.h"
#include "tools/tessera/ChildProcess.h"
#include "tools/tessera/ExitCodes.h"
#include "tools/tessera/Messages.h"

#include "lib/Pipeline/Compiler.h"

#include "llvm/Support/raw_ostream.h"

using namespace tessera;
using namespace tessera::tool;

void tool::addMachineAndShape(CLI::App &sub, CompileArguments &arguments) {
  sub.add_option("--shape", arguments.shapes,
                 "SYMBOL=SIZE or SYMBOL=MIN:TYPICAL:MAX; an unnamed dimension "
                 "is INPUT.AXIS; may be repeated")
      ->type_name("SYMBOL=SIZE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  sub.add_option("--tap", arguments.options.taps,
                 "Intermediate value, by its ONNX name, that becomes an output "
                 "after the model's own; 'all' is every one; may be repeated")
      ->type_name("NAME")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  sub.add_option("-O,--opt-level", arguments.options.optimizationLevel,
                 "Effort, 0 to 3 (3); 0 is every operation on its own, the "
                 "oracle that results are compared with")
      ->type_name("LEVEL")
      ->check(CLI::Range(0, 3).description(""));
  sub.add_option("--precision", arguments.options.precision,
                 "What products of f32 are computed with: strict (f32 "
                 "multiply-adds), highest (f32's error), high (1e-5), fast (the "
                 "fastest 16 bits of the machine), bf16 or f16 (highest); sums "
                 "and all else stay f32")
      ->type_name("PRECISION");
  sub.add_option("--cpu", arguments.options.cpu,
                 "CPU that the code is for (native); tessera --version lists "
                 "them. NAME,NAME: code for each, of which the best that a "
                 "machine can run is taken when the library is loaded")
      ->type_name("NAME")
      ->join(',');
  sub.add_option("--machine", arguments.options.machineFile,
                 "JSON record of a measured machine, instead of --cpu's")
      ->type_name("FILE")
      ->check(CLI::Validator(CLI::ExistingFile).description(""));
}

bool tool::parseShapes(CompileArguments &arguments) {
  for (const std::string &text : arguments.shapes) {
    size_t at = text.rfind('='); // names may contain one
    int64_t min, typical, max;
    if (at == std::string::npos || at == 0 ||
        !parseSizeRange(text.substr(at + 1), min, typical, max)) {
      printError("--shape " + text +
                 ": expects SYMBOL=SIZE or SYMBOL=MIN:TYPICAL:MAX");
      return false;
    }
    arguments.options.shapes.emplace_back(text.substr(0, at),
                                          text.substr(at + 1));
  }
  return true;
}

static int compileHere(const CompileOptions &options) {
  CompileObserver observer;
  observer.diagnostic = printMessage;
  Progress progress;
  if (progress.isShown())
    observer.phase = [&](const std::string &phase) { progress.show(phase); };
  return static_cast<int>(compile(options, observer));
}

int tool::compileModel(const CompileArguments &arguments) {
  const CompileOptions &options = arguments.options;
  auto work = [&] { return compileHere(options); };
  if (arguments.inProcess)
    return work();
  return runInChild(work,
                    {"compiling '" + options.input + "'", kInternalError,
                     "run again with --in-process --save-states DIR to see "
                     "where, and please report it"});
}
