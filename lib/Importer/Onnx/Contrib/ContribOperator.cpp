// Makes ONNX's schemas of the signatures and bodies; see the header.
#include "lib/Importer/Onnx/Contrib/ContribOperator.h"

#include "onnx/defs/parser.h"
#include "onnx/defs/schema.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSwitch.h"
#include "llvm/Support/Format.h"
#include "llvm/Support/raw_ostream.h"

#include <map>

using namespace llvm;
using onnx::AttributeProto;
using onnx::OpSchema;

namespace tessera::onnx_importer {

bool ContribCall::hasInput(int index) const { return context.hasInput(index); }

bool ContribCall::hasOutput(int index) const {
  return context.hasOutput(index);
}

int64_t ContribCall::integer(const char *name, int64_t otherwise) const {
  const AttributeProto *attribute = context.getAttribute(name);
  return attribute ? attribute->i() : otherwise;
}

float ContribCall::number(const char *name, float otherwise) const {
  const AttributeProto *attribute = context.getAttribute(name);
  return attribute ? attribute->f() : otherwise;
}

std::vector<int64_t> ContribCall::integers(const char *name) const {
  const AttributeProto *attribute = context.getAttribute(name);
  if (!attribute)
    return {};
  return {attribute->ints().begin(), attribute->ints().end()};
}

std::vector<float> ContribCall::numbers(const char *name) const {
  const AttributeProto *attribute = context.getAttribute(name);
  if (!attribute)
    return {};
  return {attribute->floats().begin(), attribute->floats().end()};
}

std::string ContribCall::string(const char *name) const {
  const AttributeProto *attribute = context.getAttribute(name);
  return attribute ? attribute->s() : "";
}

int32_t ContribCall::elementType(int index) const {
  return context.getInputType(index)->tensor_type().elem_type();
}

int ContribCall::rank(int index) const {
  return context.getInputType(index)->tensor_type().shape().dim_size();
}

std::optional<int64_t> ContribCall::size(int index, int dimension) const {
  const auto &dim =
      context.getInputType(index)->tensor_type().shape().dim(dimension);
  if (!dim.has_dim_value())
    return std::nullopt;
  return dim.dim_value();
}

std::string literal(float value) {
  std::string text;
  raw_string_ostream(text) << format("%.9e", static_cast<double>(value));
  return text;
}

std::string literal(ArrayRef<int64_t> values) {
  std::string text = "[";
  raw_string_ostream stream(text);
  interleaveComma(values, stream);
  return text + "]";
}

std::string integerConstant(StringRef name, ArrayRef<int64_t> values) {
  return (name + " = Constant<value_ints: ints = " + literal(values) + ">()\n")
      .str();
}

std::string integerConstant(StringRef name, int64_t value) {
  return (name + " = Constant<value_int: int = " + Twine(value) + ">()\n").str();
}

std::string numberConstant(StringRef name, float value) {
  return (name + " = Constant<value_float: float = " + literal(value) + ">()\n")
      .str();
}

/// The element types that a variable declared as `name` may be.
static std::vector<std::string> typesOf(StringRef name) {
  StringRef spelled = StringSwitch<StringRef>(name)
                          .Case("byte", "uint8 int8")
                          .Case("byteOrFloat", "uint8 int8 float")
                          .Case("index", "int32 int64")
                          .Case("real", "float float16 bfloat16 double")
                          .Case("number", "float float16 bfloat16 double int32 int64 "
                                          "uint32 uint64")
                          .Case("realOrByte", "float float16 bfloat16 uint8")
                          .Case("quantized", "int8 uint8 int16 uint16 int32 int4 uint4")
                          .Case("float8", "uint8 float8e4m3fn")
                          .Case("packed", "int4 uint4 uint8")
                          .Default(name);
  SmallVector<StringRef> parts;
  spelled.split(parts, ' ');
  std::vector<std::string> types;
  for (StringRef part : parts)
    types.push_back("tensor(" + part.str() + ")");
  return types;
}

/// Adds the parameters that `text` lists, as inputs or outputs.
static void addParameters(OpSchema &schema, StringRef text, bool areInputs) {
  SmallVector<StringRef> parameters;
  text.split(parameters, ',', -1, /*KeepEmpty=*/false);
  for (auto [index, parameter] : enumerate(parameters)) {
    auto [name, type] = parameter.trim().split(':');
    auto option = OpSchema::Single;
    if (name.consume_back("?"))
      option = OpSchema::Optional;
    else if (name.consume_back("*"))
      option = OpSchema::Variadic;
    auto [variable, types] = type.split('=');
    if (!types.empty())
      schema.TypeConstraint(variable.str(), typesOf(types), "");
    std::string typeString =
        isUpper(variable.front()) ? variable.str() : typesOf(variable).front();
    if (areInputs)
      schema.Input(index, name.str(), "", typeString, option,
                   /*is_homogeneous=*/option != OpSchema::Variadic);
    else
      schema.Output(index, name.str(), "", typeString, option);
  }
}

static void addAttributes(OpSchema &schema, StringRef text) {
  SmallVector<StringRef> attributes;
  text.split(attributes, ',', -1, /*KeepEmpty=*/false);
  for (StringRef attribute : attributes) {
    auto [declared, value] = attribute.trim().split('=');
    bool isRequired = declared.consume_back("!");
    auto [name, kind] = declared.split(':');
    auto type = StringSwitch<AttributeProto::AttributeType>(kind)
                    .Case("int", AttributeProto::INT)
                    .Case("ints", AttributeProto::INTS)
                    .Case("float", AttributeProto::FLOAT)
                    .Case("floats", AttributeProto::FLOATS)
                    .Case("string", AttributeProto::STRING)
                    .Case("strings", AttributeProto::STRINGS)
                    .Default(AttributeProto::UNDEFINED);
    double number = 0;
    bool hasNumber = !value.empty() && !value.getAsDouble(number);
    if (hasNumber && type == AttributeProto::INT)
      schema.Attr(name.str(), "", type, static_cast<int64_t>(number));
    else if (hasNumber)
      schema.Attr(name.str(), "", type, static_cast<float>(number));
    else
      schema.Attr(name.str(), "", type, isRequired);
  }
}

/// Names each input of a last parameter that stands for any number: inputs0, inputs1.
static void nameVariadicInputs(const OpSchema &schema,
                               const onnx::FunctionBodyBuildContext &context,
                               onnx::FunctionProto &body) {
  if (schema.inputs().back().GetOption() != OpSchema::Variadic)
    return;
  std::string name = schema.inputs().back().GetName();
  body.mutable_input()->RemoveLast();
  int first = body.input_size();
  for (int i = first; context.hasInput(i); ++i)
    body.add_input(name + std::to_string(i - first));
}

/// Parses `nodes` into the body of a node of `schema`; false if there are none.
static bool makeBody(const OpSchema &schema, const std::string &nodes,
                     const onnx::FunctionBodyBuildContext &context,
                     onnx::FunctionProto &body) {
  if (nodes.empty())
    return false;
  std::string text = "{" + nodes + "}";
  onnx::OnnxParser parser(text.c_str());
  [[maybe_unused]] auto status = parser.Parse(*body.mutable_node());
  assert(status.IsOK() && "bodies are in ONNX's text format");
  schema.BuildFunction(body);
  nameVariadicInputs(schema, context, body);
  for (auto [domain, version] : {std::pair("", kBodyOpset),
                                 {"com.microsoft", 1},
                                 {"tessera", 1}}) {
    auto *opset = body.add_opset_import();
    opset->set_domain(domain);
    opset->set_version(version);
  }
  return true;
}

static OpSchema schemaOf(StringRef domain, const ContribOperator &from) {
  OpSchema schema(from.name, "", 0);
  schema.SetDomain(domain.str());
  schema.SinceVersion(1);
  auto [inputs, outputs] = StringRef(from.signature).split("=>");
  addParameters(schema, inputs, /*areInputs=*/true);
  addParameters(schema, outputs, /*areInputs=*/false);
  addAttributes(schema, from.attributes);
  if (from.nodes || from.makeNodes)
    schema.SetContextDependentFunctionBodyBuilder(
        [from](const onnx::FunctionBodyBuildContext &context,
               const OpSchema &schema, onnx::FunctionProto &body) {
          return makeBody(schema,
                          from.nodes ? from.nodes
                                     : from.makeNodes(ContribCall(context)),
                          context, body);
        },
        1);
  schema.Finalize();
  return schema;
}

/// What bodies need beside ONNX's operators.
static constexpr ContribOperator kOwnOperators[] = {
    // Elements of 2 or 4 bits, low bits first, which are the last dimension.
    {"UnpackBits", "X:uint8 => Y:uint8", "bits:int!"},
};

/// By domain, then by name. Made once: a body is parsed where it is used.
static const StringMap<StringMap<OpSchema>> &contribSchemas() {
  static const auto *made = [] {
    auto *schemas = new StringMap<StringMap<OpSchema>>;
    auto add = [&](StringRef domain, ArrayRef<ContribOperator> operators) {
      for (const ContribOperator &each : operators)
        (*schemas)[domain].try_emplace(each.name, schemaOf(domain, each));
    };
    for (auto family :
         {quantizedOperators, integerProductOperators, packedWeightOperators,
          fusedOperators, normalizationOperators, attentionOperators})
      add("com.microsoft", family());
    add("org.openvinotoolkit", openvinoOperators());
    add("trt", tensorrtOperators());
    add("tessera", kOwnOperators);
    return schemas;
  }();
  return *made;
}

const OpSchema *contribSchema(StringRef domain, StringRef opType) {
  auto family = contribSchemas().find(domain);
  if (family == contribSchemas().end())
    return nullptr;
  auto found = family->second.find(opType);
  return found == family->second.end() ? nullptr : &found->second;
}

bool isContribDomain(StringRef domain) {
  return contribSchemas().contains(domain);
}

} // namespace tessera::onnx_importer
