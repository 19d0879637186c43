// tessera check: everything that keeps a model from being compiled, at once, and
// what will be slow.
#include "lib/Pipeline/Check.h"
#include "tools/tessera/ChildProcess.h"
#include "tools/tessera/CompileArguments.h"
#include "tools/tessera/ExitCodes.h"
#include "tools/tessera/Subcommands.h"

#include "llvm/ADT/StringExtras.h"
#include "llvm/Support/FormatVariadic.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>

using namespace tessera;
using onnx_importer::UnsupportedNode;

namespace {

struct CheckCommand : tool::CompileArguments {
  bool json = false;
};

/// Kernels that no faster route takes.
struct GenericKernel {
  std::vector<std::string> nodes;
  std::string reason;
};

std::vector<GenericKernel> genericKernels(const llvm::json::Array &kernels) {
  std::vector<GenericKernel> found;
  for (const llvm::json::Value &kernel : kernels) {
    const llvm::json::Object &object = *kernel.getAsObject();
    if (object.getString("route") != "generic")
      continue;
    GenericKernel &generic = found.emplace_back();
    for (const llvm::json::Value &node : *object.getArray("nodes"))
      generic.nodes.push_back(node.getAsString()->str());
    generic.reason = object.getString("missed").value_or("").str();
  }
  return found;
}

void printText(const ModelCheck &check) {
  llvm::raw_ostream &out = llvm::outs();
  for (const auto *errors : {&check.model.errors, &check.errors})
    for (const std::string &error : *errors)
      out << "error: " << error << '\n';
  for (const UnsupportedNode &node : check.model.unsupported)
    out << "node '" << node.node << "' ("
        << (node.domain.empty() ? "" : node.domain + ".") << node.opType
        << ", opset " << node.opset << "): " << node.reason << '\n';
  for (const std::string &finding : check.model.findings)
    out << "note: " << finding << '\n';
  if (check.status != CompileStatus::Success) {
    out << check.model.unsupported.size() << " unsupported nodes, "
        << check.model.errors.size() + check.errors.size() << " errors\n";
    return;
  }
  const std::vector<GenericKernel> generic = genericKernels(check.kernels);
  for (const GenericKernel &kernel : generic)
    out << "note: the generic route takes node '"
        << llvm::join(kernel.nodes, "', '") << '\''
        << (kernel.reason.empty() ? "" : ": ") << kernel.reason << '\n';
  out << "supported; " << check.kernels.size() << " kernels, "
      << generic.size() << " by the generic route\n";
}

void printJson(const ModelCheck &check) {
  llvm::json::Array nodes, generic;
  for (const UnsupportedNode &node : check.model.unsupported)
    nodes.push_back(llvm::json::Object{{"node", node.node},
                                       {"type", node.opType},
                                       {"domain", node.domain},
                                       {"opset", node.opset},
                                       {"reason", node.reason}});
  for (const GenericKernel &kernel : genericKernels(check.kernels))
    generic.push_back(
        llvm::json::Object{{"nodes", llvm::json::Array(kernel.nodes)},
                           {"reason", kernel.reason}});
  llvm::json::Array errors(check.model.errors);
  for (const std::string &error : check.errors)
    errors.push_back(error);
  llvm::json::Object report{
      {"supported", check.status == CompileStatus::Success},
      {"unsupported", std::move(nodes)},
      {"errors", std::move(errors)},
      {"findings", llvm::json::Array(check.model.findings)},
      {"kernels", int64_t(check.kernels.size())},
      {"generic", std::move(generic)}};
  llvm::outs() << llvm::formatv("{0:2}", llvm::json::Value(std::move(report)))
               << '\n';
}

int check(const CheckCommand &command) {
  const ModelCheck result = checkModel(command.options);
  command.json ? printJson(result) : printText(result);
  return static_cast<int>(result.status);
}

int run(CheckCommand &command) {
  if (!parseShapes(command))
    return tool::kUsageError;
  return tool::runInChild([&] { return check(command); },
                          {"checking '" + command.options.input + "'",
                           tool::kInternalError, "please report it"});
}

} // namespace

void tool::addCheck(CLI::App &app, int &exitCode) {
  auto command = std::make_shared<CheckCommand>();
  CLI::App *sub = app.add_subcommand(
      "check", "List everything in a model that does not compile");
  sub->footer("Examples:\n"
              "  tessera check model.onnx\n"
              "  tessera check model.onnx --json --shape batch=1:8:64\n");
  sub->add_option("model", command->options.input, "ONNX model")
      ->type_name("MODEL")
      ->required();
  sub->add_flag("--json", command->json, "Print JSON");
  addMachineAndShape(*sub, *command);
  sub->callback([command, &exitCode] { exitCode = run(*command); });
}
