// tessera: the command-line compiler of ONNX models.
#include "tools/tessera/CommandLine.h"
#include "tools/tessera/ExitCodes.h"
#include "tools/tessera/Messages.h"
#include "tools/tessera/Subcommands.h"

#include "lib/CostModel/Machine.h"
#include "lib/Importer/Onnx/OnnxImporter.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Config/llvm-config.h"

#include <csignal>

using namespace tessera::tool;

static std::string versionText() {
  auto [oldest, newest] = tessera::onnx_importer::supportedOpsets();
  return "tessera " TESSERA_VERSION " (LLVM " LLVM_VERSION_STRING ")\n"
         "opsets: ai.onnx " + std::to_string(oldest) + " to " +
         std::to_string(newest) +
         "\nCPUs: " + llvm::join(tessera::knownCpus(), ", ");
}

int main(int argc, char **argv) {
  // A file above the limit is an error with a message, not the end.
  std::signal(SIGXFSZ, SIG_IGN);
  CLI::App app("Compiles ONNX models into native libraries, and runs them.",
               "tessera");
  app.formatter(makeHelpFormatter());
  app.footer(std::string("Examples:\n"
                         "  tessera compile model.onnx            writes model.so\n"
                         "  tessera run model.onnx                compiles and runs it\n"
                         "  tessera check model.onnx              lists what does not compile\n"
                         "  tessera inspect model.so              shows a compiled model\n"
                         "tessera COMMAND --help says more.\n\n") +
             kExitCodesText);
  app.set_version_flag("--version", versionText());
  app.require_subcommand(1);
  int exitCode = 0;
  addCompile(app, exitCode);
  addRun(app, exitCode);
  addCheck(app, exitCode);
  addInspect(app, exitCode);
  return finishOutput(parseCommandLine(app, argc, argv, exitCode));
}
