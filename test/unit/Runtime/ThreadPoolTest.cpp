#include "lib/Runtime/ThreadPool.h"

#include <gtest/gtest.h>
#include <future>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <xmmintrin.h>

using namespace tessera::runtime;

namespace {

/// Counts how often each task ran, and checks that no two tasks at once have
/// the same worker.
struct Counter {
  Counter(int64_t tasks, int64_t workers)
      : runs(tasks), busy(workers), workers(workers) {}

  static void task(void *captures, int64_t task, int64_t worker) {
    Counter &self = *static_cast<Counter *>(captures);
    if (worker < 0 || worker >= self.workers ||
        self.busy[worker].exchange(true)) {
      self.violations.fetch_add(1);
      return;
    }
    self.runs[task].fetch_add(1);
    self.busy[worker].store(false);
  }

  void expectEachOnce() const {
    EXPECT_EQ(violations.load(), 0);
    for (const std::atomic<int> &count : runs)
      ASSERT_EQ(count.load(), 1);
  }

  std::vector<std::atomic<int>> runs;
  std::vector<std::atomic<bool>> busy;
  std::atomic<int> violations{0};
  int64_t workers;
};

void runOnce(ThreadPool &pool, int64_t tasks) {
  Counter counter(tasks, pool.workers());
  ThreadPool::parallelFor(&pool, Counter::task, &counter, tasks);
  counter.expectEachOnce();
}

class ThreadPoolSizes : public testing::TestWithParam<std::tuple<int, bool>> {};

TEST_P(ThreadPoolSizes, RunsEachTaskOnce) {
  auto [workers, spin] = GetParam();
  ThreadPool pool(workers, spin);
  for (int64_t tasks : {0, 1, 2, 3, 7, 100, 5000})
    for (int repeat = 0; repeat < 20; ++repeat)
      runOnce(pool, tasks);
}

INSTANTIATE_TEST_SUITE_P(, ThreadPoolSizes,
                         testing::Combine(testing::Values(1, 2, 3, 8),
                                          testing::Bool()));

TEST(ThreadPool, WakesSleepingThreads) {
  ThreadPool pool(3, /*spin=*/false);
  for (int repeat = 0; repeat < 20; ++repeat) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    // Two tasks that wait for each other end only if a second thread comes.
    std::atomic<int> arrived{0};
    auto meet = [](void *captures, int64_t, int64_t) {
      auto &arrived = *static_cast<std::atomic<int> *>(captures);
      arrived.fetch_add(1);
      while (arrived.load() < 2)
        std::this_thread::yield();
    };
    pool.run(meet, &arrived, 2);
    EXPECT_EQ(arrived.load(), 2);
  }
}

struct Nested {
  ThreadPool &pool;
  std::atomic<int64_t> total{0};
  std::atomic<int> wrongWorkers{0};

  static void leaf(void *captures, int64_t, int64_t worker) {
    Nested &self = *static_cast<Nested *>(captures);
    self.total.fetch_add(1);
    if (worker < 0 || worker >= self.pool.workers())
      self.wrongWorkers.fetch_add(1);
  }
  static void middle(void *captures, int64_t, int64_t) {
    static_cast<Nested *>(captures)->pool.run(leaf, captures, 10);
  }
  static void outer(void *captures, int64_t, int64_t) {
    static_cast<Nested *>(captures)->pool.run(middle, captures, 5);
  }
};

TEST(ThreadPool, LoopsNest) {
  for (int workers : {1, 2, 4}) {
    ThreadPool pool(workers, true);
    Nested nested{pool};
    for (int repeat = 0; repeat < 100; ++repeat)
      pool.run(Nested::outer, &nested, 7);
    EXPECT_EQ(nested.total.load(), 100 * 7 * 5 * 10);
    EXPECT_EQ(nested.wrongWorkers.load(), 0);
  }
}

TEST(ThreadPool, ServesManyCallersAtOnce) {
  // More callers than slots, so that some loops run without help.
  ThreadPool pool(4, true);
  std::vector<std::future<void>> callers; // they are waited for at its end
  for (int caller = 0; caller < 24; ++caller)
    callers.push_back(std::async(std::launch::async, [&pool, caller] {
      for (int repeat = 0; repeat < 200; ++repeat) {
        ThreadPool::Caller bracket(pool);
        runOnce(pool, 1 + (caller * 13 + repeat) % 50);
      }
    }));
}

TEST(ThreadPool, SharesPoolsOfEqualSize) {
  std::shared_ptr<ThreadPool> two = ThreadPool::shared(2);
  EXPECT_EQ(two->workers(), 2);
  EXPECT_EQ(ThreadPool::shared(2), two);
  EXPECT_NE(ThreadPool::shared(3), two);
  EXPECT_GE(ThreadPool::shared(0)->workers(), 1);
}

TEST(ThreadPool, ChildOfForkHasThreadsOfItsOwn) {
  for (bool spin : {true, false}) {
    ThreadPool pool(4, spin);
    for (int round = 0; round < 5; ++round) {
      runOnce(pool, 100);
      pid_t child = fork();
      if (child == 0) {
        for (int repeat = 0; repeat < 50; ++repeat)
          runOnce(pool, 100);
        _exit(testing::Test::HasFailure() ? 1 : 0);
      }
      int status = 1;
      waitpid(child, &status, 0);
      EXPECT_EQ(status, 0);
    }
    runOnce(pool, 100);
  }
}

TEST(ThreadPool, LeavesFloatingPointControlAlone) {
  ThreadPool pool(4, true);
  const unsigned before = _mm_getcsr();
  struct Seen {
    unsigned expected;
    std::atomic<int> different{0};
  } seen{before & ~0x3fu}; // without the exception flags
  auto look = [](void *captures, int64_t, int64_t) {
    Seen &seen = *static_cast<Seen *>(captures);
    if ((_mm_getcsr() & ~0x3fu) != seen.expected)
      seen.different.fetch_add(1);
  };
  for (int repeat = 0; repeat < 100; ++repeat)
    pool.run(look, &seen, 50);
  EXPECT_EQ(seen.different.load(), 0);
  EXPECT_EQ(_mm_getcsr(), before);
}

} // namespace
