// Reads ONNX's registry of operators.
#include "lib/Importer/Onnx/OperatorSchema.h"
#include "lib/Importer/Onnx/Contrib/ContribOperator.h"
#include "lib/Importer/Onnx/ModelReader.h"

#include "onnx/defs/schema.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/Support/Errc.h"

using namespace llvm;
using onnx::AttributeProto;
using onnx::OpSchema;

namespace tessera::onnx_importer {

std::optional<int64_t> newestOpset(StringRef domain) {
  if (isContribDomain(domain))
    return 1;
  const auto &ranges =
      onnx::OpSchemaRegistry::DomainToVersionRange::Instance().Map();
  auto range = ranges.find(domain.str());
  if (range == ranges.end())
    return std::nullopt;
  return range->second.second;
}

int64_t newestOpset() { return *newestOpset(""); }

std::optional<OperatorSchema>
OperatorSchema::find(StringRef domain, StringRef opType, int64_t version) {
  const OpSchema *schema = onnx::OpSchemaRegistry::Schema(
      opType.str(), static_cast<int>(version), domain.str());
  if (!schema)
    schema = contribSchema(domain, opType);
  if (!schema)
    return std::nullopt;
  return OperatorSchema(schema);
}

int64_t OperatorSchema::sinceVersion() const { return schema->since_version(); }

/// The declared parameter that actual number `index` belongs to, or null.
static const OpSchema::FormalParameter *
parameterOf(const std::vector<OpSchema::FormalParameter> &formals,
            size_t index) {
  if (index < formals.size())
    return &formals[index];
  if (!formals.empty() && formals.back().GetOption() == OpSchema::Variadic)
    return &formals.back();
  return nullptr;
}

static std::string typeString(int32_t elementType) {
  return "tensor(" + elementTypeName(elementType) + ")";
}

static bool allows(const OpSchema::FormalParameter &parameter,
                   const std::string &type) {
  for (onnx::DataType allowed : parameter.GetTypes())
    if (*allowed == type)
      return true;
  return false;
}

static std::optional<std::string> attributeMismatch(const onnx::NodeProto &node,
                                                    const OpSchema &schema) {
  StringMap<const AttributeProto *> seen;
  for (const AttributeProto &attribute : node.attribute()) {
    if (!seen.try_emplace(attribute.name(), &attribute).second)
      return "attribute '" + attribute.name() + "' appears twice";
    if (!attribute.ref_attr_name().empty())
      return "attribute '" + attribute.name() +
             "' refers to an attribute of a function, but no function is here";
    auto declared = schema.attributes().find(attribute.name());
    if (declared == schema.attributes().end())
      continue; // the checker's remark is enough
    auto type = declared->second.type;
    bool hasMessage = type == AttributeProto::TENSOR  ? attribute.has_t()
                      : type == AttributeProto::GRAPH ? attribute.has_g()
                      : type == AttributeProto::SPARSE_TENSOR
                          ? attribute.has_sparse_tensor()
                      : type == AttributeProto::TYPE_PROTO ? attribute.has_tp()
                                                           : true;
    if (attribute.type() != type || !hasMessage)
      return "expects attribute '" + attribute.name() + "' to be of type " +
             AttributeProto::AttributeType_Name(type) + " but got " +
             AttributeProto::AttributeType_Name(attribute.type());
  }
  for (const auto &[name, declared] : schema.attributes())
    if (declared.required && !seen.contains(name))
      return "required attribute '" + name + "' is missing";
  return std::nullopt;
}

std::optional<std::string>
OperatorSchema::mismatch(const onnx::NodeProto &node,
                         ArrayRef<int32_t> inputTypes) const {
  if (schema->Deprecated())
    return "the operator is deprecated since opset " +
           std::to_string(schema->since_version());
  if (node.input_size() < schema->min_input() ||
      node.input_size() > schema->max_input())
    return "expects between " + std::to_string(schema->min_input()) + " and " +
           std::to_string(schema->max_input()) + " inputs but got " +
           std::to_string(node.input_size());
  if (node.output_size() < schema->min_output() ||
      node.output_size() > schema->max_output())
    return "expects between " + std::to_string(schema->min_output()) + " and " +
           std::to_string(schema->max_output()) + " outputs but got " +
           std::to_string(node.output_size());

  StringMap<std::pair<int32_t, std::string>> bound; // type and whose it is
  for (auto [i, type] : enumerate(inputTypes)) {
    const auto *parameter = parameterOf(schema->inputs(), i);
    assert(parameter && "as many as the schema has at most");
    if (node.input(i).empty()) {
      if (parameter->GetOption() != OpSchema::Optional)
        return "required input '" + parameter->GetName() + "' is missing";
      continue;
    }
    std::string spelled = typeString(type);
    if (!allows(*parameter, spelled))
      return "input '" + parameter->GetName() + "' may not have type " +
             spelled;
    if (parameter->GetOption() == OpSchema::Variadic &&
        !parameter->GetIsHomogeneous())
      continue;
    auto [entry, isNew] = bound.try_emplace(
        parameter->GetTypeStr(), std::make_pair(type, parameter->GetName()));
    if (!isNew && entry->second.first != type)
      return "expects inputs '" + entry->second.second + "' and '" +
             parameter->GetName() + "' to have one type but got " +
             typeString(entry->second.first) + " and " + spelled;
  }
  return attributeMismatch(node, *schema);
}

SmallVector<int32_t>
OperatorSchema::outputTypes(const onnx::NodeProto &node,
                            ArrayRef<int32_t> inputTypes) const {
  SmallVector<int32_t> types;
  for (int i = 0; i < node.output_size(); ++i) {
    const auto *parameter = parameterOf(schema->outputs(), i);
    int32_t found = 0;
    for (size_t j = 0; parameter && j < inputTypes.size() && !found; ++j) {
      const auto *input = parameterOf(schema->inputs(), j);
      if (input && input->GetTypeStr() == parameter->GetTypeStr())
        found = inputTypes[j];
    }
    if (parameter && !found && parameter->GetTypes().size() == 1)
      for (int32_t type = 1; type < onnx::TensorProto::DataType_ARRAYSIZE;
           ++type)
        if (allows(*parameter, typeString(type)))
          found = type;
    types.push_back(found);
  }
  return types;
}

bool OperatorSchema::isFunction() const {
  return schema->HasFunction() || schema->HasContextDependentFunction();
}

Expected<std::optional<onnx::FunctionProto>>
OperatorSchema::body(const onnx::NodeProto &node, int64_t version,
                     ArrayRef<onnx::TypeProto> inputs) const {
  try {
    onnx::FunctionProto made;
    const onnx::FunctionProto *fixed =
        schema->GetFunction(static_cast<int>(version));
    // Shrink of opset 9 has a body since opset 18 only. It names its opset, so
    // that an older model can use it.
    if (!fixed && schema->HasFunction())
      fixed = schema->GetFunction(schema->function_opset_versions().front());
    if (fixed) {
      made = *fixed;
    } else {
      onnx::FunctionBodyBuildContextImpl context(node, inputs.vec());
      if (!schema->HasContextDependentFunction() ||
          !schema->BuildContextDependentFunction(context, made,
                                                 static_cast<int>(version)))
        return std::nullopt;
    }
    for (const auto &[name, declared] : schema->attributes())
      if (declared.default_value.type() != AttributeProto::UNDEFINED)
        *made.add_attribute_proto() = declared.default_value;
    return std::optional(std::move(made));
  } catch (const std::exception &exception) {
    return createStringError(errc::invalid_argument, exception.what());
  }
}

} // namespace tessera::onnx_importer
