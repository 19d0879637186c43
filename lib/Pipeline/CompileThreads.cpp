// Threads of a compilation; see the header.
#include "lib/Pipeline/CompileThreads.h"

#include "llvm/ADT/STLExtras.h"

using namespace tessera;

CompileThreads::CompileThreads(unsigned count) {
  for (unsigned i = 1; i < count; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, threadMain, this) != 0)
      return; // fewer: slower, still right
    threads.push_back(thread);
  }
}

CompileThreads::~CompileThreads() {
  wait();
  {
    std::lock_guard<std::mutex> lock(mutex);
    isStopping = true;
  }
  changed.notify_all();
  for (pthread_t thread : threads)
    pthread_join(thread, nullptr);
}

void CompileThreads::asyncEnqueue(llvm::unique_function<void()> run,
                                  llvm::ThreadPoolTaskGroup *group) {
  {
    std::lock_guard<std::mutex> lock(mutex);
    ++unfinished[nullptr];
    if (group)
      ++unfinished[group];
    queue.push_back({std::move(run), group});
  }
  // All: those that wait for a group take its tasks only.
  changed.notify_all();
}

bool CompileThreads::runOne(std::unique_lock<std::mutex> &lock,
                            llvm::ThreadPoolTaskGroup *group) {
  auto found = llvm::find_if(queue, [&](const Task &task) {
    return !group || task.group == group;
  });
  if (found == queue.end())
    return false;
  Task task = std::move(*found);
  queue.erase(found);
  lock.unlock();
  task.run();
  task.run = nullptr; // what it holds is gone when it is done
  lock.lock();
  --unfinished[nullptr];
  if (task.group && --unfinished[task.group] == 0)
    unfinished.erase(task.group);
  changed.notify_all();
  return true;
}

void *CompileThreads::threadMain(void *pool) {
  auto &self = *static_cast<CompileThreads *>(pool);
  std::unique_lock<std::mutex> lock(self.mutex);
  while (!self.isStopping)
    if (!self.runOne(lock, nullptr))
      self.changed.wait(lock);
  return nullptr;
}

void CompileThreads::finish(llvm::ThreadPoolTaskGroup *group) {
  std::unique_lock<std::mutex> lock(mutex);
  auto isDone = [&] {
    auto found = unfinished.find(group);
    return found == unfinished.end() || found->second == 0;
  };
  while (!isDone())
    if (!runOne(lock, group))
      changed.wait(lock);
}

void CompileThreads::wait() { finish(nullptr); }

void CompileThreads::wait(llvm::ThreadPoolTaskGroup &group) { finish(&group); }
