#include "lib/CAPI/RunProgram.h"

#include <cerrno>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace tessera {
namespace {

/// Reads until the end and cuts at line breaks.
void readLines(int descriptor,
               const std::function<void(const std::string &)> &line) {
  std::string pending;
  char buffer[4096];
  for (;;) {
    ssize_t count = read(descriptor, buffer, sizeof buffer);
    if (count < 0 && errno == EINTR)
      continue;
    if (count <= 0)
      break;
    pending.append(buffer, count);
    for (size_t end; (end = pending.find('\n')) != std::string::npos;) {
      line(pending.substr(0, end));
      pending.erase(0, end + 1);
    }
  }
  if (!pending.empty())
    line(pending);
}

} // namespace

ProgramResult runProgram(const std::string &program,
                         const std::vector<std::string> &arguments,
                         const std::function<void(const std::string &)> &line) {
  // Closed on exec, so that a child another thread starts at this moment does
  // not keep our reading end from seeing the end.
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0)
    return {ProgramResult::NotStarted, errno};
  std::vector<char *> argv = {const_cast<char *>(program.c_str())};
  for (const std::string &argument : arguments)
    argv.push_back(const_cast<char *>(argument.c_str()));
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  pid_t child;
  int error = posix_spawnp(&child, program.c_str(), &actions, nullptr,
                           argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  if (error == 0)
    readLines(ends[0], line);
  close(ends[0]);
  if (error != 0)
    return {ProgramResult::NotStarted, error};

  int status;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      return {ProgramResult::NotStarted, errno};
  if (WIFSIGNALED(status))
    return {ProgramResult::Signalled, WTERMSIG(status)};
  return {ProgramResult::Exited, WEXITSTATUS(status)};
}

} // namespace tessera
