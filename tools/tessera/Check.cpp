// tessera check: everything that keeps a model from being compiled, at once.
#include "lib/Importer/Onnx/OnnxImporter.h"
#include "lib/Pipeline/Compiler.h"
#include "lib/Pipeline/Pipelines.h"
#include "tools/tessera/ChildProcess.h"
#include "tools/tessera/ExitCodes.h"
#include "tools/tessera/Subcommands.h"

#include "mlir/IR/MLIRContext.h"
#include "llvm/Support/JSON.h"
#include "llvm/Support/raw_ostream.h"

#include <memory>

using namespace tessera;

namespace {

struct CheckCommand {
  std::string model;
  bool json = false;
};

void printText(const onnx_importer::OnnxCheck &check) {
  for (const std::string &error : check.errors)
    llvm::outs() << "error: " << error << '\n';
  for (const onnx_importer::UnsupportedNode &node : check.unsupported)
    llvm::outs() << "node '" << node.node << "' ("
                 << (node.domain.empty() ? "" : node.domain + ".")
                 << node.opType << ", opset " << node.opset
                 << "): " << node.reason << '\n';
  for (const std::string &finding : check.findings)
    llvm::outs() << "note: " << finding << '\n';
  if (check.errors.empty() && check.unsupported.empty())
    llvm::outs() << "supported\n";
  else
    llvm::outs() << check.unsupported.size() << " unsupported nodes, "
                 << check.errors.size() << " errors\n";
}

void printJson(const onnx_importer::OnnxCheck &check) {
  llvm::json::Array nodes;
  for (const onnx_importer::UnsupportedNode &node : check.unsupported)
    nodes.push_back(llvm::json::Object{{"node", node.node},
                                       {"type", node.opType},
                                       {"domain", node.domain},
                                       {"opset", node.opset},
                                       {"reason", node.reason}});
  llvm::json::Object report{
      {"supported", check.errors.empty() && check.unsupported.empty()},
      {"unsupported", std::move(nodes)},
      {"errors", llvm::json::Array(check.errors)},
      {"findings", llvm::json::Array(check.findings)}};
  llvm::outs() << llvm::formatv("{0:2}", llvm::json::Value(std::move(report)))
               << '\n';
}

int check(const CheckCommand &command) {
  mlir::DialectRegistry registry;
  registerDialects(registry);
  mlir::MLIRContext context(registry);
  context.loadAllAvailableDialects();
  onnx_importer::OnnxCheck result =
      onnx_importer::checkOnnx(command.model, {}, &context);
  command.json ? printJson(result) : printText(result);
  if (!result.errors.empty() || result.damaged)
    return tool::kInvalidInput;
  return result.unsupported.empty() ? tool::kSuccess : tool::kUnsupported;
}

} // namespace

void tool::addCheck(CLI::App &app, int &exitCode) {
  auto command = std::make_shared<CheckCommand>();
  CLI::App *sub = app.add_subcommand(
      "check", "List everything in a model that does not compile");
  sub->footer("Examples:\n"
              "  tessera check model.onnx\n"
              "  tessera check model.onnx --json\n");
  sub->add_option("model", command->model, "ONNX model")
      ->type_name("MODEL")
      ->required();
  sub->add_flag("--json", command->json, "Print JSON");
  sub->callback([command, &exitCode] {
    exitCode = runInChild([&] { return check(*command); },
                          {"checking '" + command->model + "'", kInternalError,
                           "please report it"});
  });
}
