#include "lib/Importer/Onnx/ModelReader.h"
#include "llvm/ADT/SmallString.h"
#include "llvm/Support/FileSystem.h"
#include "llvm/Support/Path.h"
#include "llvm/Support/raw_ostream.h"
#include "gtest/gtest.h"

#include <sys/resource.h>

using namespace tessera::onnx_importer;
using onnx::TensorProto;

namespace {

/// A temporary folder to put models in.
class ModelReader : public testing::Test {
protected:
  void SetUp() override {
    ASSERT_FALSE(llvm::sys::fs::createUniqueDirectory("reader", folder));
  }
  void TearDown() override { llvm::sys::fs::remove_directories(folder); }

  std::string write(const std::string &name, const std::string &bytes) {
    llvm::SmallString<128> path = folder;
    llvm::sys::path::append(path, name);
    std::error_code code;
    llvm::raw_fd_ostream(path, code) << bytes;
    EXPECT_FALSE(code);
    return path.str().str();
  }

  std::string readFailure(const std::string &name, const std::string &bytes) {
    auto model = readModel(write(name, bytes));
    return model ? "" : llvm::toString(model.takeError());
  }

  /// A model in the folder, without content, for tensors to belong to.
  OnnxModel emptyModel() {
    OnnxModel model;
    model.path = (folder + "/model.onnx").str();
    return model;
  }

  std::string bytesFailure(const TensorProto &tensor) {
    auto bytes = tensorBytes(tensor, emptyModel());
    return bytes ? "" : llvm::toString(bytes.takeError());
  }

  llvm::SmallString<128> folder;
};

TensorProto externalTensor(const std::string &location, uint64_t elements,
                           uint64_t offset) {
  TensorProto tensor;
  tensor.set_name("w");
  tensor.set_data_type(TensorProto::FLOAT);
  tensor.add_dims(elements);
  tensor.set_data_location(TensorProto::EXTERNAL);
  auto add = [&](const std::string &key, const std::string &value) {
    auto *entry = tensor.add_external_data();
    entry->set_key(key);
    entry->set_value(value);
  };
  add("location", location);
  add("offset", std::to_string(offset));
  return tensor;
}

template <typename T> std::string littleEndian(std::initializer_list<T> list) {
  return std::string(reinterpret_cast<const char *>(list.begin()),
                     list.size() * sizeof(T));
}

TEST_F(ModelReader, FindsLargeInitializerInTheModelFile) {
  onnx::ModelProto proto;
  proto.set_ir_version(8);
  TensorProto &w = *proto.mutable_graph()->add_initializer();
  w.set_name("w");
  w.set_data_type(TensorProto::FLOAT);
  w.add_dims(500);
  w.set_raw_data(std::string(1000, 'a') + std::string(1000, 'b'));
  std::string serialized = proto.SerializeAsString();
  std::string path = write("model.onnx", serialized);

  auto model = readModel(path);
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  auto bytes = tensorBytes((*model)->proto.graph().initializer(0), **model);
  ASSERT_TRUE(bool(bytes)) << llvm::toString(bytes.takeError());
  EXPECT_EQ(bytes->file, path);
  EXPECT_EQ(serialized.substr(bytes->offset, bytes->bytes), w.raw_data());
}

// The reader must not hold weights: a sparse file of 3 GiB costs nothing.
TEST_F(ModelReader, ReadsThreeGigabytesInLittleMemory) {
  constexpr uint64_t payload = 3ull << 30;
  // ModelProto { graph { initializer { dims data_type raw_data } } }, lengths
  // written by hand: Protobuf cannot serialise so much.
  auto varint = [](uint64_t value) {
    std::string out;
    for (; value >= 0x80; value >>= 7)
      out.push_back(static_cast<char>(value | 0x80));
    return out + static_cast<char>(value);
  };
  std::string tensor =
      "\x08" + varint(payload) + "\x10\x02" + "\x4a" + varint(payload);
  std::string graph = "\x2a" + varint(tensor.size() + payload) + tensor;
  std::string head = "\x3a" + varint(graph.size() + payload) + graph;
  std::string path = write("model.onnx", head);
  ASSERT_EQ(truncate(path.c_str(), head.size() + payload), 0);

  auto model = readModel(path);
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  auto bytes = tensorBytes((*model)->proto.graph().initializer(0), **model);
  ASSERT_TRUE(bool(bytes)) << llvm::toString(bytes.takeError());
  EXPECT_EQ(bytes->offset, head.size());
  EXPECT_EQ(bytes->bytes, payload);
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  EXPECT_LT(usage.ru_maxrss, 1 << 20) << "peak memory in KiB";
}

TEST_F(ModelReader, ReadsTextFormat) {
  auto model = readModel(write("model.onnxtxt", R"(
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[n, 4] x) => (float[n, 4] y) { y = Tanh(x) })"));
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  EXPECT_EQ((*model)->proto.graph().node(0).op_type(), "Tanh");
  EXPECT_TRUE((*model)->findings.empty());
}

TEST_F(ModelReader, InlinesLocalFunctions) {
  auto model = readModel(write("model.onnxtxt", R"(
    <ir_version: 8, opset_import: ["" : 17, "local" : 1]>
    g (float[n] x) => (float[n] y) { y = local.twice(x) }
    <domain: "local", opset_import: ["" : 17]>
    twice (a) => (b) { b = Add(a, a) })"));
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  ASSERT_EQ((*model)->proto.graph().node_size(), 1);
  EXPECT_EQ((*model)->proto.graph().node(0).op_type(), "Add");
}

TEST_F(ModelReader, RefusesRecursiveFunctions) {
  EXPECT_NE(readFailure("model.onnxtxt", R"(
    <ir_version: 8, opset_import: ["" : 17, "local" : 1]>
    g (float[n] x) => (float[n] y) { y = local.f(x) }
    <domain: "local", opset_import: ["" : 17, "local" : 1]>
    f (a) => (b) { b = local.f(a) })")
                .find("cannot inline the model's functions"),
            std::string::npos);
}

TEST_F(ModelReader, ReportsEveryNodeTheCheckerFindsFaultWith) {
  auto model = readModel(write("model.onnxtxt", R"(
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[n] x) => (float[n] y) { t = Frobnicate(x) y = Tanh(t, t) })"));
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  EXPECT_EQ((*model)->findings.size(), 2u);
}

// The checker must not look for what the scanner refers to, nor for files of the
// model's: an attribute, a list of them, a subgraph.
TEST_F(ModelReader, TheCheckerSeesNoFiles) {
  TensorProto large;
  large.set_data_type(TensorProto::FLOAT);
  large.add_dims(1000);
  large.set_raw_data(std::string(4000, 'a'));
  onnx::ModelProto proto;
  proto.set_ir_version(8);
  proto.add_opset_import()->set_version(17);
  onnx::GraphProto &graph = *proto.mutable_graph();
  auto addConstant = [](onnx::GraphProto &graph, const TensorProto &tensor) {
    onnx::NodeProto &node = *graph.add_node();
    node.set_op_type("Constant");
    node.add_output(graph.name() + std::to_string(graph.node_size()));
    onnx::AttributeProto &value = *node.add_attribute();
    value.set_name("value");
    value.set_type(onnx::AttributeProto::TENSOR);
    *value.mutable_t() = tensor;
  };
  addConstant(graph, large);
  addConstant(graph, externalTensor("nowhere.bin", 20, 16));
  onnx::NodeProto &branch = *graph.add_node();
  branch.set_op_type("If");
  branch.add_input("1");
  branch.add_output("y");
  for (const char *name : {"then_branch", "else_branch"}) {
    onnx::AttributeProto &attribute = *branch.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto::GRAPH);
    attribute.mutable_g()->set_name(name);
    addConstant(*attribute.mutable_g(), large);
    attribute.mutable_g()->add_output()->set_name(std::string(name) + "1");
    TensorProto weight = large;
    weight.set_name("w");
    *attribute.mutable_g()->add_initializer() = weight;
  }
  auto model = readModel(write("model.onnx", proto.SerializeAsString()));
  ASSERT_TRUE(bool(model)) << llvm::toString(model.takeError());
  EXPECT_EQ((*model)->findings, std::vector<std::string>{});
}

TEST_F(ModelReader, RefusesWhatIsNoModel) {
  EXPECT_NE(readFailure("model.onnx", "hello").find("not an ONNX model: "),
            std::string::npos);
  EXPECT_NE(
      readFailure("empty.onnx", "").find("not an ONNX model: it has no graph"),
      std::string::npos);
  // A field whose number has more bits than protobuf reads.
  EXPECT_NE(readFailure("wide.onnx", std::string("\x80\x80\x80\x80\x80\x01\0", 7))
                .find("not an ONNX model: the fields do not form a ModelProto"),
            std::string::npos);
  EXPECT_NE(readFailure("model.onnxtxt", "hello").find("text format"),
            std::string::npos);
  auto missing = readModel((folder + "/missing.onnx").str());
  ASSERT_FALSE(bool(missing));
  EXPECT_NE(llvm::toString(missing.takeError()).find("missing.onnx"),
            std::string::npos);
}

TEST_F(ModelReader, NormalisesEveryField) {
  auto contents = [&](const TensorProto &tensor) {
    auto bytes = tensorBytes(tensor, emptyModel());
    EXPECT_TRUE(bool(bytes)) << llvm::toString(bytes.takeError());
    return bytes ? bytes->contents : "";
  };
  TensorProto tensor;
  tensor.add_dims(2);
  tensor.set_data_type(TensorProto::INT64);
  tensor.add_int64_data(-1);
  tensor.add_int64_data(5);
  EXPECT_EQ(contents(tensor), littleEndian<int64_t>({-1, 5}));

  tensor.set_data_type(TensorProto::INT16);
  tensor.add_int32_data(-2);
  tensor.add_int32_data(300);
  EXPECT_EQ(contents(tensor), littleEndian<int16_t>({-2, 300}));

  tensor.set_data_type(TensorProto::FLOAT);
  tensor.add_float_data(1.5f);
  tensor.add_float_data(-2.0f);
  EXPECT_EQ(contents(tensor), littleEndian<float>({1.5f, -2.0f}));

  tensor.set_data_type(TensorProto::UINT4);
  tensor.clear_int32_data();
  tensor.add_int32_data(0x21);
  EXPECT_EQ(contents(tensor), "\x21");
}

TEST_F(ModelReader, RefusesTensorsOfAnotherSize) {
  TensorProto tensor;
  tensor.set_name("w");
  tensor.set_data_type(TensorProto::FLOAT);
  tensor.add_dims(3);
  tensor.set_raw_data("12345678");
  EXPECT_EQ(bytesFailure(tensor), "tensor 'w': expects 12 bytes of data by its "
                                  "dims and type but got 8");
  tensor.add_dims(-1);
  EXPECT_EQ(bytesFailure(tensor),
            "tensor 'w': dims do not give a number of elements");
  tensor.set_dims(1, int64_t(1) << 62);
  EXPECT_EQ(bytesFailure(tensor),
            "tensor 'w': dims do not give a number of bytes");
  tensor.set_data_type(TensorProto::STRING);
  EXPECT_EQ(bytesFailure(tensor),
            "tensor 'w': element type string is not supported");
}

TEST_F(ModelReader, FindsExternalData) {
  std::string path = write("weights.bin", std::string(100, 'w'));
  auto bytes = tensorBytes(externalTensor("weights.bin", 20, 16), emptyModel());
  ASSERT_TRUE(bool(bytes)) << llvm::toString(bytes.takeError());
  EXPECT_EQ(bytes->file, path);
  EXPECT_EQ(bytes->offset, 16u);
  EXPECT_EQ(bytes->bytes, 80u);
}

TEST_F(ModelReader, RefusesExternalDataOutsideTheFolder) {
  for (const char *location : {"/etc/passwd", "../w", "a/../../w"})
    EXPECT_NE(bytesFailure(externalTensor(location, 1, 0))
                  .find("tensor 'w': external data at '" +
                        std::string(location) +
                        "' is outside of the model's folder"),
              std::string::npos);
}

TEST_F(ModelReader, RefusesExternalDataThatIsNoFile) {
  ASSERT_FALSE(llvm::sys::fs::create_directory(folder + "/weights"));
  EXPECT_EQ(bytesFailure(externalTensor("weights", 1, 0)),
            "tensor 'w': external data at '" + (folder + "/weights").str() +
                "' is not a file");
}

TEST_F(ModelReader, RefusesExternalDataThatContradictsItself) {
  TensorProto tensor = externalTensor("weights.bin", 3, 0);
  auto *length = tensor.add_external_data();
  length->set_key("length");
  length->set_value("16");
  EXPECT_EQ(bytesFailure(tensor), "tensor 'w': expects 12 bytes of data by its "
                                  "dims and type but got 16");
  length->set_key("location");
  EXPECT_EQ(bytesFailure(tensor),
            "tensor 'w': external data has a second or unreadable location");
  tensor.mutable_external_data()->RemoveLast();
  tensor.mutable_external_data(0)->set_key("checksum");
  EXPECT_EQ(bytesFailure(tensor),
            "tensor 'w': external data names no location");
}

TEST_F(ModelReader, RefusesMissingOrShortExternalData) {
  EXPECT_NE(
      bytesFailure(externalTensor("missing.bin", 1, 0)).find("No such file"),
      std::string::npos);
  write("weights.bin", std::string(100, 'w'));
  EXPECT_NE(bytesFailure(externalTensor("weights.bin", 25, 4))
                .find("ends at byte 100 but 100 bytes at 4 are needed"),
            std::string::npos);
  EXPECT_NE(bytesFailure(externalTensor("weights.bin", 1, UINT64_MAX))
                .find("ends at byte 100"),
            std::string::npos);
}

} // namespace
