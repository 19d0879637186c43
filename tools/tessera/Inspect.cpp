// tessera inspect: what a compiled model is.
#include "lib/Pipeline/Report.h"
#include "lib/Runtime/Model.h"
#include "tools/tessera/ExitCodes.h"
#include "tools/tessera/InspectPage.h"
#include "tools/tessera/Messages.h"
#include "tools/tessera/Subcommands.h"

#include "llvm/Support/FileSystem.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>

using namespace tessera;

namespace {

struct InspectCommand {
  std::string library, html, profile;
  std::vector<std::string> sizes;
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

int fail(int code, const llvm::Twine &message) {
  tool::printError(message);
  return code;
}

int writePage(const InspectCommand &command, const runtime::Model &model) {
  tool::PageOptions options;
  options.profile = command.profile;
  for (llvm::StringRef text : command.sizes) {
    auto [name, size] = text.rsplit('='); // names may contain one
    if (name.empty() || size.getAsInteger(10, options.sizes[name.str()]))
      return fail(tool::kUsageError,
                  "--shape " + text + ": expects SYMBOL=SIZE");
  }
  llvm::Expected<std::string> page = makePage(model, options);
  if (!page) {
    int code = tool::kInvalidInput;
    std::string message;
    llvm::handleAllErrors(
        page.takeError(), [&](const llvm::ErrorInfoBase &error) {
          if (error.convertToErrorCode() == std::errc::invalid_argument)
            code = tool::kUsageError;
          message = error.message();
        });
    return fail(code, message);
  }
  std::error_code error;
  llvm::raw_fd_ostream stream(command.html, error);
  if (!error) {
    stream << *page;
    stream.close();
    error = stream.error();
    stream.clear_error();
  }
  if (error)
    return fail(tool::kCannotWrite,
                "cannot write '" + command.html + "': " + error.message());
  return tool::kSuccess;
}

int inspect(const InspectCommand &command) {
  auto model = runtime::Model::inspect(command.library);
  if (!model.ok())
    return fail(tool::kInvalidInput, model.takeStatus().message());
  if (!command.html.empty())
    return writePage(command, **model);
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
              "  tessera inspect model.so --manifest\n"
              "  tessera run model.so --shape batch=1 --profile profile.json\n"
              "  tessera inspect model.so --html page.html --profile profile.json\n");
  sub->add_option("library", command->library, "Compiled model")
      ->type_name("LIBRARY")
      ->required();
  sub->add_flag("--manifest", command->manifest,
                "Print the JSON that the compiler wrote about the model");
  CLI::Option *html = sub->add_option(
      "--html", command->html,
      "Write one page for a browser: kernel calls with their nodes, bytes and "
      "time, and the storage over time");
  html->type_name("FILE.html");
  CLI::Option *shape = sub->add_option(
      "--shape", command->sizes,
      "Size that the page shows the model at (the typical one); may be repeated");
  shape->type_name("SYMBOL=SIZE")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)
      ->needs(html);
  sub->add_option("--profile", command->profile,
                  "What tessera run --profile wrote: times for the page, at its "
                  "sizes")
      ->type_name("FILE.json")
      ->needs(html)
      ->excludes(shape);
  sub->callback([command, &exitCode] { exitCode = inspect(*command); });
}
