#include "lib/Runtime/TensorLayout.h"
#include "lib/Runtime/BlockPool.h"

#include <gtest/gtest.h>
#include <numeric>

using namespace tessera::runtime;

namespace {

constexpr TesseraElementType int32Type = {0, 32}, int4Type = {0, 4};

/// A view of `data` with the given sizes and strides in elements.
struct View {
  View(void *data, std::vector<int64_t> shape, std::vector<int64_t> strides)
      : shape(std::move(shape)), strides(std::move(strides)) {
    tensor.data = data;
    tensor.deviceType = 1;
    tensor.rank = int32_t(this->shape.size());
    tensor.type = int32Type;
    tensor.lanes = 1;
    tensor.shape = this->shape.data();
    tensor.strides = this->strides.empty() ? nullptr : this->strides.data();
  }
  std::vector<int64_t> shape, strides;
  TesseraTensor tensor{};
};

TEST(TensorLayout, NamesTypes) {
  EXPECT_STREQ(typeName({2, 32}), "float32");
  EXPECT_STREQ(typeName({4, 16}), "bfloat16");
  EXPECT_STREQ(typeName({6, 8}), "bool");
  EXPECT_STREQ(typeName({99, 8}), "unknown");
}

TEST(TensorLayout, CountsBytes) {
  EXPECT_EQ(*denseBytes(int32Type, {2, 3}), 24);
  EXPECT_EQ(*denseBytes(int32Type, {}), 4);
  EXPECT_EQ(*denseBytes(int32Type, {5, 0, 3}), 0);
  EXPECT_EQ(*denseBytes(int4Type, {3}), 3);
  EXPECT_EQ(
      denseBytes(int32Type, {int64_t(1) << 40, 1 << 21}).takeStatus().message(),
      "a tensor of shape (1099511627776, 2097152) and type int32 is too "
      "large");
}

TEST(TensorLayout, KnowsDenseTensors) {
  EXPECT_TRUE(isDense(View(nullptr, {2, 3}, {}).tensor));
  EXPECT_TRUE(isDense(View(nullptr, {2, 3}, {3, 1}).tensor));
  EXPECT_TRUE(isDense(View(nullptr, {1, 3}, {77, 1}).tensor));
  EXPECT_TRUE(isDense(View(nullptr, {0, 3}, {1, 50}).tensor));
  EXPECT_FALSE(isDense(View(nullptr, {2, 3}, {1, 2}).tensor));
  EXPECT_FALSE(isDense(View(nullptr, {2, 3}, {4, 1}).tensor));
  EXPECT_FALSE(isDense(View(nullptr, {2, 3}, {0, 1}).tensor));
}

TEST(TensorLayout, CopiesAnyStrides) {
  std::vector<int32_t> data(24);
  std::iota(data.begin(), data.end(), 0);
  struct Case {
    std::vector<int64_t> shape, strides;
    int64_t first;
  };
  for (const Case &it :
       {Case{{2, 3, 4}, {12, 4, 1}, 0}, Case{{4, 3, 2}, {1, 4, 12}, 0},
        Case{{3, 4}, {-8, -1}, 23}, Case{{2, 5}, {1, 0}, 3},
        Case{{2, 2}, {12, 2}, 1}, Case{{}, {}, 5}, Case{{2, 0}, {1, 1}, 0}}) {
    View view(data.data(), it.shape, it.strides);
    view.tensor.byteOffset = it.first * sizeof(int32_t);
    std::vector<int64_t> dense = denseStrides(it.shape);
    int64_t count = *denseBytes(int32Type, it.shape) / sizeof(int32_t);
    std::vector<int32_t> copy(count), expected(count);
    for (int64_t i = 0; i < count; ++i) {
      int64_t rest = i, source = it.first;
      for (size_t axis = 0; axis < it.shape.size(); ++axis) {
        source += rest / dense[axis] * it.strides[axis];
        rest %= dense[axis];
      }
      expected[i] = data[source];
    }
    copyToDense(view.tensor, reinterpret_cast<char *>(copy.data()));
    EXPECT_EQ(copy, expected) << shapeText(it.shape.data(), it.shape.size());
  }
}

TEST(TensorLayout, FindsAddressRange) {
  int32_t data[24];
  View reversed(data, {3, 4}, {-8, -1});
  reversed.tensor.byteOffset = 23 * sizeof(int32_t);
  AddressRange range = addressRange(reversed.tensor);
  EXPECT_EQ(range.begin, reinterpret_cast<char *>(data + 4));
  EXPECT_EQ(range.end, reinterpret_cast<char *>(data + 24));
  EXPECT_EQ(addressRange(View(data, {0}, {1}).tensor).begin, nullptr);
}

TEST(BlockPool, ReusesBlocksAndDropsTheRest) {
  auto pool = std::make_shared<BlockPool>();
  char *first;
  {
    Block block = pool->take(1 << 20);
    first = block.data();
    ASSERT_NE(first, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(first) % 64, 0u);
  }
  EXPECT_EQ(pool->idleBytes(), 1 << 20);
  {
    Block again = pool->take((1 << 20) - 100);
    EXPECT_EQ(again.data(), first);
    EXPECT_EQ(pool->idleBytes(), 0);
  }
  // Another size: the old block is beyond what was ever in use at once.
  {
    Block smaller = pool->take(1000);
  }
  EXPECT_LE(pool->idleBytes(), (1 << 20) + 1024);
}

TEST(BlockPool, GivesNothingWhenThereIsNoMemory) {
  auto pool = std::make_shared<BlockPool>();
  EXPECT_EQ(pool->take(INT64_MAX).data(), nullptr);
#if !__has_feature(address_sanitizer) // which ends the process at this size
  EXPECT_EQ(pool->take(int64_t(1) << 60).data(), nullptr);
#endif
  EXPECT_NE(pool->take(0).data(), nullptr);
}

TEST(BlockPool, BlocksOutliveTheirPool) {
  Block block;
  {
    auto pool = std::make_shared<BlockPool>();
    block = pool->take(100);
  }
  block.data()[99] = 1;
}

} // namespace
