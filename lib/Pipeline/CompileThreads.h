/// Threads that LLVM and MLIR give tasks to: as many as asked for, or as the system
/// lets start.
#ifndef TESSERA_LIB_PIPELINE_COMPILETHREADS_H
#define TESSERA_LIB_PIPELINE_COMPILETHREADS_H

#include "llvm/Support/ThreadPool.h"

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <pthread.h>
#include <vector>

namespace tessera {

/// llvm::DefaultThreadPool ends the process, which may be a host's, where a thread
/// cannot be started: a container limits them, or memory is short. Here a thread that
/// waits works on what it waits for, so that all is done by one thread too.
class CompileThreads : public llvm::ThreadPoolInterface {
public:
  /// Works with at most `count` threads, of which the one that waits is one.
  explicit CompileThreads(unsigned count);
  ~CompileThreads() override;
  CompileThreads(const CompileThreads &) = delete;

  void wait() override;
  void wait(llvm::ThreadPoolTaskGroup &group) override;
  /// Threads that work, with the one that waits.
  unsigned getMaxConcurrency() const override { return threads.size() + 1; }

private:
  struct Task {
    llvm::unique_function<void()> run;
    llvm::ThreadPoolTaskGroup *group;
  };

  void asyncEnqueue(llvm::unique_function<void()> run,
                    llvm::ThreadPoolTaskGroup *group) override;
  static void *threadMain(void *pool);
  /// Works on tasks of `group` (null: on all) until none of them is left.
  void finish(llvm::ThreadPoolTaskGroup *group);
  /// Takes a task of `group` off the queue and runs it, unlocked; false if there is
  /// none.
  bool runOne(std::unique_lock<std::mutex> &lock,
              llvm::ThreadPoolTaskGroup *group);

  std::mutex mutex;
  std::condition_variable changed;
  std::deque<Task> queue;
  /// Tasks that are queued or run: of each group, and of all (null).
  std::map<llvm::ThreadPoolTaskGroup *, unsigned> unfinished;
  bool isStopping = false;
  std::vector<pthread_t> threads;
};

} // namespace tessera

#endif // TESSERA_LIB_PIPELINE_COMPILETHREADS_H
