#include "BlockPool.h"

#include <algorithm>
#include <cstdlib>
#include <sys/mman.h>
#include <utility>

namespace tessera::runtime {
namespace {

constexpr int64_t smallestBlock = 256;
constexpr int64_t alignment = 64;
constexpr int64_t hugePage = int64_t(2) << 20;

/// Rounds up to one of eight steps per power of two, so that slightly different
/// shapes find each other's blocks. 0 if it does not fit.
int64_t sizeClass(int64_t bytes) {
  bytes = std::max(bytes, smallestBlock);
  int64_t step = (int64_t(1) << (63 - __builtin_clzll(bytes))) / 8;
  int64_t rounded;
  if (__builtin_add_overflow(bytes, step - 1, &rounded))
    return 0;
  return std::max((rounded / step) * step, smallestBlock);
}

char *allocate(int64_t capacity) {
  bool large = capacity >= 2 * hugePage;
  // aligned_alloc wants a multiple of the alignment.
  int64_t unit = large ? hugePage : alignment;
  if (capacity > INT64_MAX - unit)
    return nullptr;
  int64_t padded = (capacity + unit - 1) / unit * unit;
  char *memory = static_cast<char *>(aligned_alloc(unit, padded));
  if (memory && large)
    madvise(memory, padded, MADV_HUGEPAGE); // only a wish
  return memory;
}

} // namespace

Block::~Block() {
  if (memory)
    pool->giveBack(memory, capacity);
}

void Block::swap(Block &other) noexcept {
  std::swap(pool, other.pool);
  std::swap(memory, other.memory);
  std::swap(capacity, other.capacity);
}

BlockPool::~BlockPool() {
  for (const Idle &block : idle)
    free(block.memory);
}

Block BlockPool::take(int64_t bytes) {
  Block block;
  int64_t capacity = sizeClass(bytes);
  if (capacity == 0)
    return block;
  block.pool = shared_from_this();
  block.capacity = capacity;
  {
    std::lock_guard<std::mutex> lock(mutex);
    inUse += capacity;
    mostInUse = std::max(mostInUse, inUse);
    // The newest of this class is the warmest in the caches.
    auto match = std::find_if(idle.rbegin(), idle.rend(), [&](const Idle &it) {
      return it.capacity == capacity;
    });
    if (match != idle.rend()) {
      block.memory = match->memory;
      idleTotal -= capacity;
      idle.erase(std::next(match).base());
      return block;
    }
  }
  block.memory = allocate(capacity);
  if (!block.memory) {
    std::lock_guard<std::mutex> lock(mutex);
    inUse -= capacity;
  }
  return block;
}

void BlockPool::giveBack(char *memory, int64_t capacity) {
  std::vector<Idle> dropped;
  {
    std::lock_guard<std::mutex> lock(mutex);
    inUse -= capacity;
    idle.push_back({memory, capacity});
    idleTotal += capacity;
    size_t count = 0;
    while (idleTotal > mostInUse)
      idleTotal -= idle[count++].capacity;
    dropped.assign(idle.begin(), idle.begin() + count);
    idle.erase(idle.begin(), idle.begin() + count);
  }
  for (const Idle &block : dropped)
    free(block.memory);
}

int64_t BlockPool::idleBytes() {
  std::lock_guard<std::mutex> lock(mutex);
  return idleTotal;
}

} // namespace tessera::runtime
