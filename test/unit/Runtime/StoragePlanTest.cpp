#include "lib/Runtime/StoragePlan.h"

#include <algorithm>
#include <gtest/gtest.h>
#include <random>

using namespace tessera::runtime;

namespace {

/// Every request lies inside the block and aligned, and no two that are alive
/// at the same step share a byte: all pairs, without the planner's own tests.
void expectSound(const std::vector<StorageRequest> &requests,
                 const StoragePlan &plan) {
  ASSERT_EQ(plan.offsets.size(), requests.size());
  for (size_t i = 0; i < requests.size(); ++i) {
    const StorageRequest &a = requests[i];
    ASSERT_GE(plan.offsets[i], 0);
    ASSERT_EQ(plan.offsets[i] % storageAlignment, 0);
    ASSERT_LE(plan.offsets[i] + a.bytes, plan.bytes);
    for (size_t j = 0; j < i; ++j) {
      const StorageRequest &b = requests[j];
      bool sameStep = false;
      for (int64_t step = a.firstUse; step <= a.lastUse; ++step)
        sameStep |= b.firstUse <= step && step <= b.lastUse;
      bool sharesBytes = a.bytes && b.bytes &&
                         plan.offsets[i] < plan.offsets[j] + b.bytes &&
                         plan.offsets[j] < plan.offsets[i] + a.bytes;
      ASSERT_FALSE(sameStep && sharesBytes) << i << " and " << j;
    }
  }
}

StoragePlan planned(const std::vector<StorageRequest> &requests) {
  Result<StoragePlan> plan = planStorage(requests);
  EXPECT_TRUE(plan.ok());
  expectSound(requests, *plan);
  return *plan;
}

TEST(StoragePlan, EmptyPlanHasNoBytes) {
  EXPECT_EQ(planned({}).bytes, 0);
  EXPECT_EQ(planned({{0, 0, 3}, {0, 1, 2}}).bytes, 0);
}

TEST(StoragePlan, ChainNeedsTwoBuffers) {
  // Each value is read by the step that makes the next.
  std::vector<StorageRequest> chain;
  for (int64_t step = 0; step < 20; ++step)
    chain.push_back({1024, step, step + 1});
  StoragePlan plan = planned(chain);
  EXPECT_EQ(plan.lowerBound, 2048);
  EXPECT_EQ(plan.bytes, 2048);
}

TEST(StoragePlan, RoundsToTheAlignment) {
  StoragePlan plan = planned({{1, 0, 0}, {65, 0, 0}});
  EXPECT_EQ(plan.bytes, 64 + 128);
}

TEST(StoragePlan, TakesTheSmallestGapThatFits) {
  // Two gaps open at step 2, of 128 and 256 bytes; the value of 128 must take
  // the first, so that the one of 256 finds the other.
  StoragePlan plan = planned({{512, 0, 9},
                              {128, 0, 1},
                              {512, 0, 9},
                              {256, 0, 1},
                              {512, 0, 9},
                              {256, 2, 9},
                              {128, 2, 9}});
  EXPECT_EQ(plan.bytes, plan.lowerBound);
}

TEST(StoragePlan, ReportsSizesThatDoNotFit) {
  EXPECT_EQ(planStorage({{INT64_MAX, 0, 1}}).takeStatus().message(),
            "a value of 9223372036854775807 bytes is too large");
  EXPECT_EQ(planStorage({{INT64_MAX / 2, 0, 1}, {INT64_MAX / 2 + 9, 0, 1}})
                .takeStatus()
                .message(),
            "the values together do not fit 64 bits");
}

TEST(StoragePlan, RandomInstancesAreSoundAndNearTheBound) {
  std::mt19937 random(7);
  double sumOfRatios = 0;
  const int instances = 300;
  for (int instance = 0; instance < instances; ++instance) {
    const int64_t steps = 1 + random() % 40;
    std::vector<StorageRequest> requests(random() % 60);
    for (StorageRequest &request : requests) {
      request.bytes = random() % 4 == 0 ? 0 : random() % 5000;
      request.firstUse = random() % steps;
      request.lastUse =
          std::min<int64_t>(steps, request.firstUse + random() % 6);
    }
    StoragePlan plan = planned(requests);
    if (HasFatalFailure())
      return;
    EXPECT_GE(plan.bytes, plan.lowerBound);
    sumOfRatios += plan.lowerBound ? double(plan.bytes) / plan.lowerBound : 1.0;
  }
  // Random sizes are the hard case: no equal ones to reuse.
  EXPECT_LT(sumOfRatios / instances, 1.05);
}

TEST(StoragePlan, LowerBoundIsTheLargestLiveSet) {
  std::mt19937 random(11);
  std::vector<StorageRequest> requests(50);
  for (StorageRequest &request : requests) {
    request.bytes = int64_t(random() % 100) * storageAlignment;
    request.firstUse = random() % 30;
    request.lastUse = request.firstUse + random() % 10;
  }
  int64_t most = 0;
  for (int64_t step = 0; step < 40; ++step) {
    int64_t alive = 0;
    for (const StorageRequest &request : requests)
      if (request.firstUse <= step && step <= request.lastUse)
        alive += request.bytes;
    most = std::max(most, alive);
  }
  EXPECT_EQ(planned(requests).lowerBound, most);
}

} // namespace
