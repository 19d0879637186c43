// tessera inspect: what a compiled model is.
#include "lib/Pipeline/Report.h"
#include "lib/Runtime/Model.h"
#include "tools/tessera/ExitCodes.h"
#include "tools/tessera/Messages.h"
#include "tools/tessera/Subcommands.h"

#include "llvm/Support/raw_ostream.h"

#include <memory>

using namespace tessera;

namespace {

struct InspectCommand {
  std::string library;
  bool manifest = false;
};

/// Prints the kernels if the manifest has them.
void printKernelsOf(const TesseraModule &table) {
  llvm::Expected<llvm::json::Value> manifest =
      llvm::json::parse(table.manifest ? table.manifest : "");
  if (!manifest)
    return llvm::consumeError(manifest.takeError()); // not by this compiler
  const llvm::json::Object *object = manifest->getAsObject();
  if (object && object->getArray("kernels"))
    printKernels(*object, llvm::outs() << '\n');
}

int inspect(const InspectCommand &command) {
  auto model = runtime::Model::inspect(command.library);
  if (!model.ok()) {
    tool::printError(model.takeStatus().message());
    return tool::kInvalidInput;
  }
  if (command.manifest) {
    const char *manifest = (*model)->table().manifest;
    llvm::outs() << (manifest ? manifest : "{}") << '\n';
  } else {
    llvm::outs() << (*model)->describe();
    printKernelsOf((*model)->table());
  }
  return 0;
}

} // namespace

void tool::addInspect(CLI::App &app, int &exitCode) {
  auto command = std::make_shared<InspectCommand>();
  CLI::App *sub = app.add_subcommand(
      "inspect", "Show a compiled model: ports, bytes, CPU, kernels");
  sub->footer("Examples:\n"
              "  tessera inspect model.so\n"
              "  tessera inspect model.so --manifest\n");
  sub->add_option("library", command->library, "Compiled model")
      ->type_name("LIBRARY")
      ->required();
  sub->add_flag("--manifest", command->manifest,
                "Print the JSON that the compiler wrote about the model");
  sub->callback([command, &exitCode] { exitCode = inspect(*command); });
}
