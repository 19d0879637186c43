// Work in a child process, so that a crash of LLVM becomes an error.
#include "tools/tessera/ChildProcess.h"

#include "lib/Pipeline/Compiler.h"

#include "llvm/Support/raw_ostream.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace tessera;

static volatile pid_t childProcess = 0;

static void passOn(int signal) {
  if (childProcess > 0)
    kill(childProcess, signal);
}

static int internalError(const std::string &doing, const std::string &cause) {
  llvm::errs() << "error: internal error while " << doing << ": " << cause
               << "\nnote: run again with --in-process --save-states DIR to "
                  "see where, and please report it\n";
  return static_cast<int>(CompileStatus::InternalError);
}

int tool::runInChild(const std::function<int()> &work,
                     const std::string &doing) {
  llvm::outs().flush();
  llvm::errs().flush();
  pid_t pid = fork();
  if (pid < 0)
    return internalError(doing, std::string("cannot fork: ") + strerror(errno));
  if (pid == 0) {
    // No core files from the compiler on a user's machine.
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    int code = work();
    llvm::outs().flush();
    llvm::errs().flush();
    _exit(code);
  }
  childProcess = pid;
  struct sigaction action = {};
  action.sa_handler = passOn;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
  int status = 0;
  while (waitpid(pid, &status, 0) < 0)
    if (errno != EINTR)
      return internalError(doing, strerror(errno));
  childProcess = 0;
  if (WIFEXITED(status))
    return WEXITSTATUS(status);
  int signal = WTERMSIG(status);
  if (signal == SIGINT || signal == SIGTERM)
    return 128 + signal;
  return internalError(doing, signal == SIGKILL
                                  ? "the compiler was killed (out of memory?)"
                                  : strsignal(signal));
}
