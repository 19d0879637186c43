#include "lib/Importer/Onnx/WireScanner.h"
#include "onnx/onnx_pb.h"
#include "llvm/Support/Error.h"
#include "gtest/gtest.h"

using namespace tessera::onnx_importer;
using llvm::StringRef;

namespace {

onnx::TensorProto rawTensor(const std::string &name, size_t bytes) {
  onnx::TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(onnx::TensorProto::UINT8);
  tensor.add_dims(bytes);
  std::string data(bytes, '\0');
  for (size_t i = 0; i < bytes; ++i)
    data[i] = static_cast<char>(i * 7);
  tensor.set_raw_data(data);
  return tensor;
}

std::string field(const onnx::TensorProto &tensor, const std::string &key) {
  for (const auto &entry : tensor.external_data())
    if (entry.key() == key)
      return entry.value();
  return "";
}

/// The bytes in `model` that the reference in `tensor` names.
std::string referenced(const std::string &model,
                       const onnx::TensorProto &tensor) {
  return model.substr(std::stoull(field(tensor, "offset")),
                      std::stoull(field(tensor, "length")));
}

onnx::ModelProto scanned(const std::string &bytes) {
  llvm::Expected<std::string> light = scanModel(bytes, "model.onnx");
  EXPECT_TRUE(bool(light)) << llvm::toString(light.takeError());
  onnx::ModelProto proto;
  EXPECT_TRUE(proto.ParseFromString(*light));
  return proto;
}

std::string scanFailure(StringRef bytes) {
  llvm::Expected<std::string> light = scanModel(bytes, "model.onnx");
  return light ? "" : llvm::toString(light.takeError());
}

TEST(WireScanner, ReplacesLargeRawDataOnly) {
  onnx::ModelProto model;
  *model.mutable_graph()->add_initializer() =
      rawTensor("small", kLargePayloadBytes);
  *model.mutable_graph()->add_initializer() =
      rawTensor("large", kLargePayloadBytes + 1);
  std::string bytes = model.SerializeAsString();

  onnx::ModelProto light = scanned(bytes);
  EXPECT_EQ(light.graph().initializer(0).SerializeAsString(),
            model.graph().initializer(0).SerializeAsString());
  const onnx::TensorProto &large = light.graph().initializer(1);
  EXPECT_EQ(large.data_location(), onnx::TensorProto::EXTERNAL);
  EXPECT_FALSE(large.has_raw_data());
  EXPECT_EQ(field(large, "location"), "model.onnx");
  EXPECT_EQ(referenced(bytes, large), model.graph().initializer(1).raw_data());
}

TEST(WireScanner, ReplacesPackedFloats) {
  onnx::ModelProto model;
  onnx::TensorProto &tensor = *model.mutable_graph()->add_initializer();
  tensor.set_data_type(onnx::TensorProto::FLOAT);
  for (int i = 0; i < 1000; ++i)
    tensor.add_float_data(i);
  std::string bytes = model.SerializeAsString();

  const onnx::ModelProto light = scanned(bytes);
  std::string data = referenced(bytes, light.graph().initializer(0));
  ASSERT_EQ(data.size(), 4000u);
  EXPECT_EQ(memcmp(data.data(), tensor.float_data().data(), data.size()), 0);
}

/// A model with one initializer of these fields, in wire format.
std::string modelWith(const std::string &tensorFields) {
  std::string tensor, graph;
  auto field = [](std::string &out, char tag, const std::string &bytes) {
    out.push_back(tag);
    for (size_t size = bytes.size();; size >>= 7) {
      out.push_back(static_cast<char>((size & 0x7f) | (size > 0x7f ? 0x80 : 0)));
      if (size <= 0x7f)
        break;
    }
    out += bytes;
  };
  field(tensor, 0x2a, tensorFields); // GraphProto.initializer
  field(graph, 0x3a, tensor);        // ModelProto.graph
  return graph;
}

const std::string kDefaultLocation("\x70\x00", 2), kExternalLocation("\x70\x01", 2),
    kNoLocation("\x70\x05", 2);

/// Tensors are merged as Protobuf does, whatever the order of fields: the last
/// location that there is counts, and a place elsewhere that was left behind, as
/// by tools that load external data, does not.
TEST(WireScanner, DataIsWhereTheLastLocationSays) {
  const onnx::TensorProto tensor = rawTensor("w", 5000);
  const std::string payload = tensor.SerializeAsString();
  onnx::TensorProto elsewhere;
  elsewhere.add_external_data()->set_key("location");
  elsewhere.mutable_external_data(0)->set_value("weights.bin");
  const std::string place = elsewhere.SerializeAsString();
  for (const std::string &fields :
       {payload + kDefaultLocation, kDefaultLocation + payload,
        place + payload + kDefaultLocation, kDefaultLocation + payload + place,
        payload + place, kExternalLocation + place + payload + kDefaultLocation,
        payload + kDefaultLocation + kNoLocation}) {
    const std::string bytes = modelWith(fields);
    const onnx::TensorProto light = scanned(bytes).graph().initializer(0);
    EXPECT_EQ(light.data_location(), onnx::TensorProto::EXTERNAL);
    EXPECT_EQ(light.external_data_size(), 3);
    EXPECT_EQ(referenced(bytes, light), tensor.raw_data());
    EXPECT_EQ(light.name(), "w");
  }
  for (const std::string &fields :
       {payload + place + kExternalLocation, kExternalLocation + place + payload,
        kDefaultLocation + kExternalLocation + payload + place}) {
    const onnx::TensorProto light = scanned(modelWith(fields)).graph().initializer(0);
    EXPECT_EQ(light.data_location(), onnx::TensorProto::EXTERNAL);
    EXPECT_EQ(field(light, "location"), "weights.bin");
    EXPECT_EQ(light.external_data_size(), 1);
    EXPECT_FALSE(light.has_raw_data());
  }
}

// Protobuf takes the last of several raw_data, and joins the pieces of a list.
TEST(WireScanner, KeepsPayloadsInPieces) {
  const std::string first = rawTensor("w", 5000).SerializeAsString();
  onnx::TensorProto second = rawTensor("w", 6000), list;
  second.set_data_type(onnx::TensorProto::FLOAT);
  for (int i = 0; i < 1000; ++i)
    list.add_float_data(i);
  const std::string pieces = list.SerializeAsString();
  for (const std::string &fields :
       {first + second.SerializeAsString(), pieces + pieces, first + pieces,
        // Float data of another type is not where the elements are.
        pieces}) {
    onnx::TensorProto expected;
    ASSERT_TRUE(expected.ParseFromString(fields));
    EXPECT_EQ(scanned(modelWith(fields)).graph().initializer(0).SerializeAsString(),
              expected.SerializeAsString());
  }
}

// Two fields `t` of one attribute are one tensor.
TEST(WireScanner, KeepsTensorsInPieces) {
  onnx::AttributeProto whole, first, second;
  *first.mutable_t() = rawTensor("w", 5000);
  second.mutable_t()->set_raw_data(std::string(6000, 'b'));
  std::string bytes = first.SerializeAsString() + second.SerializeAsString();
  ASSERT_TRUE(whole.ParseFromString(bytes));
  // GraphProto.node, NodeProto.attribute: the tags of lists at the same places.
  onnx::ModelProto model;
  model.mutable_graph()->add_node()->add_attribute()->set_name("value");
  onnx::AttributeProto &attribute =
      *model.mutable_graph()->mutable_node(0)->mutable_attribute(0);
  attribute.mutable_unknown_fields()->append(bytes);
  const onnx::ModelProto light = scanned(model.SerializeAsString());
  EXPECT_EQ(light.graph().node(0).attribute(0).t().SerializeAsString(),
            whole.t().SerializeAsString());
}

TEST(WireScanner, KeepsEverythingWithoutAFileToReferTo) {
  onnx::ModelProto model;
  *model.mutable_graph()->add_initializer() = rawTensor("w", 5000);
  const std::string bytes = model.SerializeAsString();
  llvm::Expected<std::string> light = scanModel(bytes, "");
  ASSERT_TRUE(bool(light)) << llvm::toString(light.takeError());
  EXPECT_EQ(*light, bytes);
}

// Names that are no UTF-8 are spelled out, alike everywhere.
TEST(WireScanner, SpellsOutNames) {
  onnx::ModelProto model;
  onnx::GraphProto &graph = *model.mutable_graph();
  const std::string odd = std::string("a\xff\0é", 5), spelled = "a\\xff\\x00é";
  onnx::ValueInfoProto &input = *graph.add_input();
  input.set_name(odd);
  input.mutable_type()->mutable_tensor_type()->mutable_shape()->add_dim()->set_dim_param(
      odd);
  *graph.add_output() = input;
  graph.add_initializer()->set_name(odd);
  onnx::NodeProto &node = *graph.add_node();
  node.set_name(odd);
  node.set_op_type(odd);
  node.set_domain(odd);
  node.add_input(odd);
  node.add_output(odd);
  node.add_attribute()->set_name(odd);
  node.add_attribute()->mutable_g()->add_node()->add_input(odd);
  model.add_opset_import()->set_domain(odd);
  onnx::FunctionProto &function = *model.add_functions();
  function.set_name(odd);
  function.set_domain(odd);
  function.add_input(odd);
  function.add_output(odd);
  function.add_attribute(odd);
  function.add_opset_import()->set_domain(odd);
  node.mutable_attribute(0)->set_s(odd); // bytes, not a name

  const onnx::ModelProto light = scanned(model.SerializeAsString());
  const onnx::GraphProto &read = light.graph();
  EXPECT_EQ(read.input(0).name(), spelled);
  EXPECT_EQ(read.input(0).type().tensor_type().shape().dim(0).dim_param(), spelled);
  EXPECT_EQ(read.output(0).name(), spelled);
  EXPECT_EQ(read.initializer(0).name(), spelled);
  EXPECT_EQ(read.node(0).name(), spelled);
  EXPECT_EQ(read.node(0).op_type(), spelled);
  EXPECT_EQ(read.node(0).domain(), spelled);
  EXPECT_EQ(read.node(0).input(0), spelled);
  EXPECT_EQ(read.node(0).output(0), spelled);
  EXPECT_EQ(read.node(0).attribute(0).name(), spelled);
  EXPECT_EQ(read.node(0).attribute(1).g().node(0).input(0), spelled);
  EXPECT_EQ(light.opset_import(0).domain(), spelled);
  EXPECT_EQ(light.functions(0).name(), spelled);
  EXPECT_EQ(light.functions(0).domain(), spelled);
  EXPECT_EQ(light.functions(0).input(0), spelled);
  EXPECT_EQ(light.functions(0).output(0), spelled);
  EXPECT_EQ(light.functions(0).attribute(0), spelled);
  EXPECT_EQ(light.functions(0).opset_import(0).domain(), spelled);
  EXPECT_EQ(read.node(0).attribute(0).s(), odd);
}

TEST(WireScanner, ReachesTensorsInSubgraphsAndFunctions) {
  onnx::ModelProto model;
  onnx::GraphProto &branch =
      *model.mutable_graph()->add_node()->add_attribute()->mutable_g();
  *branch.add_node()->add_attribute()->mutable_t() = rawTensor("inner", 5000);
  *model.add_functions()->add_node()->add_attribute()->mutable_t() =
      rawTensor("function", 6000);
  std::string bytes = model.SerializeAsString();

  onnx::ModelProto light = scanned(bytes);
  EXPECT_EQ(referenced(
                bytes,
                light.graph().node(0).attribute(0).g().node(0).attribute(0).t())
                .size(),
            5000u);
  EXPECT_EQ(
      referenced(bytes, light.functions(0).node(0).attribute(0).t()).size(),
      6000u);
}

TEST(WireScanner, KeepsEverythingElse) {
  onnx::ModelProto model;
  model.set_ir_version(8);
  model.set_doc_string(std::string(5000, 'd'));
  model.mutable_graph()->add_input()->set_name("x");
  model.mutable_graph()->add_node()->add_input("x");
  std::string bytes = model.SerializeAsString();
  EXPECT_EQ(scanned(bytes).SerializeAsString(), bytes);
}

// Every prefix of a model either scans (it ends between fields) or fails; none
// reads beyond its end, which the address sanitizer would report.
TEST(WireScanner, SurvivesTruncation) {
  onnx::ModelProto model;
  *model.mutable_graph()->add_initializer() = rawTensor("w", 2000);
  model.mutable_graph()->add_node()->set_op_type("Relu");
  std::string bytes = model.SerializeAsString();
  size_t failures = 0;
  for (size_t size = 1; size < bytes.size(); ++size) {
    std::string prefix = bytes.substr(0, size);
    failures += !scanFailure(prefix).empty();
  }
  EXPECT_GT(failures, bytes.size() - 10);
}

TEST(WireScanner, RefusesLengthsBeyondTheParent) {
  // Field 7 (graph) of 4 bytes, in it field 5 (initializer) of 100 bytes.
  EXPECT_NE(scanFailure(StringRef("\x3a\x04\x2a\x64\x00\x00", 6))
                .find("field of 100 bytes where 2 are left at byte 4"),
            std::string::npos);
}

TEST(WireScanner, RefusesEndlessNumbers) {
  EXPECT_NE(scanFailure(std::string(11, '\xff')).find("number of more than 64 bits"),
            std::string::npos);
}

TEST(WireScanner, RefusesWhatIsNoField) {
  EXPECT_EQ(scanFailure(StringRef("\0", 1)),
            "not an ONNX model: field number 0 at byte 1");
  EXPECT_EQ(scanFailure("\x08\x80"),
            "not an ONNX model: truncated number at byte 2");
}

TEST(WireScanner, RefusesGroups) {
  EXPECT_NE(scanFailure("\x0b").find("unknown wire type 3"), std::string::npos);
}

TEST(WireScanner, RefusesDeepNesting) {
  onnx::ModelProto model;
  onnx::GraphProto *graph = model.mutable_graph();
  for (int depth = 0; depth < 60; ++depth)
    graph = graph->add_node()->add_attribute()->mutable_g();
  graph->set_name("innermost");
  EXPECT_NE(scanFailure(model.SerializeAsString()).find("messages nested deeper than"),
            std::string::npos);
}

} // namespace
