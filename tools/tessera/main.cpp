// tessera: the command-line compiler of ONNX models.
#include "tools/tessera/Subcommands.h"

#include "llvm/Config/llvm-config.h"

using namespace tessera::tool;

static const char *const kVersion =
    "tessera " TESSERA_VERSION " (LLVM " LLVM_VERSION_STRING ")\n"
    "opsets: ai.onnx 7 to 25\n"
    "CPUs: x86-64-v3, x86-64-v4, haswell, skylake-avx512, icelake-server, "
    "sapphirerapids, emeraldrapids, znver2, znver3, znver4, znver5, native";

int main(int argc, char **argv) {
  CLI::App app("Compiles ONNX models into native libraries.\n\n"
               "  tessera compile model.onnx            writes model.so\n"
               "  tessera check model.onnx              lists what is not supported\n"
               "  tessera inspect model.so              shows a compiled model\n",
               "tessera");
  app.set_version_flag("--version", kVersion);
  app.require_subcommand(1);
  int exitCode = 0;
  addCompile(app, exitCode);
  addCheck(app, exitCode);
  addInspect(app, exitCode);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    int code = app.exit(error);
    return code == 0 ? 0 : kUsageError;
  }
  return exitCode;
}
