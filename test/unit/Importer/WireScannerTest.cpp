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
  for (int i = 0; i < 1000; ++i)
    tensor.add_float_data(i);
  std::string bytes = model.SerializeAsString();

  const onnx::ModelProto light = scanned(bytes);
  std::string data = referenced(bytes, light.graph().initializer(0));
  ASSERT_EQ(data.size(), 4000u);
  EXPECT_EQ(memcmp(data.data(), tensor.float_data().data(), data.size()), 0);
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
  EXPECT_NE(scanFailure(std::string(11, '\xff')).find("more than 64 bits"),
            std::string::npos);
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
  EXPECT_NE(scanFailure(model.SerializeAsString()).find("nested deeper"),
            std::string::npos);
}

} // namespace
