// Opens a model: scan, parse, lint, inline. The only place where the ONNX
// library's exceptions are caught.
#include "lib/Importer/Onnx/ModelReader.h"
#include "lib/Importer/Onnx/WireScanner.h"

#include "onnx/checker.h"
#include "onnx/defs/parser.h"
#include "onnx/inliner/inliner.h"
#include "llvm/Support/Errc.h"
#include "llvm/Support/FileSystem.h"
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
  // A pipe cannot be read again when the weights are needed.
  StringRef location =
      sys::fs::is_regular_file(path) ? sys::path::filename(path) : "";
  Expected<std::string> light = scanModel(bytes, location);
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

bool isInFile(const onnx::TensorProto &tensor) {
  return tensor.data_location() == onnx::TensorProto::EXTERNAL;
}

void removeElements(onnx::TensorProto &tensor) {
  onnx::TensorProto empty;
  empty.set_name(tensor.name());
  empty.set_data_type(tensor.data_type());
  empty.add_dims(0);
  tensor = empty;
}

void removeElementsInFiles(onnx::TensorProto &tensor) {
  if (isInFile(tensor))
    removeElements(tensor);
}

void removeElementsInFiles(onnx::SparseTensorProto &sparse) {
  if (!isInFile(sparse.values()) && !isInFile(sparse.indices()))
    return;
  removeElements(*sparse.mutable_values());
  removeElements(*sparse.mutable_indices());
}

/// Makes the tensors in attributes of `node`, at any depth, whose bytes are in a
/// file tensors without elements. Messages nest at most kMaxMessageDepth deep.
void removeElementsInFiles(onnx::NodeProto &node) {
  auto removeInGraph = [](onnx::GraphProto &graph) {
    for (onnx::TensorProto &tensor : *graph.mutable_initializer())
      removeElementsInFiles(tensor);
    for (onnx::SparseTensorProto &sparse : *graph.mutable_sparse_initializer())
      removeElementsInFiles(sparse);
    for (onnx::NodeProto &inner : *graph.mutable_node())
      removeElementsInFiles(inner);
  };
  for (onnx::AttributeProto &attribute : *node.mutable_attribute()) {
    if (attribute.has_t())
      removeElementsInFiles(*attribute.mutable_t());
    for (onnx::TensorProto &tensor : *attribute.mutable_tensors())
      removeElementsInFiles(tensor);
    if (attribute.has_sparse_tensor())
      removeElementsInFiles(*attribute.mutable_sparse_tensor());
    for (auto &sparse : *attribute.mutable_sparse_tensors())
      removeElementsInFiles(sparse);
    if (attribute.has_g())
      removeInGraph(*attribute.mutable_g());
    for (onnx::GraphProto &graph : *attribute.mutable_graphs())
      removeInGraph(graph);
  }
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
  for (onnx::NodeProto node : proto.graph().node()) {
    // The checker would look for the files in another folder; tensorBytes does.
    removeElementsInFiles(node);
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
