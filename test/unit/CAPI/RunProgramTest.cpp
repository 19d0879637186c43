#include "lib/CAPI/RunProgram.h"

#include <cerrno>
#include <csignal>
#include <gtest/gtest.h>

using namespace tessera;

namespace {

struct Shell {
  explicit Shell(const std::string &script)
      : result(runProgram("sh", {"-c", script}, [this](const std::string &line) {
          lines.push_back(line);
        })) {}
  std::vector<std::string> lines;
  ProgramResult result;
};

TEST(RunProgram, HandsLinesOn) {
  Shell run("echo one; echo two >&2; printf three; exit 4");
  EXPECT_EQ(run.result.kind, ProgramResult::Exited);
  EXPECT_EQ(run.result.code, 4);
  EXPECT_EQ(run.lines, (std::vector<std::string>{"one", "two", "three"}));
}

TEST(RunProgram, ReadsMoreThanAPipeHolds) {
  Shell run("i=0; while [ $i -lt 20000 ]; do echo line$i; i=$((i+1)); done");
  EXPECT_EQ(run.result.code, 0);
  ASSERT_EQ(run.lines.size(), 20000u);
  EXPECT_EQ(run.lines.back(), "line19999");
}

TEST(RunProgram, TellsSignals) {
  Shell run("kill -SEGV $$");
  EXPECT_EQ(run.result.kind, ProgramResult::Signalled);
  EXPECT_EQ(run.result.code, SIGSEGV);
}

TEST(RunProgram, TellsWhenThereIsNoProgram) {
  ProgramResult result =
      runProgram("/nowhere/tessera", {}, [](const std::string &) {});
  EXPECT_EQ(result.kind, ProgramResult::NotStarted);
  EXPECT_EQ(result.code, ENOENT);
}

} // namespace
