// Where a model's code is cut, and that parts come together again.
#include "lib/Target/CPU/Code/CodeParts.h"

#include "llvm/AsmParser/Parser.h"
#include "llvm/Bitcode/BitcodeReader.h"
#include "llvm/IR/LLVMContext.h"
#include "llvm/IR/Module.h"
#include "llvm/Support/SourceMgr.h"

#include "gtest/gtest.h"

using namespace llvm;
using namespace tessera::cpu;

namespace {

/// A function that stores `stores` numbers, and then runs `last`.
std::string function(StringRef name, unsigned stores, StringRef last = "") {
  std::string text = ("define internal void @" + name + "(ptr %p) {\n").str();
  for (unsigned i = 0; i < stores; ++i)
    text += "  store volatile i64 " + std::to_string(i) + ", ptr %p\n";
  return text + last.str() + "\n  ret void\n}\n";
}

class CodePartsTest : public testing::Test {
protected:
  /// The parts of `text`, a table with @main and what that calls.
  std::vector<std::unique_ptr<Module>> cut(const std::string &text) {
    SMDiagnostic error;
    code = parseAssemblyString("@table = constant { ptr } { ptr @main }\n" + text,
                               error, context);
    EXPECT_TRUE(code) << error.getMessage().str();
    std::vector<std::unique_ptr<Module>> parts;
    for (const CodeBytes &bytes : cutIntoParts(*code, ".0"))
      parts.push_back(cantFail(parseBitcodeFile(
          MemoryBufferRef(StringRef(bytes.data(), bytes.size()), "part"),
          context)));
    return parts;
  }

  /// "main exp.0" for a module with these functions; "-small" is a declared one.
  static std::string functionsOf(const Module &part) {
    std::string names;
    for (const Function &function : part)
      names += (names.empty() ? "" : " ") +
               std::string(function.isDeclaration() ? "-" : "") +
               function.getName().str();
    return names;
  }

  LLVMContext context;
  std::unique_ptr<Module> code;
};

const char *const kMain = R"(
define internal void @main(ptr %p) {
  call void @small(ptr %p)
  call void @exp(ptr %p)
  call void @rows(ptr %p)
  call void @last(ptr %p)
  ret void
})";

TEST_F(CodePartsTest, LargeKernelsArePartsWithAllThatTheyNeed) {
  auto parts = cut(
      std::string(kMain) + function("small", 10) +
      function("exp", 10, "store ptr @exp.task, ptr %p") +
      function("exp.task", 3000, "call void @shared(ptr %p)") +
      function("rows", 100, "call void @shared(ptr %p)") +
      function("last", 100) + function("shared", 5, "store ptr @text, ptr %p") +
      "@text = private constant [2 x i8] c\"a\\00\"");
  ASSERT_EQ(parts.size(), 3u);
  EXPECT_EQ(functionsOf(*parts[0]), "main small -exp.0 -rows.0 -last.0");
  EXPECT_EQ(functionsOf(*parts[1]), "exp.0 exp.task shared");
  EXPECT_EQ(functionsOf(*parts[2]), "rows.0 last.0 shared");
  for (auto [part, name] : {std::pair(0, "exp.0"), {1, "exp.0"}})
    EXPECT_EQ(parts[part]->getFunction(name)->getVisibility(),
              GlobalValue::HiddenVisibility);
  EXPECT_TRUE(parts[0]->getNamedGlobal("table")->hasInitializer());
  for (unsigned part : {1, 2}) {
    EXPECT_TRUE(parts[part]->getFunction("shared")->hasInternalLinkage());
    EXPECT_TRUE(parts[part]->getNamedGlobal("text")->hasInitializer());
    EXPECT_FALSE(parts[part]->getNamedGlobal("table"));
  }
}

TEST_F(CodePartsTest, ArgumentsThatAllCallsGiveAreFixed) {
  auto parts = cut(R"(
define internal void @main(ptr %p) {
  call void @rows(ptr %p, i64 0, i64 1, i64 7)
  call void @rows(ptr %p, i64 0, i64 2, i64 8)
  ret void
}
define internal void @rows(ptr %p, i64 %same, i64 %differs, i64 %unused) {
  call void @body(ptr %p)
  store volatile i64 %same, ptr %p
  store volatile i64 %differs, ptr %p
  ret void
})" + function("body", 100));
  ASSERT_EQ(parts.size(), 2u);
  for (const auto &part : parts)
    EXPECT_EQ(part->getFunction("rows.0")->arg_size(), 2u);
  EXPECT_EQ(functionsOf(*parts[1]), "rows.0 body");
}

TEST_F(CodePartsTest, SmallKernelsStayWithTheEntry) {
  EXPECT_TRUE(cut(std::string(kMain) + function("small", 10) +
                  function("exp", 10) + function("rows", 10) +
                  function("last", 10))
                  .empty());
}

TEST_F(CodePartsTest, CodeWithVariablesIsNotCut) {
  EXPECT_TRUE(cut(std::string(kMain) + function("small", 10) +
                  function("exp", 3000) + function("rows", 3000) +
                  function("last", 10) + "@state = internal global i64 0")
                  .empty());
}

} // namespace
