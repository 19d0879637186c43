// Threads of a compilation, and what is done where none can be started.
#include "lib/Pipeline/CompileThreads.h"

#include "gtest/gtest.h"

#include <atomic>
#include <cstdlib>

using namespace tessera;

namespace {

/// Tasks that wait for tasks of their own, as passes on functions in passes on
/// modules do; how many of the inner ones ran.
int runNested(CompileThreads &threads) {
  std::atomic<int> done{0};
  for (int outer = 0; outer < 20; ++outer)
    threads.async([&] {
      llvm::ThreadPoolTaskGroup group(threads);
      for (int inner = 0; inner < 10; ++inner)
        group.async([&] { ++done; });
      group.wait();
    });
  threads.wait();
  return done;
}

TEST(CompileThreads, RunAllTasksBeforeAWaitEnds) {
  for (unsigned count : {1, 2, 5}) {
    CompileThreads threads(count);
    EXPECT_EQ(threads.getMaxConcurrency(), count);
    for (int repeat = 0; repeat < 50; ++repeat)
      EXPECT_EQ(runNested(threads), 200);
  }
}

TEST(CompileThreads, FinishWhatNobodyWaitsFor) {
  std::atomic<int> done{0};
  {
    CompileThreads threads(3);
    for (int i = 0; i < 100; ++i)
      threads.async([&] { ++done; });
  }
  EXPECT_EQ(done, 100);
}

/// Every thread to come asks for more address space than there is.
void refuseThreads() {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, size_t(1) << 47);
  pthread_setattr_default_np(&attributes);
}

TEST(CompileThreadsDeathTest, WorkWithoutAnyThread) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        refuseThreads();
        CompileThreads threads(4);
        bool isRight =
            threads.getMaxConcurrency() == 1 && runNested(threads) == 200;
        std::_Exit(isRight ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

} // namespace
