// Makes the entry function: inputs with named sizes, and the outputs.
#include "lib/Importer/Onnx/ModelImporter.h"

#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace tessera::onnx_importer {

/// Attributes of an argument or result: its name, and its element type if the
/// signless one loses it.
static SmallVector<NamedAttribute>
portAttributes(OpBuilder &builder, StringRef name, int32_t elementType) {
  SmallVector<NamedAttribute> attributes{
      builder.getNamedAttr(graph::kNameAttr, builder.getStringAttr(name))};
  if (Type type = portElementType(builder.getContext(), elementType))
    attributes.push_back(
        builder.getNamedAttr(graph::kElementTypeAttr, TypeAttr::get(type)));
  return attributes;
}

Attribute
ModelImporter::dimensionOf(const onnx::TensorShapeProto::Dimension &dim,
                           const std::string &inputName, int axis, int rank) {
  // Some exporters write -1 for a size they do not know.
  if (dim.has_dim_value() && dim.dim_value() >= 0)
    return builder.getI64IntegerAttr(dim.dim_value());
  // Others write '?' or '*' for any size they do not know: no name, since two
  // such sizes have nothing in common.
  bool isNamed = llvm::any_of(dim.dim_param(), [](char c) {
    return llvm::isAlnum(c) || c == '_' || (c & 0x80);
  });
  std::string name = isNamed ? dim.dim_param()
                             : inputName + "." + std::to_string(axis);
  Attribute &known = namedSizes[name];
  if (known) {
    // Not a batch, if it stands elsewhere too.
    auto symbol = dyn_cast<FlatSymbolRefAttr>(known);
    if (symbol && axis > 0 && !usedOptions.contains(name))
      symbols.lookup<graph::SymbolOp>(symbol.getValue())
          .setTypical(SizeRange().typical);
    return known;
  }
  SizeRange range{name};
  // The first of several dimensions is the batch: one where latency counts.
  if (axis == 0 && rank > 1)
    range.typical = 1;
  for (const SizeRange &option : options.sizes)
    if (option.name == name) {
      range = option;
      usedOptions.insert(name);
    }
  if (range.min < 0 || range.min > range.typical || range.typical > range.max) {
    reportWrongOption("size '" + name +
                      "': expects 0 <= min <= typical <= max but got " +
                      Twine(range.min) + ", " + Twine(range.typical) + ", " +
                      Twine(range.max));
    return {};
  }
  if (range.min == range.max)
    return known = builder.getI64IntegerAttr(range.min);
  OpBuilder detached(context);
  auto symbol = graph::SymbolOp::create(detached, builder.getUnknownLoc(), name,
                                        range.min, range.typical, range.max);
  symbols.insert(symbol);
  return known = FlatSymbolRefAttr::get(symbol);
}

/// What a type that is no tensor is, "a sequence"; empty if nothing is said.
static std::string kindOf(const onnx::TypeProto &type) {
  switch (type.value_case()) {
  case onnx::TypeProto::kSequenceType:
    return "a sequence";
  case onnx::TypeProto::kMapType:
    return "a map";
  case onnx::TypeProto::kOptionalType:
    return "optional";
  case onnx::TypeProto::kSparseTensorType:
    return "a sparse tensor";
  case onnx::TypeProto::kOpaqueType:
    return "opaque";
  default:
    return "";
  }
}

bool ModelImporter::addInput(const onnx::ValueInfoProto &input,
                             SmallVectorImpl<Type> &types,
                             SmallVectorImpl<DictionaryAttr> &attributes) {
  auto refuse = [&](const Twine &message) {
    reportUnsupported("input '" + input.name() + "': " + message);
    return false;
  };
  if (!input.type().has_tensor_type()) {
    std::string kind = kindOf(input.type());
    if (!kind.empty())
      return refuse("it is " + kind + "; only tensors are supported");
    reportError("input '" + input.name() + "': it has no type");
    return false;
  }
  const onnx::TypeProto::Tensor &tensor = input.type().tensor_type();
  Type elementType = elementTypeToMlir(context, tensor.elem_type());
  if (!elementType)
    return refuse("element type " + elementTypeName(tensor.elem_type()) +
                  " is not supported");
  if (!tensor.has_shape())
    return refuse("its number of dimensions is not known; export the model "
                  "with shapes of inputs");
  SmallVector<int64_t> shape;
  SmallVector<Attribute> dims;
  for (int axis = 0; axis < tensor.shape().dim_size(); ++axis) {
    Attribute dim = dimensionOf(tensor.shape().dim(axis), input.name(), axis,
                                tensor.shape().dim_size());
    if (!dim)
      return false;
    auto number = dyn_cast<IntegerAttr>(dim);
    shape.push_back(number ? number.getInt() : ShapedType::kDynamic);
    dims.push_back(dim);
  }
  types.push_back(RankedTensorType::get(shape, elementType));
  SmallVector<NamedAttribute> named =
      portAttributes(builder, input.name(), tensor.elem_type());
  named.push_back(
      builder.getNamedAttr(graph::kDimsAttr, builder.getArrayAttr(dims)));
  attributes.push_back(builder.getDictionaryAttr(named));
  return true;
}

bool ModelImporter::makeEntry(Scope &scope) {
  const onnx::GraphProto &graph = model.proto.graph();
  for (const onnx::TensorProto &tensor : graph.initializer()) {
    if (!scope.initializers.try_emplace(tensor.name(), &tensor).second) {
      reportError("two initializers have the name '" + tensor.name() + "'");
      return false;
    }
  }
  SmallVector<Type> types;
  SmallVector<DictionaryAttr> attributes;
  SmallVector<const onnx::ValueInfoProto *> inputs;
  llvm::StringSet<> names;
  bool good = true;
  for (const onnx::ValueInfoProto &input : graph.input()) {
    // Old models list initializers as inputs too.
    if (scope.initializers.contains(input.name()))
      continue;
    if (!names.insert(input.name()).second) {
      reportError("two inputs have the name '" + input.name() + "'");
      good = false;
    } else if (addInput(input, types, attributes)) {
      inputs.push_back(&input);
    } else {
      good = false;
    }
  }
  if (!good)
    return false;

  builder.setInsertionPointToEnd(module->getBody());
  entry = func::FuncOp::create(builder, builder.getUnknownLoc(), "main",
                               builder.getFunctionType(types, {}));
  symbols.insert(entry);
  entry.setAllArgAttrs(attributes);
  Block *block = entry.addEntryBlock();
  builder.setInsertionPointToStart(block);
  for (auto [input, argument] : llvm::zip(inputs, block->getArguments())) {
    argument.setLoc(NameLoc::get(builder.getStringAttr(input->name())));
    scope.values[input->name()] = {argument,
                                   input->type().tensor_type().elem_type()};
  }
  return true;
}

std::vector<std::string> ModelImporter::namesMadeByNodes(const Scope &scope) {
  std::vector<std::string> names;
  for (const onnx::NodeProto &node : model.proto.graph().node())
    for (const std::string &name : node.output()) {
      auto found = scope.values.find(name);
      if (found != scope.values.end() && found->second.value)
        names.push_back(name);
    }
  return names;
}

std::vector<std::string> ModelImporter::outputNames(const Scope &scope) {
  std::vector<std::string> names;
  llvm::StringSet<> known;
  for (const onnx::ValueInfoProto &output : model.proto.graph().output())
    // Users take outputs by their names.
    if (known.insert(output.name()).second)
      names.push_back(output.name());
    else
      findings.findings.push_back("output '" + output.name() +
                                  "' is listed again; it is one output");
  std::vector<std::string> made = namesMadeByNodes(scope);
  for (const std::string &tap : options.taps) {
    bool isMade = llvm::is_contained(made, tap);
    if (!isMade && !known.contains(tap) && tap != "all") {
      reportWrongOption("no value to tap is named '" + tap + "'");
    }
    for (const std::string &name : isMade ? std::vector<std::string>{tap}
                                   : tap == "all" ? made
                                                  : std::vector<std::string>{})
      if (known.insert(name).second)
        names.push_back(name);
  }
  return names;
}

void ModelImporter::returnOutputs(Scope &scope) {
  SmallVector<Value> results;
  SmallVector<Attribute> attributes;
  onnx::NodeProto none;
  for (const std::string &name : outputNames(scope)) {
    Location loc = NameLoc::get(builder.getStringAttr(name));
    NodeContext node(none, 0, builder, loc, sizes, makeConstant);
    OnnxValue value;
    auto initializer = scope.initializers.find(name);
    if (auto found = scope.values.find(name);
        found != scope.values.end()) {
      value = found->second;
    } else if (initializer != scope.initializers.end()) {
      FailureOr<Value> made =
          constantOf(*initializer->second, node, name);
      if (succeeded(made))
        value = {*made, initializer->second->data_type()};
      else
        reportUnsupported(node.errorText()); // or damaged: constantOf knows
    } else {
      reportError("output '" + name + "' is made by no node");
    }
    if (!value.value)
      continue;
    results.push_back(value.value);
    attributes.push_back(builder.getDictionaryAttr(
        portAttributes(builder, name, value.elementType)));
  }
  func::ReturnOp::create(builder, builder.getUnknownLoc(), results);
  entry.setFunctionType(
      builder.getFunctionType(entry.getArgumentTypes(),
                              llvm::to_vector(ValueRange(results).getTypes())));
  entry.setResAttrsAttr(builder.getArrayAttr(attributes));
}

void ModelImporter::reportUnusedOptions() {
  for (const SizeRange &option : options.sizes) {
    if (usedOptions.contains(option.name))
      continue;
    std::vector<std::string> known;
    for (const auto &size : namedSizes)
      known.push_back(size.first().str());
    llvm::sort(known);
    StringRef wanted = option.name, nearest;
    unsigned least = std::max<unsigned>(2, wanted.size() / 3) + 1;
    for (StringRef name : known)
      if (unsigned edits = wanted.edit_distance(name); edits < least) {
        least = edits;
        nearest = name;
      }
    reportWrongOption(
        "no size is named '" + wanted + "'; " +
        (nearest.empty() ? "" : "did you mean '" + nearest + "'? ") +
        "the model has " +
        (known.empty() ? "none" : "'" + llvm::join(known, "', '") + "'"));
  }
}

} // namespace tessera::onnx_importer
