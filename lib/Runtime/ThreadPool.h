// The threads that run the tasks of parallel loops.
#ifndef TESSERA_RUNTIME_THREADPOOL_H
#define TESSERA_RUNTIME_THREADPOOL_H

#include "tessera/abi.h"

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <pthread.h>
#include <vector>

namespace tessera::runtime {

/// A pool of `workers` threads, one of which is whoever calls parallelFor.
///
/// A parallel loop occupies a slot: its owner writes task and count there and
/// opens it; idle threads find it by looking at all slots, join it and claim
/// tasks until none is left; the owner claims as well and at the end waits for
/// those who joined. The state of a slot is one word, so that joining and the
/// first claim are one compare-exchange:
///
///     bits 63..32  tasks left to claim, signed; <= 0: closed
///     bit  31      the owner sleeps until the last helper leaves
///     bits 30..0   helpers inside
///
/// Several owners at once have a slot each; a task that calls parallelFor is an
/// owner as well; an owner who finds no free slot does all tasks itself. Nobody
/// waits for anything but tasks that are running, so loops cannot deadlock.
///
/// Idle threads spin for up to a millisecond, about one small inference, then
/// sleep on a futex; each adapts its spinning to how long it pays. Under a CPU
/// quota nobody spins. After fork the child starts threads of its own at the
/// first loop (fork from inside a task is not supported). Floating-point
/// control registers are never changed.
class ThreadPool {
public:
  /// A pool of `workers` threads, the caller's included; `spin` false: idle
  /// threads sleep at once. The threads start with the first loop.
  ThreadPool(int workers, bool spin);
  ~ThreadPool();
  ThreadPool(const ThreadPool &) = delete;

  /// The pool of this many threads that all sessions share, 0: as many as
  /// readCpuBudget() says. It lives as long as somebody holds it.
  static std::shared_ptr<ThreadPool> shared(int workers);

  /// The number of threads; worker indices are below it. A pool thread has the
  /// same index in every loop, a thread from outside has 0.
  int64_t workers() const { return workerCount; }

  /// Runs task(captures, 0 .. tasks-1, worker) and returns when all have ended.
  void run(TesseraTask task, void *captures, int64_t tasks);

  /// run() with the signature that the ABI asks for.
  static void parallelFor(void *pool, TesseraTask task, void *captures,
                          int64_t tasks) {
    static_cast<ThreadPool *>(pool)->run(task, captures, tasks);
  }

  /// While several callers are active, idle threads leave the cores to them.
  /// Bracket each run of a model, not each loop.
  class Caller {
  public:
    explicit Caller(ThreadPool &pool) : pool(pool) {
      pool.callers.fetch_add(1, std::memory_order_relaxed);
    }
    ~Caller() { pool.callers.fetch_sub(1, std::memory_order_relaxed); }
    Caller(const Caller &) = delete;

  private:
    ThreadPool &pool;
  };

private:
  struct alignas(128) Slot {
    std::atomic<uint64_t> state{0};
    TesseraTask task;
    void *captures;
    int64_t first, tasks;
    /// On a line of its own: waiting threads read only `state`.
    alignas(128) std::atomic<bool> taken{false};
  };
  struct Thread {
    ThreadPool *pool;
    int index;
    pthread_t handle;
  };
  friend struct ForkHandlers;

  void startThreads();
  void resetAfterFork();
  static void *threadMain(void *thread);
  void work(int worker);
  void runLoop(Slot &slot, int64_t worker, TesseraTask task, void *captures,
               int64_t first, int64_t tasks);
  Slot *takeSlot();
  bool helpAny(int64_t worker);
  bool anyOpen() const;
  void runClaimed(Slot &slot, int64_t worker, int64_t left, int64_t claimed);
  void waitForHelpers(Slot &slot);
  void wake(int64_t helpers);
  void sleep();

  static constexpr int slotCount = 16;

  const int workerCount;
  const bool maySpin;
  std::array<Slot, slotCount> slots;
  /// Changes when sleeping threads shall look again; they sleep on it.
  alignas(128) std::atomic<uint32_t> wakeCount{0};
  std::atomic<int32_t> sleepers{0};
  std::atomic<bool> stopping{false};
  alignas(128) std::atomic<int32_t> callers{0};
  std::atomic<bool> started{false};
  std::mutex startMutex;
  std::vector<Thread> threads;
};

} // namespace tessera::runtime

#endif // TESSERA_RUNTIME_THREADPOOL_H
