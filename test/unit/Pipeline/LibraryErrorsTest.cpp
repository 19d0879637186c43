// What is said, and left behind, when a library cannot be written.
#include "Pipeline/LibraryFixture.h"

#include "lib/Target/Artifact/LinkLibrary.h"

#include <filesystem>
#include <sys/resource.h>

using namespace mlir;
using namespace tessera;

namespace {

TEST_F(LibraryTest, MissingFolder) {
  options.outputPath = file("missing/model.so");
  EXPECT_TRUE(failed(compile()));
  EXPECT_NE(messages.find("cannot write to folder"), std::string::npos)
      << messages;
  EXPECT_NE(messages.find("missing"), std::string::npos) << messages;
}

TEST_F(LibraryTest, MissingLinker) {
  options.linker = file("no-linker");
  EXPECT_TRUE(failed(compile()));
  EXPECT_NE(messages.find("cannot run the linker"), std::string::npos)
      << messages;
  EXPECT_FALSE(std::ifstream(options.outputPath).good());
}

/// Names in the folder, hidden ones too.
std::vector<std::string> namesIn(const std::string &folder) {
  std::vector<std::string> names;
  for (const auto &file : std::filesystem::directory_iterator(folder))
    names.push_back(file.path().filename().string());
  return names;
}

// lld has a handler for the signal of this limit, which dumps the stack.
TEST_F(LibraryTest, LinkerMeetsTheLimitOnTheSizeOfFiles) {
  options.weightPlace = TESSERA_WEIGHTS_NONE;
  ASSERT_TRUE(succeeded(compile())) << messages;
  const rlim_t bytes = read(options.outputPath).size();
  std::string text = source;
  text.replace(text.find("WEIGHTS"), 7, file("weights.bin"));
  auto module = parseSourceString<ModuleOp>(text, &context);
  options.outputPath = file("model.o");
  options.form = ArtifactForm::Object;
  ASSERT_TRUE(succeeded(write({codeFor(*module, "x86-64-v3")})));
  const std::vector<std::string> before = namesIn(folder.path);

  rlimit limit;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit less = {bytes - 1, limit.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &less), 0);
  std::string message = llvm::toString(
      artifact::linkLibrary({options.outputPath}, file("linked.so")));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  EXPECT_NE(message.find("File too large"), std::string::npos) << message;
  EXPECT_EQ(message.find("Stack dump"), std::string::npos) << message;
  EXPECT_EQ(namesIn(folder.path), before);
}

TEST_F(LibraryTest, LinkerDies) {
  options.linker = folder.write(
      "linker", "#!/bin/sh\necho Stack dump; touch $3.tmp1234567; kill -ABRT $$\n");
  std::filesystem::permissions(options.linker, std::filesystem::perms::all);
  const std::vector<std::string> before = namesIn(folder.path);
  EXPECT_TRUE(failed(compile()));
  EXPECT_EQ(messages, "cannot write '" + options.outputPath +
                          "': linking failed (" + options.linker +
                          "): ended by a signal: Aborted\n");
  EXPECT_EQ(namesIn(folder.path), before);
}

TEST_F(LibraryTest, LinkerSaysNothing) {
  options.linker = folder.write("linker", "#!/bin/sh\nexit 3\n");
  std::filesystem::permissions(options.linker, std::filesystem::perms::all);
  EXPECT_TRUE(failed(compile()));
  EXPECT_NE(messages.find("): exit code 3\n"), std::string::npos) << messages;
}

TEST_F(LibraryTest, TruncatedWeightSource) {
  folder.write("weights.bin", "abcd");
  EXPECT_TRUE(failed(compile()));
  EXPECT_NE(messages.find("but the file has 4 bytes"), std::string::npos)
      << messages;
  EXPECT_FALSE(std::ifstream(options.outputPath).good());
}

TEST_F(LibraryTest, NoMachine) {
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    messages += diagnostic.str();
    return success();
  });
  auto module = parseSourceString<ModuleOp>("module {}", &context);
  EXPECT_EQ(writeArtifact(CodeForCpu{*module}, options).status,
            ArtifactResult::NoCode);
  EXPECT_EQ(messages, "expects a machine, but the module has no attribute "
                      "'kernel.machine': run kernel-set-machine before");
}

} // namespace
