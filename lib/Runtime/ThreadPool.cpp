#include "ThreadPool.h"
#include "CpuBudget.h"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <climits>
#include <csignal>
#include <immintrin.h>
#include <linux/futex.h>
#include <map>
#include <new>
#include <sys/syscall.h>
#include <unistd.h>

namespace tessera::runtime {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;

constexpr uint64_t oneTask = uint64_t(1) << 32;
constexpr uint64_t oneHelper = 1;
constexpr uint64_t ownerSleeps = uint64_t(1) << 31;
/// A slot counts tasks in 32 signed bits, which claims beyond the end lower
/// further.
constexpr int64_t maxTasksPerSlot = int64_t(1) << 30;

/// How long an idle thread spins: doubled when a little more would have caught
/// the next loop, halved when it was in vain.
constexpr auto longestSpin = microseconds(1000);
constexpr auto shortestSpin = microseconds(20);
constexpr auto firstSpin = microseconds(200);
/// How long an owner spins for its last helper; a task takes some microseconds,
/// more means that the helper has lost its core.
constexpr auto ownerSpin = microseconds(50);
/// Looks at the slots between two looks at the clock.
constexpr int looksPerTime = 32;

int64_t tasksLeft(uint64_t state) { return int32_t(state >> 32); }
uint32_t helpersInside(uint64_t state) { return uint32_t(state) & ~(1u << 31); }

/// The half of a slot's state that changes when a helper leaves (x86-64 is
/// little-endian).
uint32_t *lowHalf(std::atomic<uint64_t> &state) {
  return reinterpret_cast<uint32_t *>(&state);
}

void futexWait(void *address, uint32_t expected) {
  syscall(SYS_futex, address, FUTEX_WAIT_PRIVATE, expected, nullptr, nullptr,
          0);
}

void futexWake(void *address, int count) {
  syscall(SYS_futex, address, FUTEX_WAKE_PRIVATE, count, nullptr, nullptr, 0);
}

/// How many tasks to claim at once when `left` are left: one, or a share that
/// keeps the atomic traffic of a long loop low (guided self-scheduling,
/// Polychronopoulos and Kuck 1987, with a quarter of their share).
int64_t claimSize(int64_t left, int64_t workers) {
  return std::max<int64_t>(1, left / (4 * workers));
}

/// Which pool the thread belongs to, and its index there.
thread_local ThreadPool *ownPool = nullptr;
thread_local int64_t ownIndex = 0;

/// All pools, for the handlers of fork and for ThreadPool::shared.
struct Registry {
  std::mutex mutex;
  std::vector<ThreadPool *> pools;
  std::map<int, std::weak_ptr<ThreadPool>> shared;
};

Registry &registry() {
  static Registry *const instance = new Registry; // outlives static objects
  return *instance;
}

} // namespace

/// Holds the locks across fork, so that the child finds everything consistent.
struct ForkHandlers {
  static void prepare() {
    registry().mutex.lock();
    for (ThreadPool *pool : registry().pools)
      pool->startMutex.lock();
  }
  static void inParent() {
    for (ThreadPool *pool : registry().pools)
      pool->startMutex.unlock();
    registry().mutex.unlock();
  }
  static void inChild() {
    for (ThreadPool *pool : registry().pools)
      pool->resetAfterFork();
    registry().mutex.unlock();
  }
};

ThreadPool::ThreadPool(int workers, bool spin)
    : workerCount(std::max(1, workers)), maySpin(spin) {
  static const int registered = pthread_atfork(
      ForkHandlers::prepare, ForkHandlers::inParent, ForkHandlers::inChild);
  (void)registered;
  std::lock_guard<std::mutex> lock(registry().mutex);
  registry().pools.push_back(this);
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(registry().mutex);
    auto &pools = registry().pools;
    pools.erase(std::find(pools.begin(), pools.end(), this));
  }
  stopping.store(true);
  wakeCount.fetch_add(1);
  futexWake(&wakeCount, INT_MAX);
  for (Thread &thread : threads)
    pthread_join(thread.handle, nullptr);
}

std::shared_ptr<ThreadPool> ThreadPool::shared(int workers) {
  CpuBudget budget = readCpuBudget();
  if (workers == 0)
    workers = budget.cores;
  std::shared_ptr<ThreadPool> pool;
  {
    std::lock_guard<std::mutex> lock(registry().mutex);
    pool = registry().shared[workers].lock();
  }
  if (pool)
    return pool;
  // Made outside the lock, which the constructor takes; two threads that make
  // one at the same time get one each.
  pool = std::make_shared<ThreadPool>(workers, !budget.hasQuota);
  std::lock_guard<std::mutex> lock(registry().mutex);
  registry().shared[workers] = pool;
  return pool;
}

void ThreadPool::startThreads() {
  std::lock_guard<std::mutex> lock(startMutex);
  if (started.load(std::memory_order_relaxed))
    return;
  threads.clear();
  threads.reserve(workerCount - 1); // threads keep pointers into it
  // Signals of the host are for the host's threads.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (int index = 1; index < workerCount; ++index) {
    threads.push_back({this, index, {}});
    Thread &thread = threads.back();
    if (pthread_create(&thread.handle, nullptr, threadMain, &thread) != 0) {
      threads.pop_back(); // fewer helpers: slower, still right
      break;
    }
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  started.store(true, std::memory_order_release);
}

void ThreadPool::resetAfterFork() {
  // Only the forking thread exists here; the others' handles mean nothing.
  new (&startMutex) std::mutex;
  threads.clear();
  for (Slot &slot : slots) {
    slot.state.store(0);
    slot.taken.store(false);
  }
  sleepers.store(0);
  callers.store(0);
  started.store(false);
}

void *ThreadPool::threadMain(void *thread) {
  Thread *self = static_cast<Thread *>(thread);
  ownPool = self->pool;
  ownIndex = self->index;
  self->pool->work(self->index);
  return nullptr;
}

void ThreadPool::run(TesseraTask task, void *captures, int64_t tasks) {
  int64_t worker = ownPool == this ? ownIndex : 0;
  Slot *slot = tasks > 1 && workerCount > 1 ? takeSlot() : nullptr;
  if (!slot) {
    for (int64_t i = 0; i < tasks; ++i)
      task(captures, i, worker);
    return;
  }
  if (!started.load(std::memory_order_acquire))
    startThreads();
  for (int64_t first = 0; first < tasks; first += maxTasksPerSlot)
    runLoop(*slot, worker, task, captures, first,
            std::min(maxTasksPerSlot, tasks - first));
  slot->taken.store(false, std::memory_order_release);
}

void ThreadPool::runLoop(Slot &slot, int64_t worker, TesseraTask task,
                         void *captures, int64_t first, int64_t tasks) {
  slot.task = task;
  slot.captures = captures;
  slot.first = first;
  slot.tasks = tasks;
  // The first task is the owner's at once. Sequentially consistent with the
  // read of `sleepers` in wake: either a thread going to sleep sees the open
  // slot or we see the sleeper.
  slot.state.store(uint64_t(tasks - 1) << 32, std::memory_order_seq_cst);
  wake(tasks - 1);
  runClaimed(slot, worker, tasks, 1);
  waitForHelpers(slot);
}

ThreadPool::Slot *ThreadPool::takeSlot() {
  for (Slot &slot : slots)
    if (!slot.taken.load(std::memory_order_relaxed) &&
        !slot.taken.exchange(true, std::memory_order_acquire))
      return &slot;
  return nullptr;
}

/// Runs `claimed` tasks, the first of the `left`, then claims more until none
/// is left.
void ThreadPool::runClaimed(Slot &slot, int64_t worker, int64_t left,
                            int64_t claimed) {
  TesseraTask task = slot.task;
  void *captures = slot.captures;
  const int64_t end = slot.first + slot.tasks;
  while (left > 0) {
    int64_t count = std::min(claimed, left);
    for (int64_t i = end - left; i < end - left + count; ++i)
      task(captures, i, worker);
    left = tasksLeft(slot.state.load(std::memory_order_relaxed));
    if (left <= 0)
      return;
    claimed = claimSize(left, workerCount);
    left = tasksLeft(slot.state.fetch_sub(uint64_t(claimed) * oneTask,
                                          std::memory_order_relaxed));
  }
}

void ThreadPool::waitForHelpers(Slot &slot) {
  auto inside = [&] {
    return helpersInside(slot.state.load(std::memory_order_acquire));
  };
  if (!inside())
    return;
  auto limit = Clock::now() + (maySpin ? ownerSpin : microseconds(2));
  do {
    for (int i = 0; i < looksPerTime; ++i) {
      if (!inside())
        return;
      _mm_pause();
    }
  } while (Clock::now() < limit);

  uint64_t state =
      slot.state.fetch_or(ownerSleeps, std::memory_order_acquire) | ownerSleeps;
  while (helpersInside(state)) {
    futexWait(lowHalf(slot.state), uint32_t(state));
    state = slot.state.load(std::memory_order_acquire);
  }
}

bool ThreadPool::anyOpen() const {
  for (const Slot &slot : slots)
    if (tasksLeft(slot.state.load(std::memory_order_seq_cst)) > 0)
      return true;
  return false;
}

/// Joins an open loop, if there is one, and works until its tasks are claimed.
bool ThreadPool::helpAny(int64_t worker) {
  for (Slot &slot : slots) {
    uint64_t state = slot.state.load(std::memory_order_relaxed);
    int64_t left = tasksLeft(state);
    if (left <= 0)
      continue;
    // Acquire: what the owner wrote before opening. A stale `state` that equals
    // the one of a later loop joins that loop, which is as good: its fields are
    // read only after joining, and it cannot end before we leave.
    int64_t claimed = claimSize(left, workerCount);
    if (!slot.state.compare_exchange_strong(
            state, state - uint64_t(claimed) * oneTask + oneHelper,
            std::memory_order_acquire, std::memory_order_relaxed))
      return true; // somebody was faster; look again
    runClaimed(slot, worker, left, claimed);
    uint64_t before =
        slot.state.fetch_sub(oneHelper, std::memory_order_release);
    if (helpersInside(before) == 1 && (before & ownerSleeps))
      futexWake(lowHalf(slot.state), 1);
    return true;
  }
  return false;
}

void ThreadPool::work(int worker) {
  microseconds patience = firstSpin;
  auto idleSince = Clock::now();
  bool slept = false;
  while (!stopping.load(std::memory_order_relaxed)) {
    if (helpAny(worker)) {
      if (slept) {
        bool inReach = Clock::now() - idleSince < longestSpin;
        patience = inReach ? std::min(longestSpin, patience * 2)
                           : std::max(shortestSpin, patience / 2);
      }
      slept = false;
      idleSince = Clock::now();
      continue;
    }
    bool others = callers.load(std::memory_order_relaxed) > 1;
    if (maySpin && !slept && !others && Clock::now() - idleSince < patience) {
      for (int i = 0; i < looksPerTime && !anyOpen(); ++i)
        _mm_pause();
      continue;
    }
    slept = true;
    sleep();
  }
}

void ThreadPool::sleep() {
  uint32_t seen = wakeCount.load(std::memory_order_acquire);
  sleepers.fetch_add(1, std::memory_order_seq_cst);
  if (!anyOpen() && !stopping.load(std::memory_order_seq_cst))
    futexWait(&wakeCount, seen);
  sleepers.fetch_sub(1, std::memory_order_relaxed);
}

void ThreadPool::wake(int64_t helpers) {
  int64_t asleep = sleepers.load(std::memory_order_seq_cst);
  if (asleep == 0)
    return;
  // Other callers occupy cores already.
  int64_t others = callers.load(std::memory_order_relaxed) - 1;
  int64_t useful = std::min({helpers, asleep, workerCount - 1 - others});
  if (useful <= 0)
    return;
  wakeCount.fetch_add(1, std::memory_order_release);
  futexWake(&wakeCount, int(useful));
}

} // namespace tessera::runtime
