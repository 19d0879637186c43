// What a session refuses, and the words for it.
#include "SessionFixture.h"

namespace {

TEST_F(SessionTest, RefusesWrongOptions) {
  TesseraSession *other = nullptr;
  TesseraSessionOptions options{};
  EXPECT_EQ(tessera_session_create(model, &options, &other),
            TESSERA_INVALID_ARGUMENT);
  EXPECT_STREQ(tessera_error_message(), "the options struct's size is not set");
  options.size = sizeof options;
  options.threads = -1;
  EXPECT_EQ(tessera_session_create(model, &options, &other),
            TESSERA_INVALID_ARGUMENT);
  EXPECT_STREQ(tessera_error_message(),
               "expects threads from 0 to 4096 but got -1");
  options.threads = 0;
  options.entry = "mian";
  EXPECT_EQ(tessera_session_create(model, &options, &other),
            TESSERA_INVALID_ARGUMENT);
  EXPECT_STREQ(tessera_error_message(),
               "the model has no entry 'mian'; did you mean 'main'?");
  options.entry = nullptr;
  options.parallelFor = [](void *, TesseraTask, void *, int64_t) {};
  EXPECT_EQ(tessera_session_create(model, &options, &other),
            TESSERA_INVALID_ARGUMENT);
  EXPECT_STREQ(tessera_error_message(),
               "expects maxWorkers of at least 1 with a parallelFor of the "
               "host but got 0");
  EXPECT_EQ(tessera_session_create(nullptr, nullptr, &other),
            TESSERA_INVALID_ARGUMENT);
  EXPECT_STREQ(tessera_error_message(), "model is NULL");
}

TEST_F(SessionTest, UnknownInput) {
  EXPECT_EQ(runError({{"X", &x.tensor}, {"y", &y.tensor}}),
            "the model has no input 'X'; did you mean 'x'?");
  EXPECT_EQ(runError({{"something", &x.tensor}}),
            "the model has no input 'something'; it has 'x', 'y'");
  EXPECT_EQ(
      runError(
          {{nullptr, &x.tensor}, {nullptr, &y.tensor}, {nullptr, &y.tensor}}),
      "the model expects 2 inputs but got 3");
}

TEST_F(SessionTest, MissingInput) {
  EXPECT_EQ(runError({{"x", &x.tensor}}),
            "input 'y' (float32 (n, 4)) is missing");
}

TEST_F(SessionTest, InputTwice) {
  EXPECT_EQ(runError({{"x", &x.tensor}, {"x", &y.tensor}}),
            "input 'x' is given twice");
}

TEST_F(SessionTest, WrongType) {
  x.tensor.type = {2, 64};
  EXPECT_EQ(runError({{"x", &x.tensor}, {"y", &y.tensor}}),
            "input 'x' expects float32 but got float64");
  x.tensor.type = {2, 32};
  x.tensor.lanes = 4;
  EXPECT_EQ(runError({{"x", &x.tensor}, {"y", &y.tensor}}),
            "input 'x' expects float32 but got float32 with several lanes");
}

TEST_F(SessionTest, WrongDevice) {
  x.tensor.deviceType = 2;
  EXPECT_EQ(runError({{"x", &x.tensor}, {"y", &y.tensor}}),
            "input 'x' expects a tensor in host memory but got device type 2");
}

TEST_F(SessionTest, WrongRank) {
  Matrix cube({5, 4, 1});
  EXPECT_EQ(runError({{"x", &x.tensor}, {"y", &cube.tensor}}),
            "input 'y' expects rank 2, float32 (n, 4), but got rank 3, shape "
            "(5, 4, 1)");
}

TEST_F(SessionTest, WrongSize) {
  Matrix wide({5, 6});
  EXPECT_EQ(runError({{"x", &x.tensor}, {"y", &wide.tensor}}),
            "input 'y' expects size 4 in dimension 1 but got 6");
}

TEST_F(SessionTest, SizesThatDisagree) {
  Matrix longer({6, 4});
  EXPECT_EQ(runError({{"x", &x.tensor}, {"y", &longer.tensor}}),
            "input 'y' has size 6 in dimension 0 (n) but input 'x' gave 5");
}

TEST_F(SessionTest, SizeOutOfRange) {
  x.shape[0] = 100001;
  EXPECT_EQ(runError({{"x", &x.tensor}, {"y", &y.tensor}}),
            "input 'x' has size 100001 in dimension 0 (n) but the model is "
            "compiled for 0 to 100000");
  x.shape[0] = -1;
  EXPECT_EQ(runError({{"x", &x.tensor}, {"y", &y.tensor}}),
            "input 'x' has size -1 in dimension 0 (n) but the model is "
            "compiled for 0 to 100000");
}

TEST_F(SessionTest, TensorsWithoutParts) {
  x.tensor.data = nullptr;
  EXPECT_EQ(runError({{"x", &x.tensor}, {"y", &y.tensor}}, {},
                     TESSERA_INVALID_ARGUMENT),
            "input 'x' has a tensor without memory");
  x.tensor.shape = nullptr;
  EXPECT_EQ(runError({{"x", &x.tensor}, {"y", &y.tensor}}, {},
                     TESSERA_INVALID_ARGUMENT),
            "input 'x' has a tensor without shape");
  EXPECT_EQ(runError({{"x", nullptr}}, {}, TESSERA_INVALID_ARGUMENT),
            "input 'x' has no tensor");
}

TEST_F(SessionTest, UnknownOutput) {
  EXPECT_EQ(runError({{"x", &x.tensor}, {"y", &y.tensor}}, {{"zz", nullptr}}),
            "the model has no output 'zz'; did you mean 'z'?");
  EXPECT_EQ(runError({{"x", &x.tensor}, {"y", &y.tensor}},
                     {{"z", nullptr}, {"z", nullptr}}),
            "output 'z' is asked for twice");
  EXPECT_EQ(runError({{"x", &x.tensor}, {"y", &y.tensor}},
                     {{nullptr, nullptr}, {nullptr, nullptr}}),
            "the model has 1 outputs but 2 are asked for");
}

} // namespace
