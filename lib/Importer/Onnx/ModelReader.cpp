// Opens a model: scan, parse, lint, inline. The only place where the ONNX
// library's exceptions are caught.
#include "lib/Importer/Onnx/ModelReader.h"
#include "lib/Importer/Onnx/WireScanner.h"

#include "onnx/checker.h"
#include "onnx/defs/parser.h"
#include "onnx/inliner/inliner.h"
#include "llvm/Support/Errc.h"
#include "llvm/Support/MemoryBuffer.h"
#include "llvm/Support/Path.h"

#include <climits>
#include <map>
#include <tuple>

using namespace llvm;

namespace tessera::onnx_importer {
namespace {

Error failure(const Twine &message) {
  return createStringError(errc::invalid_argument, message);
}

Error parseText(StringRef text, onnx::ModelProto &proto) {
  onnx::OnnxParser parser(std::string_view(text.data(), text.size()));
  auto status = parser.Parse(proto);
  if (!status.IsOK())
    return failure("not a model in ONNX text format: " + status.ErrorMessage());
  return Error::success();
}

Error parseBinary(StringRef bytes, StringRef path, onnx::ModelProto &proto) {
  Expected<std::string> light = scanModel(bytes, sys::path::filename(path));
  if (!light)
    return light.takeError();
  if (light->size() > INT_MAX)
    return failure("the model has " + Twine(light->size()) +
                   " bytes without its large tensors; 2 GiB is the most that "
                   "can be parsed");
  if (!proto.ParseFromArray(light->data(), static_cast<int>(light->size())))
    return failure("not an ONNX model: the fields do not form a ModelProto");
  if (!proto.has_graph())
    return failure("not an ONNX model: it has no graph");
  return Error::success();
}

bool holdsExternalTensor(const onnx::NodeProto &node) {
  for (const onnx::AttributeProto &attribute : node.attribute())
    if (attribute.t().data_location() == onnx::TensorProto::EXTERNAL)
      return true;
  return false;
}

/// Runs ONNX's checker on each node alone, so that one finding does not hide
/// the others.
std::vector<std::string> lint(const onnx::ModelProto &proto) {
  onnx::checker::CheckerContext context;
  context.set_ir_version(static_cast<int>(proto.ir_version()));
  std::unordered_map<std::string, int> opsets;
  for (const onnx::OperatorSetIdProto &opset : proto.opset_import())
    opsets[opset.domain()] = static_cast<int>(opset.version());
  context.set_opset_imports(opsets);
  context.set_is_main_graph(true);

  onnx::checker::LexicalScopeContext scope;
  for (const onnx::ValueInfoProto &input : proto.graph().input())
    scope.add(input.name());
  for (const onnx::TensorProto &tensor : proto.graph().initializer())
    scope.add(tensor.name());
  for (const onnx::NodeProto &node : proto.graph().node())
    for (const std::string &output : node.output())
      scope.add(output);

  std::vector<std::string> findings;
  for (const onnx::NodeProto &node : proto.graph().node()) {
    // The checker wants an external tensor's file to be no link.
    if (holdsExternalTensor(node))
      continue;
    try {
      onnx::checker::check_node(node, context, scope);
    } catch (const std::exception &exception) {
      findings.push_back("node '" + node.name() + "' (" + node.op_type() +
                         "): " + exception.what());
    }
  }
  return findings;
}

/// Tells the nodes of local functions which node of the graph calls them, which
/// inlining forgets: every call gets a function of its own, as inlining makes of it
/// anyway.
class CallerNames {
public:
  explicit CallerNames(onnx::ModelProto &proto) : proto(proto) {
    for (const onnx::FunctionProto &function : proto.functions())
      functions[{function.domain(), function.name(), function.overload()}] =
          function;
  }

  void run() {
    for (onnx::NodeProto &node : *proto.mutable_graph()->mutable_node())
      visit(node, "");
  }

private:
  void visit(onnx::NodeProto &node, const std::string &caller) {
    if (!caller.empty()) {
      onnx::StringStringEntryProto &entry = *node.add_metadata_props();
      entry.set_key(kCallerKey.str());
      entry.set_value(caller);
    }
    for (onnx::AttributeProto &attribute : *node.mutable_attribute()) {
      if (attribute.has_g())
        for (onnx::NodeProto &inner : *attribute.mutable_g()->mutable_node())
          visit(inner, caller);
      for (onnx::GraphProto &graph : *attribute.mutable_graphs())
        for (onnx::NodeProto &inner : *graph.mutable_node())
          visit(inner, caller);
    }
    auto found = functions.find({node.domain(), node.op_type(), node.overload()});
    if (found == functions.end())
      return;
    onnx::FunctionProto function = found->second;
    function.set_overload("call " + std::to_string(proto.functions_size()));
    node.set_overload(function.overload());
    std::string subject = caller.empty() ? subjectOf(node) : caller;
    for (onnx::NodeProto &inner : *function.mutable_node())
      visit(inner, subject);
    *proto.add_functions() = std::move(function);
  }

  onnx::ModelProto &proto;
  /// By domain, name and overload, as the model has them.
  std::map<std::tuple<std::string, std::string, std::string>,
           onnx::FunctionProto>
      functions;
};

Error inlineFunctions(onnx::ModelProto &proto) {
  if (proto.functions().empty())
    return Error::success();
  try {
    onnx::checker::check_function_call_cycles(proto);
    CallerNames(proto).run();
    onnx::inliner::InlineLocalFunctions(proto);
  } catch (const std::exception &exception) {
    return failure(Twine("cannot inline the model's functions: ") +
                   exception.what());
  }
  return Error::success();
}

} // namespace

std::string subjectOf(const onnx::NodeProto &node) {
  std::string name = "'" + node.name() + "'";
  if (node.name().empty() && node.output_size())
    name = "of output '" + node.output(0) + "'";
  return "node " + name + " (" + node.op_type() + ")";
}

std::string callerOf(const onnx::NodeProto &node) {
  for (const onnx::StringStringEntryProto &entry : node.metadata_props())
    if (entry.key() == kCallerKey)
      return entry.value();
  return "";
}

Expected<std::unique_ptr<OnnxModel>> readModel(StringRef path) {
  auto named = [&](Error error) {
    return failure("'" + path + "': " + toString(std::move(error)));
  };
  ErrorOr<std::unique_ptr<MemoryBuffer>> file = MemoryBuffer::getFile(
      path, /*IsText=*/false, /*RequiresNullTerminator=*/false);
  if (!file)
    return named(errorCodeToError(file.getError()));

  auto model = std::make_unique<OnnxModel>();
  model->path = path.str();
  Error parsed = path.ends_with(".onnxtxt")
                     ? parseText((*file)->getBuffer(), model->proto)
                     : parseBinary((*file)->getBuffer(), path, model->proto);
  if (parsed)
    return named(std::move(parsed));
  model->findings = lint(model->proto);
  if (Error error = inlineFunctions(model->proto))
    return named(std::move(error));
  return model;
}

} // namespace tessera::onnx_importer
