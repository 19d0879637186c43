#include "lib/CAPI/CompileFlags.h"

#include <gtest/gtest.h>

using namespace tessera;

namespace {

TEST(CompileFlags, SetOptions) {
  CompileOptions options;
  EXPECT_EQ(setCompileOption(options, "shape", "seq=1:128:512"), "");
  EXPECT_EQ(setCompileOption(options, "shape", "a=b.0=4"), "");
  EXPECT_EQ(setCompileOption(options, "opt-level", "0"), "");
  EXPECT_EQ(setCompileOption(options, "cpu", "znver4"), "");
  EXPECT_EQ(setCompileOption(options, "machine", "m.json"), "");
  EXPECT_EQ(setCompileOption(options, "emit", "asm"), "");
  EXPECT_EQ(setCompileOption(options, "weights", "file"), "");
  EXPECT_EQ(setCompileOption(options, "jobs", "3"), "");
  EXPECT_EQ(setCompileOption(options, "save-states", "states"), "");
  EXPECT_EQ(setCompileOption(options, "report", "report.json"), "");
  EXPECT_EQ(setCompileOption(options, "load-pass-plugin", "p.so"), "");
  EXPECT_EQ(setCompileOption(options, "run-passes", "graph=a{b=1},c"), "");
  using Shapes = std::vector<std::pair<std::string, std::string>>;
  EXPECT_EQ(options.shapes, (Shapes{{"seq", "1:128:512"}, {"a=b.0", "4"}}));
  EXPECT_EQ(options.optimizationLevel, 0);
  EXPECT_EQ(options.cpu, "znver4");
  EXPECT_EQ(options.machineFile, "m.json");
  EXPECT_EQ(options.emit, EmitKind::Assembly);
  EXPECT_EQ(options.weights, "file");
  EXPECT_EQ(options.jobs, 3u);
  EXPECT_EQ(options.saveStates, "states");
  EXPECT_EQ(options.report, "report.json");
  EXPECT_EQ(options.passPlugins, std::vector<std::string>{"p.so"});
  EXPECT_EQ(options.extraPasses, (Shapes{{"graph", "a{b=1},c"}}));
}

TEST(CompileFlags, ReportWhatIsWrong) {
  CompileOptions options;
  EXPECT_EQ(setCompileOption(options, "colour", "red"),
            "unknown option 'colour'");
  EXPECT_EQ(setCompileOption(options, "opt-level", "4"),
            "option 'opt-level' expects 0, 1, 2 or 3 but got '4'");
  for (const char *value : {"-1", "many", "1025"})
    EXPECT_EQ(setCompileOption(options, "jobs", value),
              "option 'jobs' expects a number from 0 to 1024 but got '" +
                  std::string(value) + "'");
  EXPECT_EQ(setCompileOption(options, "emit", "exe"),
            "option 'emit' expects graph, kernel, buffer, llvm, asm, object or "
            "so but got 'exe'");
  EXPECT_NE(setCompileOption(options, "run-passes", "cse"), "");
  for (const char *value : {"128", "=128"})
    EXPECT_EQ(setCompileOption(options, "shape", value),
              "option 'shape' expects NAME=SIZE or NAME=MIN:TYPICAL:MAX but "
              "got '" +
                  std::string(value) + "'");
}

TEST(CompileFlags, MakeTheCommandLine) {
  const TesseraCompileOption options[] = {{"shape", "seq=128"},
                                          {"compiler", "/bin/tessera"},
                                          {"opt-level", "2"},
                                          {"shape", "batch=1"}};
  EXPECT_EQ(
      commandLine("m.onnx", "m.so", options, 4),
      (std::vector<std::string>{"compile", "m.onnx", "-o", "m.so",
                                "--shape=seq=128", "-O2", "--shape=batch=1"}));
}

} // namespace
