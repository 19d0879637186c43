// Libraries as a loader without our runtime sees them: plain dlopen, the table,
// the weights and a run with a context filled by hand.
#include "Pipeline/LibraryFixture.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

using namespace mlir;
using namespace tessera;

namespace {

TEST_F(LibraryTest, SeveralCpusShareTheWeightsOfOneLayout) {
  std::string one = source;
  one.replace(one.find("WEIGHTS"), 7, file("weights.bin"));
  std::string other = one; // not transposed: another layout of @w
  const std::string transpose = "#graph.transpose<[1, 0]>, ";
  other.erase(other.find(transpose), transpose.size());
  auto first = parseSourceString<ModuleOp>(one, &context);
  auto second = parseSourceString<ModuleOp>(other, &context);
  auto third = parseSourceString<ModuleOp>(one, &context);
  ASSERT_TRUE(first && second && third);
  ASSERT_TRUE(succeeded(write({codeFor(*first, "x86-64-v2", R"({"cpu": 2})"),
                               codeFor(*second, "x86-64-v3", R"({"cpu": 3})"),
                               codeFor(*third, "x86-64-v4", R"({"cpu": 4})")})));

  const TesseraModule *module = load();
  ASSERT_TRUE(module);
  EXPECT_STREQ(module->targets[0].cpu, "x86-64-v2");
  ASSERT_EQ(module->alternateCount, 2u);
  const TesseraModule &v3 = *module->alternates[0], &v4 = *module->alternates[1];
  EXPECT_STREQ(v3.targets[0].cpu, "x86-64-v3");
  EXPECT_STREQ(v4.targets[0].cpu, "x86-64-v4");
  EXPECT_STREQ(v3.manifest, R"({"cpu": 3})");
  EXPECT_EQ(v3.size, sizeof(TesseraModule));
  EXPECT_EQ(v3.alternateCount, 0u);
  EXPECT_STREQ(v3.entries[0].name, "main_entry");
  EXPECT_NE(v3.entries[0].run, module->entries[0].run);
  EXPECT_EQ(dlsym(handle, "tessera_module_1"), nullptr); // not exported

  // @flags and @w of the first and third, then the second's @w.
  std::string bytes = expectedBytes();
  bytes.append(64, '\0');
  std::memcpy(&bytes[128], fileWeights.data(), 16);
  EXPECT_EQ(module->weights.bytes, bytes.size());
  EXPECT_EQ(v3.weights.bytes, bytes.size());
  const std::string library = read(options.outputPath);
  EXPECT_EQ(library.substr(library.size() - sizeof(TesseraWeightsMark) -
                               bytes.size(),
                           bytes.size()),
            bytes);

  // Each reads its own: y = x + 2 w.
  auto run = [&](const TesseraModule &table) {
    std::vector<float> x(4, 1.0f), y(4), arena(16);
    const int64_t symbols[] = {1, 2}, offsets[] = {0};
    void *inputs[] = {x.data(), nullptr}, *outputs[] = {y.data()};
    TesseraContext run{};
    run.size = sizeof run;
    run.symbols = symbols;
    run.inputs = inputs;
    run.outputs = outputs;
    run.weights = library.data() + library.size() -
                  sizeof(TesseraWeightsMark) - bytes.size();
    run.arena = reinterpret_cast<char *>(arena.data());
    run.offsets = offsets;
    run.maxWorkers = 1;
    run.parallelFor = [](void *, TesseraTask task, void *captures,
                         int64_t tasks) {
      for (int64_t i = 0; i < tasks; ++i)
        task(captures, i, 0);
    };
    EXPECT_EQ(table.entries[0].run(&run), 0);
    return y;
  };
  EXPECT_EQ(run(*module), (std::vector<float>{3, 7, 5, 9}));
  if (__builtin_cpu_supports("avx2")) {
    EXPECT_EQ(run(v3), (std::vector<float>{3, 5, 7, 9}));
  }
}

TEST_F(LibraryTest, TableHasTheLayoutOfTheAbi) {
  ASSERT_TRUE(succeeded(compile())) << messages;
  const TesseraModule *module = load();
  ASSERT_TRUE(module);
  EXPECT_EQ(module->size, sizeof(TesseraModule));
  EXPECT_EQ(module->abiVersion, unsigned(TESSERA_ABI_VERSION));
  EXPECT_STREQ(module->producer, "tessera");
  EXPECT_STREQ(module->manifest, R"({"test": true})");
  ASSERT_EQ(module->targetCount, 1u);
  EXPECT_STREQ(module->targets[0].architecture, "x86-64");
  EXPECT_STREQ(module->targets[0].cpu, "x86-64-v3");
  EXPECT_TRUE(strstr(module->targets[0].features, "avx2"));
  EXPECT_FALSE(strstr(module->targets[0].features, "avx512"));
  EXPECT_FALSE(strchr(module->targets[0].features, '+'));

  ASSERT_EQ(module->entryCount, 1u);
  const TesseraEntry &entry = module->entries[0];
  EXPECT_EQ(entry.size, sizeof(TesseraEntry));
  EXPECT_STREQ(entry.name, "main_entry");
  ASSERT_EQ(entry.inputCount, 2u);
  ASSERT_EQ(entry.outputCount, 1u);
  ASSERT_EQ(entry.symbolCount, 2u);
  ASSERT_EQ(entry.valueCount, 1u);
  EXPECT_EQ(entry.tapCount, 0u);

  const TesseraPort &x = entry.inputs[0], &mask = entry.inputs[1];
  EXPECT_EQ(x.size, sizeof(TesseraPort));
  EXPECT_EQ(x.kind, unsigned(TESSERA_TENSOR));
  EXPECT_STREQ(x.name, "x");
  EXPECT_EQ(x.type.code, 2);
  EXPECT_EQ(x.type.bits, 32);
  EXPECT_EQ(x.rank, 2);
  EXPECT_EQ(x.alias, -1);
  EXPECT_EQ(x.dims[0].stepCount, 1);
  EXPECT_EQ(x.dims[0].steps[0].op, TESSERA_SIZE_SYMBOL);
  EXPECT_EQ(x.dims[0].steps[0].operand, 0);
  EXPECT_EQ(x.dims[1].steps[0].op, TESSERA_SIZE_CONSTANT);
  EXPECT_EQ(x.dims[1].steps[0].operand, 4);
  EXPECT_STREQ(mask.name, "mask");
  EXPECT_EQ(mask.type.code, 1);
  EXPECT_EQ(mask.type.bits, 8);
  EXPECT_EQ(mask.alias, 0);

  // s0 * 2 + s1 floordiv 3
  const TesseraSize &size = entry.outputs[0].dims[0];
  std::vector<std::pair<int64_t, int64_t>> program;
  for (int64_t i = 0; i < size.stepCount; ++i)
    program.push_back({size.steps[i].op, size.steps[i].operand});
  std::vector<std::pair<int64_t, int64_t>> expected = {
      {TESSERA_SIZE_SYMBOL, 0},   {TESSERA_SIZE_CONSTANT, 2},
      {TESSERA_SIZE_MUL, 0},      {TESSERA_SIZE_SYMBOL, 1},
      {TESSERA_SIZE_CONSTANT, 3}, {TESSERA_SIZE_FLOORDIV, 0},
      {TESSERA_SIZE_ADD, 0}};
  EXPECT_EQ(program, expected);

  EXPECT_EQ(entry.symbols[1].size, sizeof(TesseraSymbol));
  EXPECT_STREQ(entry.symbols[1].name, "length");
  EXPECT_EQ(entry.symbols[1].min, 1);
  EXPECT_EQ(entry.symbols[1].typical, 2);
  EXPECT_EQ(entry.symbols[1].max, 9);
  EXPECT_EQ(entry.values[0].size, sizeof(TesseraValue));
  EXPECT_EQ(entry.values[0].bytes.stepCount, 3);
  EXPECT_EQ(entry.values[0].firstUse, 0);
  EXPECT_EQ(entry.values[0].lastUse, 1);
}

TEST_F(LibraryTest, AppendedWeightsHaveTheirMark) {
  ASSERT_TRUE(succeeded(compile())) << messages;
  const TesseraModule *module = load();
  ASSERT_TRUE(module);
  EXPECT_EQ(module->weights.size, sizeof(TesseraWeights));
  EXPECT_EQ(module->weights.place, unsigned(TESSERA_WEIGHTS_APPENDED));
  EXPECT_EQ(module->weights.bytes, 128u);

  std::string library = read(options.outputPath);
  TesseraWeightsMark mark;
  std::memcpy(&mark, library.data() + library.size() - sizeof mark, sizeof mark);
  EXPECT_EQ(std::string(mark.magic, 8), TESSERA_WEIGHTS_MAGIC);
  EXPECT_EQ(mark.offset % 4096, 0u);
  ASSERT_EQ(mark.offset + mark.bytes + sizeof mark, library.size());
  EXPECT_EQ(mark.hash, module->weights.hash);
  std::string bytes = library.substr(mark.offset, mark.bytes);
  EXPECT_EQ(bytes, expectedBytes());
  EXPECT_EQ(XXH64(bytes.data(), bytes.size(), 0), mark.hash);
}

TEST_F(LibraryTest, WeightsBesideTheLibrary) {
  options.weightPlace = TESSERA_WEIGHTS_FILE;
  ASSERT_TRUE(succeeded(compile())) << messages;
  const TesseraModule *module = load();
  ASSERT_TRUE(module);
  EXPECT_EQ(module->weights.place, unsigned(TESSERA_WEIGHTS_FILE));
  std::string library = read(options.outputPath + ".weights");
  TesseraWeightsMark mark;
  ASSERT_GE(library.size(), sizeof mark);
  std::memcpy(&mark, library.data(), sizeof mark);
  EXPECT_EQ(std::string(mark.magic, 8), TESSERA_WEIGHTS_MAGIC);
  EXPECT_EQ(mark.offset, 4096u);
  EXPECT_EQ(library.substr(mark.offset), expectedBytes());
  EXPECT_EQ(mark.hash, module->weights.hash);
  EXPECT_EQ(XXH64(library.data() + 4096, 128, 0), mark.hash);
}

TEST_F(LibraryTest, WeightsLeftOutAreStillHashed) {
  options.weightPlace = TESSERA_WEIGHTS_NONE;
  ASSERT_TRUE(succeeded(compile())) << messages;
  const TesseraModule *module = load();
  ASSERT_TRUE(module);
  EXPECT_EQ(module->weights.place, unsigned(TESSERA_WEIGHTS_NONE));
  EXPECT_EQ(module->weights.bytes, 128u);
  std::string bytes = expectedBytes();
  EXPECT_EQ(module->weights.hash, XXH64(bytes.data(), bytes.size(), 0));
}

int64_t parallelCalls;

void runInOrder(void *pool, TesseraTask task, void *captures, int64_t tasks) {
  ++parallelCalls;
  for (int64_t i = tasks - 1; i >= 0; --i)
    task(captures, i, 0);
}

TEST_F(LibraryTest, Runs) {
  if (!__builtin_cpu_supports("avx2"))
    GTEST_SKIP() << "needs AVX2";
  ASSERT_TRUE(succeeded(compile())) << messages;
  const TesseraModule *module = load();
  ASSERT_TRUE(module);
  std::string weightBytes = expectedBytes();
  for (int64_t rows : {0, 1, 3}) {
    std::vector<float> x(rows * 4, 10), y(rows * 4, -1), t(rows * 4 + 16);
    std::vector<int64_t> symbols = {rows, 2}, offsets = {0};
    void *inputs[] = {x.data(), nullptr}, *outputs[] = {y.data()};
    TesseraContext context = {};
    context.size = sizeof context;
    context.symbols = symbols.data();
    context.inputs = inputs;
    context.outputs = outputs;
    context.weights = weightBytes.data();
    context.arena = reinterpret_cast<char *>(t.data());
    context.offsets = offsets.data();
    context.parallelFor = runInOrder;
    context.maxWorkers = 1;
    parallelCalls = 0;
    ASSERT_EQ(module->entries[0].run(&context), 0);
    // One task or none is run without the pool.
    EXPECT_EQ(parallelCalls, rows > 1 ? 2 : 0);
    for (int64_t i = 0; i < rows * 4; ++i)
      EXPECT_EQ(y[i], 10 + 2 * weights[i % 4]) << "rows " << rows;
  }
}

TEST_F(LibraryTest, SameBytesWhateverTheName) {
  ASSERT_TRUE(succeeded(compile())) << messages;
  std::string first = read(options.outputPath);
  options.outputPath = file("another-name.so");
  ASSERT_TRUE(succeeded(compile())) << messages;
  EXPECT_EQ(read(options.outputPath), first);
}

} // namespace
