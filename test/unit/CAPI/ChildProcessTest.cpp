#include "lib/CAPI/ChildProcess.h"

#include <cerrno>
#include <csignal>
#include <gtest/gtest.h>

using namespace tessera;

namespace {

struct Shell {
  explicit Shell(const std::string &script)
      : result(runChild("sh", {"-c", script}, [this](const std::string &line) {
          lines.push_back(line);
        })) {}
  std::vector<std::string> lines;
  ChildResult result;
};

TEST(ChildProcess, HandsLinesOn) {
  Shell run("echo one; echo two >&2; printf three; exit 4");
  EXPECT_EQ(run.result.kind, ChildResult::Exited);
  EXPECT_EQ(run.result.code, 4);
  EXPECT_EQ(run.lines, (std::vector<std::string>{"one", "two", "three"}));
}

TEST(ChildProcess, ReadsMoreThanAPipeHolds) {
  Shell run("i=0; while [ $i -lt 20000 ]; do echo line$i; i=$((i+1)); done");
  EXPECT_EQ(run.result.code, 0);
  ASSERT_EQ(run.lines.size(), 20000u);
  EXPECT_EQ(run.lines.back(), "line19999");
}

TEST(ChildProcess, TellsSignals) {
  Shell run("kill -SEGV $$");
  EXPECT_EQ(run.result.kind, ChildResult::Signalled);
  EXPECT_EQ(run.result.code, SIGSEGV);
}

TEST(ChildProcess, TellsWhenThereIsNoProgram) {
  ChildResult result =
      runChild("/nowhere/tessera", {}, [](const std::string &) {});
  EXPECT_EQ(result.kind, ChildResult::NotStarted);
  EXPECT_EQ(result.code, ENOENT);
}

} // namespace
