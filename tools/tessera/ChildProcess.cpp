// Work in a child process, so that a crash becomes an error.
#include "tools/tessera/ChildProcess.h"
#include "tools/tessera/ExitCodes.h"
#include "tools/tessera/Messages.h"

#include "llvm/Support/ErrorHandling.h"
#include "llvm/Support/Signals.h"
#include "llvm/Support/raw_ostream.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <new>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace tessera::tool;

namespace {

volatile sig_atomic_t childProcess = 0;
volatile sig_atomic_t lastSignal = 0;

/// To the child's group: the linker, too, must not finish its file.
void passOn(int signal) {
  lastSignal = signal;
  if (childProcess > 0)
    kill(-childProcess, signal);
}

/// Takes SIGINT and SIGTERM while it lives. They are held back until begin(),
/// so that none falls between the fork and its handler.
class SignalsToChild {
public:
  SignalsToChild() {
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, &maskBefore);
    struct sigaction action = {};
    action.sa_handler = passOn;
    sigaction(SIGINT, &action, &interruptBefore);
    sigaction(SIGTERM, &action, &terminateBefore);
  }
  ~SignalsToChild() { restore(); }

  /// In the parent.
  void begin(pid_t child) {
    childProcess = child;
    sigprocmask(SIG_SETMASK, &maskBefore, nullptr);
  }
  /// In the child: as if there were no handlers.
  void restore() {
    childProcess = 0;
    sigaction(SIGINT, &interruptBefore, nullptr);
    sigaction(SIGTERM, &terminateBefore, nullptr);
    sigprocmask(SIG_SETMASK, &maskBefore, nullptr);
  }

private:
  sigset_t signals, maskBefore;
  struct sigaction interruptBefore, terminateBefore;
};

void runOutOfMemory() {
  static const char message[] =
      "error: out of memory; give the process more, or take the limit away\n";
  // Nothing here may allocate.
  (void)!write(STDERR_FILENO, message, sizeof message - 1);
  llvm::sys::RunInterruptHandlers(); // removes unfinished files
  _exit(kOutOfMemory);
}

/// Not all of LLVM looks at what malloc gives: a crash of a process that gets no
/// more memory is for want of it. Else the signal takes its usual way.
void explainCrash(int signal) {
  constexpr size_t kLeastGrowth = 1 << 20; // of the heap
  if (mmap(nullptr, kLeastGrowth, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
      MAP_FAILED)
    runOutOfMemory();
  raise(signal);
}

void explainCrashes() {
  static char stack[64 << 10]; // the process's own may be what is used up
  stack_t own = {};
  own.ss_sp = stack;
  own.ss_size = sizeof stack;
  sigaltstack(&own, nullptr);
  struct sigaction action = {};
  action.sa_handler = explainCrash;
  action.sa_flags = SA_ONSTACK | SA_RESETHAND | SA_NODEFER;
  sigaction(SIGSEGV, &action, nullptr);
  sigaction(SIGBUS, &action, nullptr);
}

[[noreturn]] void childMain(const std::function<int()> &work, pid_t parent) {
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent)
    _exit(128 + SIGTERM);
  // No core files from the compiler on a user's machine.
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  exitWhenOutOfMemory();
  explainCrashes();
  int code = finishOutput(work());
  llvm::errs().flush();
  _exit(code);
}

int explain(int status, const ChildTexts &texts) {
  if (WIFEXITED(status))
    return WEXITSTATUS(status);
  int signal = WTERMSIG(status);
  if (signal == SIGINT || signal == SIGTERM || signal == SIGPIPE)
    return 128 + signal;
  llvm::errs() << "error: ";
  if (signal == SIGKILL) {
    llvm::errs() << "killed while " << texts.doing
                 << ", probably for want of memory\n";
    return kOutOfMemory;
  }
  llvm::errs() << (texts.crashCode == kInternalError ? "internal error while "
                                                     : "crash while ")
               << texts.doing << ": " << strsignal(signal)
               << "\nnote: " << texts.crashNote << '\n';
  return texts.crashCode;
}

} // namespace

void tessera::tool::exitWhenOutOfMemory() {
  std::set_new_handler(runOutOfMemory);
  llvm::install_bad_alloc_error_handler(
      [](void *, const char *, bool) { runOutOfMemory(); });
}

int tessera::tool::runInChild(const std::function<int()> &work,
                              const ChildTexts &texts) {
  llvm::outs().flush();
  llvm::errs().flush();
  lastSignal = 0;
  SignalsToChild signals;
  const pid_t parent = getpid();
  pid_t child = fork();
  if (child < 0) {
    llvm::errs() << "error: cannot start a process: " << strerror(errno)
                 << '\n';
    return kOutOfMemory;
  }
  if (child == 0) {
    signals.restore();
    childMain(work, parent);
  }
  setpgid(child, child); // whoever comes first
  signals.begin(child);
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR) {
      llvm::errs() << "error: lost the process that was " << texts.doing << ": "
                   << strerror(errno) << '\n';
      return kInternalError;
    }
  // Also if the child caught it and ended by itself, but not if it was done.
  bool isDone = WIFEXITED(status) && WEXITSTATUS(status) == 0;
  if (lastSignal && !isDone)
    return 128 + lastSignal;
  return explain(status, texts);
}
