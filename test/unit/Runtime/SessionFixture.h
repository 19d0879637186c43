// A session on the model that adds two matrices and its weights.
#ifndef TESSERA_TEST_UNIT_RUNTIME_SESSIONFIXTURE_H
#define TESSERA_TEST_UNIT_RUNTIME_SESSIONFIXTURE_H

#include "Fixture.h"
#include "tessera/runtime.h"

#include <gtest/gtest.h>

using fixture::expectedSum;
using fixture::Matrix;

class SessionTest : public testing::Test {
protected:
  void SetUp() override {
    path = folder.write("model.so", fixture::withWeights("add"));
    ASSERT_EQ(tessera_model_load(path.c_str(), nullptr, &model), TESSERA_OK)
        << tessera_error_message();
    session = create({});
  }
  void TearDown() override {
    tessera_session_release(session);
    tessera_model_release(model);
  }

  TesseraSession *create(TesseraSessionOptions options) {
    options.size = sizeof options;
    TesseraSession *created = nullptr;
    EXPECT_EQ(tessera_session_create(model, &options, &created), TESSERA_OK)
        << tessera_error_message();
    return created;
  }

  /// Runs x + y + weights and returns z, or nothing with an error.
  static std::vector<float> add(TesseraSession *session, const Matrix &x,
                                const Matrix &y) {
    TesseraInputBinding inputs[] = {{"x", &x.tensor}, {"y", &y.tensor}};
    TesseraOutputBinding output = {"z", nullptr};
    if (tessera_session_run(session, inputs, 2, &output, 1))
      return {};
    const TesseraTensor &z = output.tensor->tensor;
    EXPECT_EQ(z.rank, 2);
    EXPECT_EQ(z.shape[0], x.shape[0]);
    const float *data = static_cast<const float *>(z.data);
    std::vector<float> result(data, data + z.shape[0] * z.shape[1]);
    tessera_tensor_release(output.tensor);
    return result;
  }

  /// The message of a run that fails with `code`.
  std::string runError(std::vector<TesseraInputBinding> inputs,
                       std::vector<TesseraOutputBinding> outputs = {},
                       TesseraStatus code = TESSERA_INVALID_INPUT) {
    EXPECT_EQ(tessera_session_run(session, inputs.data(), inputs.size(),
                                  outputs.data(), outputs.size()),
              code)
        << tessera_error_message();
    for (const TesseraOutputBinding &output : outputs)
      if (!output.tensor)
        EXPECT_EQ(output.tensor, nullptr);
    return tessera_error_message();
  }

  TemporaryFolder folder;
  std::string path;
  TesseraModel *model = nullptr;
  TesseraSession *session = nullptr;
  Matrix x{{5, 4}}, y{{5, 4}, 100};
};

#endif // TESSERA_TEST_UNIT_RUNTIME_SESSIONFIXTURE_H
