// Recipe steps on strided views against the same steps on whole tensors.
#include "dialects/Graph/Weights/StridedView.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

using tessera::graph::StridedView;

namespace {

/// A dense tensor, and the steps by their definition.
struct Tensor {
  std::vector<int64_t> shape;
  std::vector<int32_t> data;

  static Tensor numbered(std::vector<int64_t> shape) {
    Tensor tensor{std::move(shape), {}};
    tensor.data.resize(tensor.count());
    std::iota(tensor.data.begin(), tensor.data.end(), 1);
    return tensor;
  }

  int64_t count() const {
    return std::accumulate(shape.begin(), shape.end(), int64_t(1),
                           std::multiplies<>());
  }

  int64_t position(const std::vector<int64_t> &index) const {
    int64_t at = 0;
    for (size_t i = 0; i < shape.size(); ++i)
      at = at * shape[i] + index[i];
    return at;
  }

  /// The index of element number `at`.
  std::vector<int64_t> index(int64_t at) const {
    std::vector<int64_t> result(shape.size());
    for (size_t i = shape.size(); i-- > 0;) {
      result[i] = at % shape[i];
      at /= shape[i];
    }
    return result;
  }

  Tensor transposed(const std::vector<int64_t> &permutation) const {
    Tensor result;
    for (int64_t from : permutation)
      result.shape.push_back(shape[from]);
    result.data.resize(count());
    for (int64_t at = 0; at < count(); ++at) {
      std::vector<int64_t> to = result.index(at), from(to.size());
      for (size_t i = 0; i < to.size(); ++i)
        from[permutation[i]] = to[i];
      result.data[at] = data[position(from)];
    }
    return result;
  }

  Tensor packed(int64_t width) const {
    Tensor result;
    result.shape = shape;
    int64_t columns = shape.back(), rows = shape[shape.size() - 2];
    result.shape.resize(shape.size() - 2);
    for (int64_t size : {(columns + width - 1) / width, rows, width})
      result.shape.push_back(size);
    result.data.resize(result.count());
    for (int64_t at = 0; at < result.count(); ++at) {
      std::vector<int64_t> to = result.index(at);
      int64_t lane = to.back(), panel = to[to.size() - 3];
      std::vector<int64_t> from(to.begin(), to.end() - 3);
      from.push_back(to[to.size() - 2]);
      from.push_back(panel * width + lane);
      if (from.back() < columns)
        result.data[at] = data[position(from)];
    }
    return result;
  }
};

std::vector<int32_t> elements(const StridedView &view, const Tensor &source) {
  std::vector<int32_t> result(view.elementCount(), -1);
  copyElements(view, sizeof(int32_t),
               reinterpret_cast<const char *>(source.data.data()),
               reinterpret_cast<char *>(result.data()));
  return result;
}

TEST(StridedView, TransposesAndPacks) {
  Tensor source = Tensor::numbered({3, 37, 50});
  StridedView view = StridedView::dense(source.shape);
  ASSERT_TRUE(view.transpose({0, 2, 1}));
  Tensor expected = source.transposed({0, 2, 1});
  EXPECT_EQ(elements(view, source), expected.data);
  ASSERT_TRUE(view.pack(16));
  expected = expected.packed(16);
  EXPECT_TRUE(view.isPadded());
  EXPECT_TRUE(view.shape() == llvm::ArrayRef(expected.shape));
  EXPECT_EQ(elements(view, source), expected.data);
}

// Panels of the channels of two taps: [taps, panels, groups, width, group] with the
// panels in front.
TEST(StridedView, TransposesWhatIsPadded) {
  Tensor source = Tensor::numbered({2, 5, 11});
  StridedView view = StridedView::dense(source.shape);
  ASSERT_TRUE(view.pack(8, 4));
  ASSERT_TRUE(view.transpose({1, 0, 2, 3, 4}));
  Tensor expected = Tensor::numbered({2, 2, 2, 8, 4});
  EXPECT_TRUE(view.shape() == llvm::ArrayRef(expected.shape));
  for (int64_t at = 0; at < expected.count(); ++at) {
    std::vector<int64_t> i = expected.index(at);
    int64_t column = i[0] * 8 + i[3], channel = i[2] * 4 + i[4];
    expected.data[at] =
        column < 11 && channel < 5
            ? source.data[(i[1] * 5 + channel) * 11 + column]
            : 0;
  }
  EXPECT_EQ(elements(view, source), expected.data);
  // Rows in groups that would be walked before the groups.
  EXPECT_FALSE(view.transpose({0, 1, 4, 3, 2}));
}

TEST(StridedView, ReversesDimensions) {
  Tensor source = Tensor::numbered({2, 3, 4});
  StridedView view = StridedView::dense(source.shape);
  ASSERT_TRUE(view.reverse({1, 2}));
  EXPECT_FALSE(view.isDense());
  std::vector<int32_t> expected;
  for (int64_t i = 0; i < 2; ++i)
    for (int64_t j = 2; j >= 0; --j)
      for (int64_t k = 3; k >= 0; --k)
        expected.push_back(source.data[(i * 3 + j) * 4 + k]);
  EXPECT_EQ(elements(view, source), expected);
  // Both were reversed, so they are one dimension, walked backwards.
  ASSERT_TRUE(view.reshape({2, 12}));
  ASSERT_TRUE(view.reverse({1}));
  EXPECT_TRUE(view.isDense());
  EXPECT_EQ(elements(view, source), source.data);
}

TEST(StridedView, Slices) {
  Tensor source = Tensor::numbered({4, 7});
  StridedView view = StridedView::dense(source.shape);
  ASSERT_TRUE(view.cut({1, 1}, {2, 3}, {2, 2}));
  std::vector<int32_t> expected;
  for (int64_t row : {1, 3})
    for (int64_t column : {1, 3, 5})
      expected.push_back(source.data[row * 7 + column]);
  EXPECT_TRUE(view.shape() == llvm::ArrayRef<int64_t>({2, 3}));
  EXPECT_EQ(elements(view, source), expected);
  ASSERT_TRUE(view.reverse({0}));
  ASSERT_TRUE(view.cut({0, 0}, {1, 3}, {1, 1}));
  EXPECT_EQ(elements(view, source),
            std::vector<int32_t>(expected.begin() + 3, expected.end()));
}

TEST(StridedView, PacksRowsInOrder) {
  for (int64_t columns : {1, 15, 16, 17, 64}) {
    Tensor source = Tensor::numbered({5, columns});
    StridedView view = StridedView::dense(source.shape);
    ASSERT_TRUE(view.pack(16));
    EXPECT_EQ(elements(view, source), source.packed(16).data) << columns;
  }
}

TEST(StridedView, SlicesOfAPaddedPackKeepTheirPadding) {
  Tensor source = Tensor::numbered({7, 41});
  StridedView view = StridedView::dense(source.shape);
  ASSERT_TRUE(view.pack(16));
  std::vector<int32_t> whole = elements(view, source), joined;
  for (int64_t panel = 0; panel < 3; ++panel)
    for (int64_t row = 0; row < 7; row += 3) {
      StridedView part = view.slice(0, panel, 1).slice(
          1, row, std::min<int64_t>(3, 7 - row));
      std::vector<int32_t> values = elements(part, source);
      joined.insert(joined.end(), values.begin(), values.end());
    }
  EXPECT_EQ(joined, whole);
}

TEST(StridedView, ReshapesWhatStaysAView) {
  Tensor source = Tensor::numbered({4, 6, 10});
  StridedView view = StridedView::dense(source.shape);
  ASSERT_TRUE(view.reshape({24, 10}));
  ASSERT_TRUE(view.transpose({1, 0}));
  ASSERT_TRUE(view.reshape({2, 5, 1, 24}));
  Tensor expected = source;
  expected.shape = {24, 10};
  expected = expected.transposed({1, 0});
  EXPECT_EQ(elements(view, source), expected.data);
}

TEST(StridedView, JoinsDimensionsWhoseStridesDoNotFit) {
  Tensor source = Tensor::numbered({4, 6});
  StridedView view = StridedView::dense({4, 6});
  ASSERT_TRUE(view.transpose({1, 0}));
  ASSERT_TRUE(view.reshape({24}));
  EXPECT_TRUE(view.shape() == llvm::ArrayRef<int64_t>({24}));
  Tensor expected = source.transposed({1, 0});
  EXPECT_EQ(elements(view, source), expected.data);
  ASSERT_TRUE(view.cut({4}, {8}, {1}));
  EXPECT_EQ(elements(view, source),
            std::vector<int32_t>(expected.data.begin() + 4,
                                 expected.data.begin() + 12));
  EXPECT_FALSE(view.cut({1}, {2}, {1}));
}

TEST(StridedView, RefusesReshapesThatMoveBytes) {
  StridedView view = StridedView::dense({4, 6});
  ASSERT_TRUE(view.transpose({1, 0}));
  EXPECT_FALSE(view.reshape({8, 3}));
  StridedView padded = StridedView::dense({4, 6});
  ASSERT_TRUE(padded.pack(4));
  EXPECT_FALSE(padded.reshape({32}));
  // Lanes in front of the panels that say which of them exist.
  EXPECT_FALSE(padded.transpose({2, 1, 0}));
}

TEST(StridedView, Broadcasts) {
  Tensor source = Tensor::numbered({2, 1, 2});
  StridedView view = StridedView::dense(source.shape);
  ASSERT_TRUE(view.broadcast({2, 2, 3, 2}));
  std::vector<int32_t> once = {1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4};
  std::vector<int32_t> expected = once;
  expected.insert(expected.end(), once.begin(), once.end());
  EXPECT_EQ(elements(view, source), expected);
  // Blocks of three, as one dimension.
  StridedView blocks = StridedView::dense({2, 2, 1});
  ASSERT_TRUE(blocks.broadcast({2, 2, 3}));
  ASSERT_TRUE(blocks.reshape({2, 6}));
  EXPECT_EQ(elements(blocks, source),
            (std::vector<int32_t>{1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4}));
}

TEST(StridedView, PacksGroupsOfRows) {
  for (int64_t rows : {1, 4, 7})
    for (int64_t columns : {3, 16, 21})
      for (int64_t group : {2, 4}) {
        Tensor source = Tensor::numbered({2, rows, columns});
        StridedView view = StridedView::dense(source.shape);
        ASSERT_TRUE(view.pack(16, group));
        Tensor result;
        result.shape = {2, (columns + 15) / 16, (rows + group - 1) / group, 16,
                        group};
        for (int64_t at = 0; at < result.count(); ++at) {
          std::vector<int64_t> to = result.index(at);
          int64_t row = to[2] * group + to[4], column = to[1] * 16 + to[3];
          bool exists = row < rows && column < columns;
          result.data.push_back(
              exists ? source.data[source.position({to[0], row, column})] : 0);
        }
        EXPECT_TRUE(view.shape() == llvm::ArrayRef(result.shape));
        EXPECT_EQ(elements(view, source), result.data);
      }
}

/// Ranges of any beginning and length are what the whole has there.
TEST(StridedView, CopiesRanges) {
  Tensor source = Tensor::numbered({5, 37});
  StridedView view = StridedView::dense(source.shape);
  ASSERT_TRUE(view.transpose({1, 0}));
  ASSERT_TRUE(view.pack(4, 2));
  std::vector<int32_t> whole = elements(view, source);
  for (int64_t begin = 0; begin < int64_t(whole.size()); ++begin)
    for (int64_t count : {0, 1, 7, 64}) {
      count = std::min<int64_t>(count, whole.size() - begin);
      std::vector<int32_t> part(count, -1);
      copyRange(view, 4, reinterpret_cast<const char *>(source.data.data()),
                begin, count, reinterpret_cast<char *>(part.data()));
      ASSERT_TRUE(std::equal(part.begin(), part.end(), whole.begin() + begin))
          << begin;
    }
}

TEST(StridedView, EmptyAndScalar) {
  StridedView empty = StridedView::dense({0, 4});
  ASSERT_TRUE(empty.reshape({2, 0}));
  EXPECT_EQ(empty.elementCount(), 0);
  Tensor scalar{{}, {7}};
  EXPECT_EQ(elements(StridedView::dense({}), scalar), scalar.data);
}

/// Random shapes and steps, all widths of elements.
TEST(StridedView, RandomRecipes) {
  std::mt19937 random(7);
  auto below = [&](int64_t limit) { return int64_t(random() % limit); };
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<int64_t> shape(2 + below(3));
    for (int64_t &size : shape)
      size = 1 + below(20);
    Tensor source = Tensor::numbered(shape), expected = source;
    StridedView view = StridedView::dense(shape);
    for (int64_t step = below(3); step >= 0; --step) {
      std::vector<int64_t> permutation(expected.shape.size());
      std::iota(permutation.begin(), permutation.end(), 0);
      std::shuffle(permutation.begin(), permutation.end(), random);
      ASSERT_TRUE(view.transpose(permutation));
      expected = expected.transposed(permutation);
    }
    int64_t width = 1 + below(9);
    ASSERT_TRUE(view.pack(width));
    expected = expected.packed(width);
    ASSERT_EQ(elements(view, source), expected.data) << "trial " << trial;
    std::vector<int64_t> wide(expected.count());
    std::vector<int64_t> wideSource(source.data.begin(), source.data.end());
    copyElements(view, 8, reinterpret_cast<const char *>(wideSource.data()),
                 reinterpret_cast<char *>(wide.data()));
    EXPECT_TRUE(std::equal(wide.begin(), wide.end(), expected.data.begin()));
  }
}

} // namespace
