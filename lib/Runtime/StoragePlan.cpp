#include "StoragePlan.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tessera::runtime {
namespace {

using Order = std::vector<size_t>;

bool overlapInTime(const StorageRequest &a, const StorageRequest &b) {
  return a.firstUse <= b.lastUse && b.firstUse <= a.lastUse;
}

/// The most bytes alive at one step: a sweep over begins and ends.
int64_t liveBytes(const std::vector<StorageRequest> &requests) {
  // Ends of a step come after all begins of the same step, so that a value
  // which dies where another is born counts with it.
  std::vector<std::pair<std::pair<int64_t, bool>, int64_t>> events;
  for (const StorageRequest &request : requests) {
    events.push_back({{request.firstUse, false}, request.bytes});
    events.push_back({{request.lastUse, true}, -request.bytes});
  }
  std::sort(events.begin(), events.end(),
            [](const auto &a, const auto &b) { return a.first < b.first; });
  int64_t alive = 0, most = 0;
  for (const auto &event : events)
    most = std::max(most, alive += event.second);
  return most;
}

/// Places the requests in the given order, best fit.
StoragePlan place(const std::vector<StorageRequest> &requests,
                  const Order &order) {
  StoragePlan plan;
  plan.offsets.assign(requests.size(), 0);
  Order placed; // by offset
  for (size_t index : order) {
    const StorageRequest &request = requests[index];
    if (request.bytes == 0)
      continue;
    int64_t gapBegin = 0, bestOffset = -1, bestGap = INT64_MAX;
    for (size_t other : placed) {
      if (!overlapInTime(request, requests[other]))
        continue;
      int64_t gap = plan.offsets[other] - gapBegin;
      if (gap >= request.bytes && gap < bestGap) {
        bestGap = gap;
        bestOffset = gapBegin;
      }
      gapBegin =
          std::max(gapBegin, plan.offsets[other] + requests[other].bytes);
    }
    plan.offsets[index] = bestOffset >= 0 ? bestOffset : gapBegin;
    plan.bytes = std::max(plan.bytes, plan.offsets[index] + request.bytes);
    auto position = std::upper_bound(
        placed.begin(), placed.end(), index,
        [&](size_t a, size_t b) { return plan.offsets[a] < plan.offsets[b]; });
    placed.insert(position, index);
  }
  return plan;
}

} // namespace

Result<StoragePlan> planStorage(const std::vector<StorageRequest> &requests) {
  std::vector<StorageRequest> rounded = requests;
  int64_t total = 0;
  for (StorageRequest &request : rounded) {
    int64_t padded;
    if (__builtin_add_overflow(request.bytes, storageAlignment - 1, &padded))
      return failure(TESSERA_OUT_OF_MEMORY, "a value of ", request.bytes,
                     " bytes is too large");
    request.bytes = padded & -storageAlignment;
    if (__builtin_add_overflow(total, request.bytes, &total))
      return failure(TESSERA_OUT_OF_MEMORY,
                     "the values together do not fit 64 bits");
  }

  // What each order begins with has the smallest key.
  using Key = double (*)(const StorageRequest &);
  const Key keys[] = {
      [](const StorageRequest &r) { return -double(r.bytes); },
      [](const StorageRequest &r) {
        return -double(r.bytes) * double(r.lastUse - r.firstUse + 1);
      },
      [](const StorageRequest &r) { return double(r.firstUse); }};
  StoragePlan best;
  best.bytes = INT64_MAX;
  for (Key key : keys) {
    Order order(rounded.size());
    std::iota(order.begin(), order.end(), size_t(0));
    std::sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return std::make_pair(key(rounded[a]), a) <
             std::make_pair(key(rounded[b]), b);
    });
    StoragePlan plan = place(rounded, order);
    if (plan.bytes < best.bytes)
      best = std::move(plan);
  }
  best.lowerBound = liveBytes(rounded);
  return best;
}

} // namespace tessera::runtime
