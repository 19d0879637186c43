// The models of FixtureModel.c with weights put to them, and tensors for them.
#ifndef TESSERA_TEST_RUNTIMEFIXTURE_H
#define TESSERA_TEST_RUNTIMEFIXTURE_H

#include "TemporaryFolder.h"
#include "lib/Runtime/Model.h"
#include "lib/Runtime/Session.h"

#include <cstring>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace fixture {

constexpr size_t pageBytes = 4096;
constexpr float weights[4] = {0.5f, 1.0f, -2.0f, 4.0f};
constexpr uint64_t weightHash = 0x88440e3975816c93u;

inline std::string weightBytes() {
  return std::string(reinterpret_cast<const char *>(weights), sizeof weights);
}

inline std::string library(const std::string &name) {
  return FIXTURE_FOLDER "/fixture-" + name + ".so";
}

inline std::string readFile(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

inline std::string padded(std::string bytes) {
  bytes.resize((bytes.size() + pageBytes - 1) / pageBytes * pageBytes);
  return bytes;
}

inline std::string markBytes(uint64_t offset, uint64_t bytes = sizeof weights,
                             uint64_t hash = weightHash) {
  TesseraWeightsMark mark{{}, offset, bytes, hash};
  std::memcpy(mark.magic, TESSERA_WEIGHTS_MAGIC, sizeof mark.magic);
  return std::string(reinterpret_cast<const char *>(&mark), sizeof mark);
}

/// The library's bytes with weights at the end, as the compiler writes them.
inline std::string withWeights(const std::string &name) {
  std::string bytes = padded(readFile(library(name)));
  const uint64_t offset = bytes.size();
  return bytes + weightBytes() + markBytes(offset);
}

/// The bytes of a weight file.
inline std::string weightFile() {
  return padded(markBytes(pageBytes)) + weightBytes();
}

/// A float32 tensor with memory of its own.
struct Matrix {
  explicit Matrix(std::vector<int64_t> sizes, float first = 0)
      : shape(std::move(sizes)) {
    int64_t count = 1;
    for (int64_t size : shape)
      count *= size;
    for (int64_t i = 0; i < count; ++i)
      data.push_back(first + float(i));
    tensor.data = data.data();
    tensor.deviceType = 1;
    tensor.rank = int32_t(shape.size());
    tensor.type = {2, 32};
    tensor.lanes = 1;
    tensor.shape = shape.data();
  }
  Matrix(const Matrix &) = delete;

  std::vector<int64_t> shape;
  std::vector<float> data;
  TesseraTensor tensor{};
};

/// x + y + weights, row by row.
inline std::vector<float> expectedSum(const Matrix &x, const Matrix &y) {
  std::vector<float> sum;
  for (size_t i = 0; i < x.data.size(); ++i)
    sum.push_back(x.data[i] + y.data[i] + weights[i % 4]);
  return sum;
}

} // namespace fixture

#endif // TESSERA_TEST_RUNTIMEFIXTURE_H
