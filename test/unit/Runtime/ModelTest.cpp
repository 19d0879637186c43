// Loading: whole models, and every way in which one can be damaged.
#include "Fixture.h"

#define XXH_INLINE_ALL
#include <gtest/gtest.h>
#include <xxhash.h>

using namespace tessera::runtime;

namespace {

/// The error of loading `path`; code and text without the path's folder.
std::string loadError(const std::string &path, TesseraStatus code,
                      TesseraLoadOptions options = {}) {
  Result<std::shared_ptr<const Model>> model = Model::load(path, options);
  EXPECT_FALSE(model.ok());
  Status status = model.takeStatus();
  EXPECT_EQ(status.code(), code) << status.message();
  return status.message();
}

bool has(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

#define EXPECT_HAS(text, part) EXPECT_TRUE(has(text, part)) << (text)

class ModelTest : public testing::Test {
protected:
  std::string whole() {
    return folder.write("model.so", fixture::withWeights("add"));
  }
  TemporaryFolder folder;
};

TEST_F(ModelTest, FixtureHashIsTheWeights) {
  EXPECT_EQ(XXH64(fixture::weights, sizeof fixture::weights, 0),
            fixture::weightHash);
}

TEST_F(ModelTest, Loads) {
  Result<std::shared_ptr<const Model>> model = Model::load(whole(), {});
  ASSERT_TRUE(model.ok()) << model.takeStatus().message();
  EXPECT_EQ((*model)->entries().size(), 4u);
  EXPECT_EQ(std::memcmp((*model)->weights(), fixture::weights, 16), 0);
  const Entry &entry = (*model)->entries().front();
  EXPECT_STREQ(entry.name, "main");
  EXPECT_EQ(entry.typeText(entry.inputs[0]), "float32 (n, 4)");
}

TEST_F(ModelTest, LoadsARelativeNameFromTheWorkingFolder) {
  whole();
  auto before = std::filesystem::current_path();
  std::filesystem::current_path(folder.path);
  EXPECT_TRUE(Model::load("model.so", {}).ok());
  std::filesystem::current_path(before);
}

TEST_F(ModelTest, MissingFile) {
  EXPECT_EQ(loadError("/nowhere/model.so", TESSERA_INVALID_MODEL),
            "cannot open model '/nowhere/model.so': No such file or directory");
}

TEST_F(ModelTest, NoLibrary) {
  std::string path = folder.write("model.onnx", "not a library");
  EXPECT_HAS(loadError(path, TESSERA_INVALID_MODEL),
             "model.onnx' is not a shared library");
  EXPECT_HAS(loadError(folder.path, TESSERA_INVALID_MODEL),
             "' is not a shared library");
}

TEST_F(ModelTest, LibraryForAnotherMachine) {
  std::string bytes = fixture::withWeights("add");
  bytes[18] = char(0xf3); // e_machine: RISC-V
  std::string path = folder.write("riscv.so", bytes);
  EXPECT_HAS(loadError(path, TESSERA_INVALID_MODEL),
             "riscv.so' is not a shared library for x86-64");
}

TEST_F(ModelTest, TruncatedLibrary) {
  // At any length: an error and neither a crash nor a model.
  std::string bytes = fixture::withWeights("add");
  for (size_t length = 0; length < bytes.size(); length += 61) {
    std::string path = folder.write("cut" + std::to_string(length) + ".so",
                                    bytes.substr(0, length));
    Result<std::shared_ptr<const Model>> model = Model::load(path, {});
    ASSERT_FALSE(model.ok()) << length;
  }
  std::string path = folder.write("cut.so", bytes.substr(0, 2000));
  EXPECT_HAS(loadError(path, TESSERA_INVALID_MODEL),
             "cut.so' is truncated: it has only 2000 bytes");
}

TEST_F(ModelTest, LibraryThatTheLoaderRefuses) {
  std::string bytes = fixture::withWeights("add");
  bytes[6] = 77; // EI_VERSION
  std::string path = folder.write("odd.so", bytes);
  EXPECT_HAS(loadError(path, TESSERA_INVALID_MODEL),
             "odd.so' is not a loadable library: ");
}

TEST_F(ModelTest, MissingSymbol) {
  EXPECT_HAS(loadError(fixture::library("no-symbol"), TESSERA_INVALID_MODEL),
             "' is not a compiled model: it has no symbol 'tessera_module'");
}

TEST_F(ModelTest, OtherAbiVersion) {
  EXPECT_HAS(loadError(fixture::library("other-abi"), TESSERA_INVALID_MODEL),
             "': expects ABI version 3 but the model has 99; compile it again");
}

TEST_F(ModelTest, MissingFeature) {
  EXPECT_HAS(loadError(fixture::library("missing-feature"),
                       TESSERA_UNSUPPORTED_MACHINE),
             "': needs CPU features that this machine lacks: tbm;");
}

TEST_F(ModelTest, UnknownFeature) {
  EXPECT_HAS(loadError(fixture::library("unknown-feature"),
                       TESSERA_UNSUPPORTED_MACHINE),
             "': needs CPU features that this runtime does not know: avx4096");
}

TEST_F(ModelTest, OtherMachine) {
  EXPECT_HAS(
      loadError(fixture::library("other-machine"), TESSERA_UNSUPPORTED_MACHINE),
      "': is for architecture 'riscv64' but this machine is 'x86-64'");
}

TEST_F(ModelTest, SequencesAreRefusedByName) {
  EXPECT_HAS(loadError(fixture::library("sequence"), TESSERA_INVALID_MODEL),
             "entry 'main': input 'x' is a sequence, which this runtime does "
             "not support");
}

TEST_F(ModelTest, BadLifeTime) {
  EXPECT_HAS(
      loadError(fixture::library("bad-life-time"), TESSERA_INVALID_MODEL),
      "entry 'main': value 0 is used first at 0 and last at -1");
}

TEST_F(ModelTest, InspectsWhatItCannotRun) {
  for (const char *name : {"missing-feature", "other-machine", "weight-file"}) {
    Result<std::shared_ptr<const Model>> model =
        Model::inspect(fixture::library(name));
    ASSERT_TRUE(model.ok()) << model.takeStatus().message();
    EXPECT_HAS((*model)->describe(), "  input   x: float32 (n, 4)\n");
  }
  EXPECT_HAS(
      Model::inspect(fixture::library("other-abi")).takeStatus().message(),
      "': expects ABI version 3 but the model has 99");
}

TEST_F(ModelTest, Describes) {
  Result<std::shared_ptr<const Model>> model = Model::load(whole(), {});
  ASSERT_TRUE(model.ok());
  std::string text = (*model)->describe();
  EXPECT_HAS(text, R"(entry     main
  input   x: float32 (n, 4)
  input   y: float32 (n, 4)
  output  z: float32 (n, 4)
  tap     sum: float32 (n, 4)
  size    n: from 0 to 100000, typically 8
  storage 1 values in 128 bytes (128 bytes alive at once) at typical sizes and 1 thread
entry     pick
  input   x: float32 (n, 4)
  input   index: int64 ()
  output  row: float32 (4)
  size    n: from 0 to 100000, typically 8
  storage 0 values in 0 bytes (0 bytes alive at once) at typical sizes and 1 thread
entry     where
  input   x: float32 (n, 4)
  output  addresses: int64 (2)
  size    n: from 0 to 100000, typically 8
  storage 0 values in 0 bytes (0 bytes alive at once) at typical sizes and 1 thread
entry     fill
  input   shape: int64 (length)
  output  y: float32 (select(shape[0] < 3, shape[0], 3), shape[1])
  size    length: from 0 to 8, typically 2
  storage sizes depend on shape[0], an element of an input
weights   16 bytes at the library's end
code      )");
  EXPECT_HAS(text, R"(needs     x86-64 with sse2 (compiled for x86-64)
producer  tessera by hand
)");
}

// --- Appended weights

TEST_F(ModelTest, AppendedWeightsMissing) {
  std::string path =
      folder.write("bare.so", fixture::readFile(fixture::library("add")));
  EXPECT_HAS(loadError(path, TESSERA_INVALID_WEIGHTS),
             "bare.so' has no weights at its end; was it truncated or "
             "stripped?");
}

TEST_F(ModelTest, AppendedWeightsOutsideTheFile) {
  std::string code =
      fixture::padded(fixture::readFile(fixture::library("add")));
  for (uint64_t offset : {uint64_t(1) << 40, uint64_t(-4096), uint64_t(100)}) {
    std::string path = folder.write("model.so", code + fixture::weightBytes() +
                                                    fixture::markBytes(offset));
    EXPECT_HAS(loadError(path, TESSERA_INVALID_WEIGHTS),
               "model.so' is truncated: expects 16 bytes of weights at ");
  }
}

TEST_F(ModelTest, AppendedWeightsOfAnotherModel) {
  std::string code =
      fixture::padded(fixture::readFile(fixture::library("add")));
  std::string path =
      folder.write("model.so", code + fixture::weightBytes() +
                                   fixture::markBytes(code.size(), 16, 0x1234));
  EXPECT_HAS(loadError(path, TESSERA_INVALID_WEIGHTS),
             "has the weights of another model: expects 16 bytes with hash "
             "88440e3975816c93 but got 16 with hash 1234");
}

TEST_F(ModelTest, AppendedWeightsAreHashedOnRequest) {
  std::string code =
      fixture::padded(fixture::readFile(fixture::library("add")));
  std::string path =
      folder.write("model.so", code + std::string(16, 'x') +
                                   fixture::markBytes(code.size()));
  EXPECT_TRUE(Model::load(path, {}).ok());
  TesseraLoadOptions full{};
  full.verify = TESSERA_VERIFY_FULL;
  EXPECT_HAS(loadError(path, TESSERA_INVALID_WEIGHTS, full),
             "is damaged: the hash of the weights is not the model's");
  EXPECT_TRUE(Model::load(whole(), full).ok());
}

// --- Weights in a file

class WeightFileTest : public ModelTest {
protected:
  std::string model() {
    return folder.write("model.so",
                        fixture::readFile(fixture::library("weight-file")));
  }
  void writeWeights(const std::string &bytes) {
    folder.write("model.so.weights", bytes);
  }
};

TEST_F(WeightFileTest, Loads) {
  writeWeights(fixture::weightFile());
  Result<std::shared_ptr<const Model>> loaded = Model::load(model(), {});
  ASSERT_TRUE(loaded.ok()) << loaded.takeStatus().message();
  EXPECT_EQ(std::memcmp((*loaded)->weights(), fixture::weights, 16), 0);
}

TEST_F(WeightFileTest, Missing) {
  std::string error = loadError(model(), TESSERA_INVALID_WEIGHTS);
  EXPECT_HAS(error, "cannot open weights '");
  EXPECT_HAS(error, "model.so.weights': No such file or directory");
}

TEST_F(WeightFileTest, NoWeightFile) {
  writeWeights(std::string(8192, 'x'));
  EXPECT_HAS(loadError(model(), TESSERA_INVALID_WEIGHTS),
             "has no weights at its beginning; it is no weight file");
  writeWeights("short");
  EXPECT_HAS(loadError(model(), TESSERA_INVALID_WEIGHTS),
             "is too short to hold weights");
}

TEST_F(WeightFileTest, Truncated) {
  std::string bytes = fixture::weightFile();
  writeWeights(bytes.substr(0, bytes.size() - 1));
  EXPECT_HAS(loadError(model(), TESSERA_INVALID_WEIGHTS),
             "is truncated: expects 16 bytes of weights at 4096 but the file "
             "has 4111 bytes");
}

TEST_F(WeightFileTest, DamageIsFoundUnlessOnlyTheMarkIsChecked) {
  std::string bytes = fixture::weightFile();
  bytes.back() ^= 1;
  writeWeights(bytes);
  EXPECT_HAS(loadError(model(), TESSERA_INVALID_WEIGHTS),
             "model.so.weights' is damaged: the hash of the weights");
  TesseraLoadOptions markOnly{};
  markOnly.verify = TESSERA_VERIFY_MARK;
  EXPECT_TRUE(Model::load(model(), markOnly).ok());
}

// --- Weights of the caller

TEST_F(ModelTest, WeightsNotGiven) {
  EXPECT_HAS(
      loadError(fixture::library("weights-given"), TESSERA_INVALID_WEIGHTS),
      "the model comes without its 16 bytes of weights; give them when "
      "loading it");
}

TEST_F(ModelTest, WeightsGivenAsFile) {
  std::string file = folder.write("elsewhere.bin", fixture::weightFile());
  TesseraLoadOptions options{};
  options.weightsPath = file.c_str();
  EXPECT_TRUE(Model::load(fixture::library("weights-given"), options).ok());
  // Also in place of those that the model has.
  EXPECT_TRUE(Model::load(fixture::library("add"), options).ok());
}

TEST_F(ModelTest, WeightsGivenAsMemory) {
  alignas(64) char memory[128] = {};
  std::memcpy(memory, fixture::weights, 16);
  const std::string path = fixture::library("weights-given");
  TesseraLoadOptions options{};
  options.weightsData = memory;
  options.weightsBytes = 16;
  options.verify = TESSERA_VERIFY_FULL;
  EXPECT_TRUE(Model::load(path, options).ok());
  memory[3] ^= 1;
  EXPECT_HAS(loadError(path, TESSERA_INVALID_WEIGHTS, options),
             "the given memory is damaged");
  options.weightsData = memory + 4;
  EXPECT_HAS(loadError(path, TESSERA_INVALID_WEIGHTS, options),
             "expects weights at a multiple of 64 bytes");
  options.weightsBytes = 17;
  EXPECT_HAS(loadError(path, TESSERA_INVALID_WEIGHTS, options),
             "expects 16 bytes of weights but got 17");
}

} // namespace
