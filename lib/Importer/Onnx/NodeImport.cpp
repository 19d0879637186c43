// Imports nodes: by translator, or by the function body that the ONNX standard
// gives the operator.
#include "lib/Importer/Onnx/FunctionBody.h"
#include "lib/Importer/Onnx/ModelImporter.h"
#include "lib/Importer/Onnx/OperatorSchema.h"
#include "lib/Importer/Onnx/TranslatorTable.h"

using namespace mlir;
using onnx::NodeProto;

namespace tessera::onnx_importer {

/// Function bodies of the standard nest less deep than this.
[[maybe_unused]] static constexpr unsigned kMaxBodyDepth = 16;

static StringRef canonicalDomain(StringRef domain) {
  return domain == "ai.onnx" ? "" : domain;
}

void ModelImporter::report(const UnsupportedNode &identity, const Twine &reason,
                           const Scope &scope) {
  UnsupportedNode entry = identity;
  entry.reason = reason.str();
  if (scope.caller) {
    entry = *scope.caller;
    entry.reason =
        ("in its function body: " + identity.opType + ": " + reason).str();
  }
  findings.unsupported.push_back(std::move(entry));
}

bool ModelImporter::importGraph(const onnx::GraphProto &graph, Scope &scope) {
  std::vector<const NodeProto *> cyclic;
  std::vector<const NodeProto *> order =
      orderNodes(graph, cyclic, [&](StringRef name) {
        return scope.outer && scope.outer->holderOf(name);
      });
  for (const NodeProto *node : cyclic)
    report({node->name().empty() ? node->op_type() : node->name(),
            node->op_type(), node->domain(),
            scope.opsets.lookup(canonicalDomain(node->domain())), ""},
           "depends on a node that depends on it", scope);
  if (!cyclic.empty()) {
    findings.isDamaged = true;
    return false;
  }
  importNodes(order, scope);
  return true;
}

void ModelImporter::importNodes(ArrayRef<const NodeProto *> nodes,
                                Scope &scope) {
  for (auto [index, node] : llvm::enumerate(nodes))
    importNode(*node, index, scope);
}

/// The value with the sizes that are known by now: one may have been proven to be
/// a number since the value was made, which types of results then say.
static OnnxValue refined(OnnxValue value, NodeContext &node) {
  auto type = dyn_cast_or_null<RankedTensorType>(
      value.value ? value.value.getType() : Type());
  if (!type || type.hasStaticShape())
    return value;
  RankedTensorType known =
      node.typeOf(node.shapeOf(value.value), type.getElementType());
  if (known != type)
    value.value =
        tensor::CastOp::create(node.builder, node.loc, known, value.value);
  return value;
}

std::optional<OnnxValue> ModelImporter::valueOf(StringRef name, Scope &scope,
                                                NodeContext &node) {
  Scope *holder = scope.holderOf(name);
  if (!holder)
    return std::nullopt;
  auto found = holder->values.find(name);
  if (found == holder->values.end()) {
    const onnx::TensorProto *initializer = holder->initializers.lookup(name);
    FailureOr<Value> made = constantOf(*initializer, node, name);
    // Without a value the node has the reason, and others that read it wait for it.
    OnnxValue value;
    if (succeeded(made))
      value = {*made, initializer->data_type()};
    found = holder->values.try_emplace(name, value).first;
  }
  return found->second;
}

std::optional<SmallVector<OnnxValue>>
ModelImporter::inputsOf(const NodeProto &proto, Scope &scope,
                        NodeContext &node) {
  SmallVector<OnnxValue> inputs;
  for (const std::string &name : proto.input()) {
    if (name.empty()) {
      inputs.push_back({});
      continue;
    }
    std::optional<OnnxValue> value = valueOf(name, scope, node);
    if (!value) {
      findings.isDamaged = true;
      (void)node.error("input '" + name + "' is made by no node");
    }
    if (!node.errorText().empty())
      return std::nullopt;
    inputs.push_back(refined(*value, node));
  }
  return inputs;
}

std::optional<int64_t> ModelImporter::opsetOf(const NodeProto &proto,
                                              const UnsupportedNode &identity,
                                              Scope &scope) {
  StringRef domain = identity.domain, opType = proto.op_type();
  std::optional<int64_t> newest = newestOpset(domain);
  auto known = scope.opsets.find(domain);
  if (known == scope.opsets.end()) {
    if (domain.empty() || !newest)
      return std::nullopt;
    findings.findings.push_back(
        ("the model imports no opset of domain '" + domain +
         "'; its nodes are read by opset " + Twine(*newest))
            .str());
    known = scope.opsets.try_emplace(domain, *newest).first;
  }
  for (int64_t opset = known->second; newest && opset <= *newest; ++opset) {
    if (!OperatorSchema::find(domain, opType, opset))
      continue;
    if (opset != known->second)
      findings.findings.push_back(
          ("node '" + identity.node + "' (" + opType + "): the model's opset " +
           Twine(known->second) + " has no such operator; it is read by opset " +
           Twine(opset))
              .str());
    return opset;
  }
  return known->second;
}

void ModelImporter::importNode(const NodeProto &proto, unsigned index,
                               Scope &scope) {
  StringRef domain = canonicalDomain(proto.domain());
  // ONNX Runtime's optimizer writes it by this name, without a domain.
  if (domain.empty() && proto.op_type() == "SimplifiedLayerNormalization") {
    NodeProto standard = proto;
    standard.set_op_type("RMSNormalization");
    return importNode(standard, index, scope);
  }
  UnsupportedNode identity;
  identity.node = !proto.name().empty()
                      ? proto.name()
                      : proto.op_type() + "_" + std::to_string(index);
  identity.opType = proto.op_type();
  identity.domain = domain.str();
  std::optional<int64_t> opset = opsetOf(proto, identity, scope);
  identity.opset = opset.value_or(0);
  Location loc = NameLoc::get(
      builder.getStringAttr(scope.caller ? scope.caller->node : identity.node));

  NodeContext node(proto, identity.opset, builder, loc, sizes, makeConstant);
  node.setOutputTypes({});
  node.setCaller(scope.caller ? scope.callerText : callerOf(proto));
  LogicalResult result = failure();
  bool isBlocked = false; // by a node that failed before
  if (!opset) {
    (void)node.error("the model imports no opset of domain '" + domain + "'");
  } else if (auto inputs = inputsOf(proto, scope, node)) {
    for (auto [name, input] : llvm::zip(proto.input(), *inputs))
      isBlocked |= !name.empty() && !input.value;
    result = translate(node, scope, isBlocked ? ArrayRef<OnnxValue>() : *inputs,
                       identity);
  }
  if (failed(result) && !node.errorText().empty()) {
    std::string caller = callerOf(proto);
    report(identity,
           caller.empty() ? node.errorText()
                          : "called by " + caller + ": " + node.errorText(),
           scope);
  }

  for (auto [i, name] : llvm::enumerate(proto.output())) {
    if (name.empty())
      continue;
    OnnxValue value;
    if (succeeded(result) && !isBlocked)
      value = node.getOutputs()[i];
    if (succeeded(result) && !isBlocked && !value.value)
      report(identity, "output '" + name + "' is not supported", scope);
    else if (value.value)
      requireSizesOnce(node, value.value);
    auto [entry, isNew] = scope.values.try_emplace(name, value);
    if (!isNew) {
      findings.isDamaged = true;
      report(identity, "output '" + name + "' has the name of another value",
             scope);
      entry->second = {};
    }
  }
}

void ModelImporter::requireSizesOnce(NodeContext &node, Value value) {
  Shape shape = isa<RankedTensorType>(value.getType()) ? node.shapeOf(value)
                                                       : Shape();
  llvm::erase_if(shape, [&](AffineExpr size) {
    return !requiredSizes.insert(size).second;
  });
  (void)node.requireSizes(shape, "its result");
}

/// Translates the node, or, if `inputs` is empty where the node has some
/// (because they failed), only finds out whether it could be.
LogicalResult ModelImporter::translate(NodeContext &node, Scope &scope,
                                       ArrayRef<OnnxValue> inputs,
                                       const UnsupportedNode &identity) {
  const NodeProto &proto = node.node();
  bool isBlocked = inputs.empty() && proto.input_size() > 0;
  Translator translator = TranslatorTable::get().find(
      identity.domain, identity.opType, identity.opset);
  std::optional<OperatorSchema> schema =
      OperatorSchema::find(identity.domain, identity.opType, identity.opset);
  if (!schema)
    return node.error(
        identity.domain.empty()
            ? "the operator does not exist in this opset"
        : newestOpset(identity.domain)
            ? Twine("the operator is not supported")
            : "domain '" + Twine(identity.domain) +
                  "' is not supported; export with operators of ONNX alone");
  if (isBlocked && translator)
    return success();

  SmallVector<int32_t> types;
  for (const OnnxValue &input : inputs)
    types.push_back(input.elementType);
  if (!isBlocked) {
    if (std::optional<std::string> mismatch = schema->mismatch(proto, types))
      return node.error(*mismatch);
    node.setInputs(SmallVector<OnnxValue>(inputs));
    node.setOutputTypes(schema->outputTypes(proto, types));
  }
  if (identity.domain.empty() && identity.opType == "If" && !isBlocked &&
      conditionOf(node))
    return importBranch(node, scope);
  if (translator) {
    bool translated = succeeded(translator(node));
    if (!node.usesBody())
      return success(translated && node.errorText().empty());
  }
  return expandBody(*schema, node, scope, inputs, identity);
}

LogicalResult ModelImporter::expandBody(const OperatorSchema &schema,
                                        NodeContext &node, Scope &scope,
                                        ArrayRef<OnnxValue> inputs,
                                        const UnsupportedNode &identity) {
  const NodeProto &proto = node.node();
  if (!schema.isFunction()) {
    StringRef reason = refusalOf(identity.opType);
    return node.error(reason.empty() ? "the operator is not supported"
                                     : reason);
  }
  if (inputs.empty() && proto.input_size() > 0)
    return success();
  SmallVector<onnx::TypeProto> types;
  SmallVector<int32_t> elementTypes;
  for (const OnnxValue &input : inputs) {
    elementTypes.push_back(input.elementType);
    onnx::TypeProto &type = types.emplace_back();
    if (!input.value)
      continue;
    auto &tensor = *type.mutable_tensor_type();
    tensor.set_elem_type(input.elementType);
    for (int64_t size :
         cast<RankedTensorType>(input.value.getType()).getShape())
      if (auto &dim = *tensor.mutable_shape()->add_dim();
          !ShapedType::isDynamic(size))
        dim.set_dim_value(size);
    tensor.mutable_shape(); // rank 0 too
  }
  llvm::Expected<std::optional<onnx::FunctionProto>> body =
      schema.body(proto, identity.opset, types);
  if (!body)
    return node.error(llvm::toString(body.takeError()));
  if (!*body)
    return node.error("the operator is not supported for these inputs");
  bindCall(**body, proto);
  if (isCallInF64(elementTypes, schema.outputTypes(proto, elementTypes)))
    widenToF64(**body);
  assert(scope.depth < kMaxBodyDepth && "bodies of the standard do not recur");

  UnsupportedNode caller = scope.caller ? *scope.caller : identity;
  Scope inner;
  inner.caller = &caller;
  inner.callerText = node.subject();
  inner.depth = scope.depth + 1;
  inner.opsets[""] = scope.opsets.lookup("");
  for (const auto &opset : (*body)->opset_import())
    inner.opsets[canonicalDomain(opset.domain())] = opset.version();
  for (auto [i, name] : llvm::enumerate((*body)->input()))
    if (i < inputs.size() && inputs[i].value)
      inner.values[name] = inputs[i];
  size_t before = findings.unsupported.size();
  SmallVector<const NodeProto *> nodes;
  for (const NodeProto &child : (*body)->node())
    nodes.push_back(&child);
  importNodes(nodes, inner);
  if (findings.unsupported.size() != before)
    return failure(); // reported inside
  for (auto [i, name] : llvm::enumerate((*body)->output()))
    if (static_cast<int>(i) < proto.output_size()) {
      OnnxValue value = inner.values.lookup(name);
      node.setOutput(i, value.value, value.elementType);
    }
  return success();
}

} // namespace tessera::onnx_importer
