// Running: what a session tells and computes, through the C API.
#include "SessionFixture.h"

#include <future>
#include <sys/wait.h>
#include <unistd.h>

namespace {

TEST_F(SessionTest, LayoutIsDlpacks) {
  // Of DLTensor and DLManagedTensorVersioned on 64-bit machines.
  static_assert(sizeof(TesseraTensor) == 48, "");
  static_assert(offsetof(TesseraTensor, deviceType) == 8, "");
  static_assert(offsetof(TesseraTensor, rank) == 16, "");
  static_assert(offsetof(TesseraTensor, type) == 20, "");
  static_assert(offsetof(TesseraTensor, lanes) == 22, "");
  static_assert(offsetof(TesseraTensor, shape) == 24, "");
  static_assert(offsetof(TesseraTensor, strides) == 32, "");
  static_assert(offsetof(TesseraTensor, byteOffset) == 40, "");
  static_assert(offsetof(TesseraManagedTensor, managerContext) == 8, "");
  static_assert(offsetof(TesseraManagedTensor, deleter) == 16, "");
  static_assert(offsetof(TesseraManagedTensor, flags) == 24, "");
  static_assert(offsetof(TesseraManagedTensor, tensor) == 32, "");
  static_assert(offsetof(TesseraLegacyManagedTensor, managerContext) == 48, "");
}

TEST_F(SessionTest, DescribesPorts) {
  EXPECT_EQ(tessera_session_port_count(session, TESSERA_INPUTS), 2);
  EXPECT_EQ(tessera_session_port_count(session, TESSERA_OUTPUTS), 1);
  EXPECT_EQ(tessera_session_port_count(session, TESSERA_TAPS), 1);
  TesseraPortInfo info{};
  info.size = sizeof info;
  ASSERT_EQ(tessera_session_port(session, TESSERA_INPUTS, 1, &info),
            TESSERA_OK);
  EXPECT_STREQ(info.name, "y");
  EXPECT_STREQ(tessera_type_name(info.type), "float32");
  ASSERT_EQ(info.rank, 2);
  EXPECT_EQ(info.dims[0], -1);
  EXPECT_STREQ(info.symbols[0], "n");
  EXPECT_EQ(info.dims[1], 4);
  EXPECT_EQ(info.symbols[1], nullptr);
  EXPECT_EQ(tessera_session_port(session, TESSERA_INPUTS, 2, &info),
            TESSERA_INVALID_ARGUMENT);
  EXPECT_STREQ(tessera_error_message(),
               "expects a port index below 2 but got 2");
}

TEST_F(SessionTest, DescribesSymbols) {
  ASSERT_EQ(tessera_session_symbol_count(session), 1);
  TesseraSymbolInfo info{};
  info.size = sizeof info;
  ASSERT_EQ(tessera_session_symbol(session, 0, &info), TESSERA_OK);
  EXPECT_STREQ(info.name, "n");
  EXPECT_EQ(info.min, 0);
  EXPECT_EQ(info.typical, 8);
  EXPECT_EQ(info.max, 100000);
  EXPECT_EQ(tessera_session_symbol(session, 1, &info),
            TESSERA_INVALID_ARGUMENT);
  EXPECT_STREQ(tessera_error_message(),
               "expects a symbol index below 1 but got 1");
}

TEST_F(SessionTest, RunsAtAnySizeAndThreadCount) {
  for (int threads : {0, 1, 2, 7}) {
    TesseraSessionOptions options{};
    options.threads = threads;
    TesseraSession *other = create(options);
    if (threads)
      EXPECT_EQ(tessera_session_threads(other), threads);
    for (int64_t rows : {0, 1, 2, 300}) {
      Matrix a({rows, 4}), b({rows, 4}, 7);
      EXPECT_EQ(add(other, a, b), expectedSum(a, b));
    }
    tessera_session_release(other);
  }
}

TEST_F(SessionTest, BindsByPositionWithoutNames) {
  TesseraInputBinding inputs[] = {{nullptr, &x.tensor}, {nullptr, &y.tensor}};
  TesseraOutputBinding output = {nullptr, nullptr};
  ASSERT_EQ(tessera_session_run(session, inputs, 2, &output, 1), TESSERA_OK);
  tessera_tensor_release(output.tensor);
  // No output wanted: still a run.
  EXPECT_EQ(tessera_session_run(session, inputs, 2, nullptr, 0), TESSERA_OK);
}

TEST_F(SessionTest, UsesTheHostsThreads) {
  struct Host {
    int64_t loops = 0;
    static void run(void *pool, TesseraTask task, void *captures,
                    int64_t tasks) {
      ++static_cast<Host *>(pool)->loops;
      while (tasks-- > 0) // any order
        task(captures, tasks, tasks % 3);
    }
  } host;
  TesseraSessionOptions options{};
  options.parallelFor = Host::run;
  options.pool = &host;
  options.maxWorkers = 3;
  TesseraSession *other = create(options);
  EXPECT_EQ(add(other, x, y), expectedSum(x, y));
  EXPECT_EQ(host.loops, 2);
  EXPECT_EQ(tessera_session_threads(other), 3);
  tessera_session_release(other);
}

TEST_F(SessionTest, AnOlderCallersOptionsAreShorter) {
  struct {
    uint32_t size;
    int32_t threads;
    const char *garbage;
  } old = {8, 2, reinterpret_cast<const char *>(1)};
  TesseraSession *other = nullptr;
  ASSERT_EQ(tessera_session_create(
                model, reinterpret_cast<TesseraSessionOptions *>(&old), &other),
            TESSERA_OK);
  EXPECT_EQ(tessera_session_threads(other), 2);
  tessera_session_release(other);
}

TEST_F(SessionTest, EmptyTensorsNeedNoMemory) {
  Matrix none({0, 4});
  none.tensor.data = nullptr;
  EXPECT_EQ(add(session, none, none), std::vector<float>());
  TesseraInputBinding inputs[] = {{"x", &none.tensor}, {"y", &none.tensor}};
  TesseraOutputBinding output = {"z", nullptr};
  EXPECT_EQ(tessera_session_run(session, inputs, 2, &output, 1), TESSERA_OK);
  EXPECT_EQ(output.tensor->tensor.shape[0], 0);
  tessera_tensor_release(output.tensor);
}

TEST_F(SessionTest, StridedInputsAreCopied) {
  // The transpose of a 4 x 5 matrix.
  Matrix base({4, 5});
  int64_t shape[] = {5, 4}, strides[] = {1, 5};
  TesseraTensor transposed = base.tensor;
  transposed.shape = shape;
  transposed.strides = strides;
  TesseraInputBinding inputs[] = {{"x", &transposed}, {"y", &y.tensor}};
  TesseraOutputBinding output = {"sum", nullptr};
  ASSERT_EQ(tessera_session_run(session, inputs, 2, &output, 1), TESSERA_OK);
  const float *sum = static_cast<float *>(output.tensor->tensor.data);
  for (int row = 0; row < 5; ++row)
    for (int column = 0; column < 4; ++column)
      EXPECT_EQ(sum[row * 4 + column],
                base.data[column * 5 + row] + y.data[row * 4 + column]);
  tessera_tensor_release(output.tensor);
}

TEST_F(SessionTest, OutputInTheCallersMemory) {
  Matrix z({5, 4});
  TesseraManagedTensor managed{};
  managed.tensor = z.tensor;
  TesseraInputBinding inputs[] = {{"x", &x.tensor}, {"y", &y.tensor}};
  TesseraOutputBinding output = {"z", &managed};
  ASSERT_EQ(tessera_session_run(session, inputs, 2, &output, 1), TESSERA_OK);
  EXPECT_EQ(output.tensor, &managed);
  EXPECT_EQ(z.data, expectedSum(x, y));

  z.shape[0] = 4;
  EXPECT_EQ(runError({{"x", &x.tensor}, {"y", &y.tensor}}, {{"z", &managed}}),
            "output 'z' has shape (5, 4) but the given tensor has (4, 4)");
  z.shape[0] = 5;
  int64_t strides[] = {1, 5};
  managed.tensor.strides = strides;
  EXPECT_EQ(runError({{"x", &x.tensor}, {"y", &y.tensor}}, {{"z", &managed}}),
            "output 'z' expects a tensor that is dense row-major and aligned "
            "to its elements");
  managed.tensor = x.tensor;
  EXPECT_EQ(runError({{"x", &x.tensor}, {"y", &y.tensor}}, {{"z", &managed}}),
            "the memory of output 'z' overlaps input 'x'");
}

TEST_F(SessionTest, LegacyTensorsOwnTheirTensor) {
  TesseraInputBinding inputs[] = {{"x", &x.tensor}, {"y", &y.tensor}};
  TesseraOutputBinding output = {"z", nullptr};
  ASSERT_EQ(tessera_session_run(session, inputs, 2, &output, 1), TESSERA_OK);
  TesseraLegacyManagedTensor *legacy = tessera_tensor_to_legacy(output.tensor);
  EXPECT_EQ(legacy->tensor.data, output.tensor->tensor.data);
  legacy->deleter(legacy);
  EXPECT_EQ(tessera_tensor_to_legacy(nullptr), nullptr);
}

TEST_F(SessionTest, CheckInTheModelFails) {
  TesseraSessionOptions options{};
  options.entry = "pick";
  TesseraSession *pick = create(options);
  int64_t index = 9;
  TesseraTensor scalar{};
  scalar.data = &index;
  scalar.deviceType = 1;
  scalar.type = {0, 64};
  scalar.lanes = 1;
  TesseraInputBinding inputs[] = {{"x", &x.tensor}, {"index", &scalar}};
  TesseraOutputBinding output = {"row", nullptr};
  EXPECT_EQ(tessera_session_run(pick, inputs, 2, &output, 1),
            TESSERA_RUN_FAILED);
  EXPECT_STREQ(tessera_error_message(),
               "pick: node 'pick' (Gather): index out of range");
  EXPECT_EQ(output.tensor, nullptr);
  index = 2;
  ASSERT_EQ(tessera_session_run(pick, inputs, 2, &output, 1), TESSERA_OK);
  EXPECT_EQ(static_cast<float *>(output.tensor->tensor.data)[0], 8.0f);
  tessera_tensor_release(output.tensor);
  tessera_session_release(pick);
}

TEST_F(SessionTest, SizesAreComputedOfElements) {
  TesseraSessionOptions options{};
  options.entry = "fill";
  TesseraSession *fill = create(options);
  int64_t numbers[] = {2, -1, 5}, length = 2, stride = 2;
  TesseraTensor shape{};
  shape.data = numbers;
  shape.deviceType = 1;
  shape.rank = 1;
  shape.type = {0, 64};
  shape.lanes = 1;
  shape.shape = &length;
  shape.strides = &stride;
  TesseraInputBinding input = {"shape", &shape};
  auto resultOf = [&](int64_t rows, int64_t width) {
    numbers[0] = rows;
    numbers[2] = width;
    TesseraOutputBinding output = {"y", nullptr};
    EXPECT_EQ(tessera_session_run(fill, &input, 1, &output, 1), TESSERA_OK)
        << tessera_error_message();
    if (!output.tensor)
      return std::vector<float>();
    const TesseraTensor &y = output.tensor->tensor;
    const float *data = static_cast<const float *>(y.data);
    std::vector<float> result(data, data + y.shape[0] * y.shape[1]);
    tessera_tensor_release(output.tensor);
    return result;
  };
  EXPECT_EQ(resultOf(2, 5), std::vector<float>(10, 25.0f));
  EXPECT_EQ(resultOf(9, 1), std::vector<float>(3, 31.0f));
  // The list is too short: its width is 0.
  length = 1;
  EXPECT_EQ(resultOf(2, 5), std::vector<float>());
  length = 2;
  numbers[2] = -4;
  EXPECT_EQ(tessera_session_run(fill, &input, 1, nullptr, 0),
            TESSERA_INVALID_INPUT);
  EXPECT_STREQ(tessera_error_message(),
               "output 'y' of node 'fill' would have size -4 in dimension 1");
  // What its check refuses is neither planned nor run.
  numbers[2] = 10;
  const char *message =
      "fill: node 'fill' (Expand): the columns are too many";
  EXPECT_EQ(tessera_session_run(fill, &input, 1, nullptr, 0),
            TESSERA_RUN_FAILED);
  EXPECT_STREQ(tessera_error_message(), message);
  int64_t sizes[2];
  EXPECT_EQ(tessera_session_output_shape(fill, &input, 1, 0, sizes),
            TESSERA_RUN_FAILED);
  EXPECT_STREQ(tessera_error_message(), message);
  int64_t bytes = 0;
  EXPECT_EQ(tessera_session_storage(fill, &length, 1, &bytes, nullptr),
            TESSERA_INVALID_ARGUMENT);
  EXPECT_STREQ(tessera_error_message(),
               "sizes depend on shape[0], an element of an input");
  tessera_session_release(fill);
}

TEST_F(SessionTest, ReportsStorage) {
  int64_t symbols[] = {10}, bytes = 0, bound = 0;
  ASSERT_EQ(tessera_session_storage(session, symbols, 1, &bytes, &bound),
            TESSERA_OK);
  EXPECT_EQ(bytes, 192); // 160 rounded to 64
  EXPECT_EQ(bound, 192);
  EXPECT_EQ(tessera_session_storage(session, symbols, 2, &bytes, &bound),
            TESSERA_INVALID_ARGUMENT);
  EXPECT_STREQ(tessera_error_message(), "expects 1 symbol sizes but got 2");
}

TEST_F(SessionTest, ModelMayBeReleasedFirst) {
  tessera_model_release(model);
  model = nullptr;
  EXPECT_EQ(add(session, x, y), expectedSum(x, y));
}

TEST_F(SessionTest, EightThreadsWithSessionsOfTheirOwnAndShared) {
  std::atomic<int> wrong{0};
  std::vector<std::future<void>> threads;
  for (int index = 0; index < 8; ++index)
    threads.push_back(std::async(std::launch::async, [&, index] {
      TesseraSessionOptions options{};
      options.threads = 1 + index % 4;
      TesseraSession *own = create(options);
      for (int repeat = 0; repeat < 100; ++repeat) {
        int64_t rows = (index * 31 + repeat * 7) % 60;
        Matrix a({rows, 4}, float(index)), b({rows, 4}, float(repeat));
        if (add(repeat % 2 ? own : session, a, b) != expectedSum(a, b))
          wrong.fetch_add(1);
      }
      tessera_session_release(own);
    }));
  for (std::future<void> &thread : threads)
    thread.get();
  EXPECT_EQ(wrong.load(), 0);
}

TEST_F(SessionTest, WorksInAForkedChild) {
  TesseraSessionOptions options{};
  options.threads = 4;
  TesseraSession *other = create(options);
  Matrix a({200, 4}), b({200, 4}, 3);
  EXPECT_EQ(add(other, a, b), expectedSum(a, b));
  pid_t child = fork();
  if (child == 0) {
    for (int repeat = 0; repeat < 20; ++repeat)
      if (add(other, a, b) != expectedSum(a, b))
        _exit(1);
    _exit(0);
  }
  int status = 1;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(add(other, a, b), expectedSum(a, b));
  tessera_session_release(other);
}

} // namespace
