// What passes that the user adds leave is verified as that state.
#include "lib/Pipeline/ExtraPasses.h"
#include "lib/Pipeline/Pipelines.h"

#include "mlir/IR/BuiltinOps.h"
#include "mlir/Parser/Parser.h"
#include "gtest/gtest.h"

using namespace mlir;

namespace {

/// What is said when `cse`, which changes nothing here, was added to `state` and
/// a module with that body is there at its end; "" if nothing is.
std::string messageAt(StringRef state, StringRef body) {
  llvm::cantFail(tessera::registerExtraPasses({}));
  DialectRegistry registry;
  tessera::registerDialects(registry);
  MLIRContext context(registry);
  OwningOpRef<ModuleOp> module = parseSourceString<ModuleOp>(body, &context);
  if (!module)
    return "does not parse";
  std::string message;
  ScopedDiagnosticHandler handler(&context, [&](Diagnostic &diagnostic) {
    message += diagnostic.str();
    return success();
  });
  PassManager passes(&context);
  llvm::cantFail(
      tessera::addExtraPasses(passes, state, {{state.str(), "cse"}}));
  const bool isDone = succeeded(passes.run(*module));
  EXPECT_EQ(isDone, message.empty());
  return message;
}

constexpr StringLiteral kAllocation =
    "func.func @f() -> memref<4xf32> {\n"
    "  %m = memref.alloc() : memref<4xf32>\n"
    "  return %m : memref<4xf32>\n"
    "}\n";

constexpr StringLiteral kCompute =
    "func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {\n"
    "  %y = math.exp %x : tensor<4xf32>\n"
    "  return %y : tensor<4xf32>\n"
    "}\n";

TEST(ExtraPassesTest, AnAllocationIsNotLeftInTheBufferState) {
  EXPECT_EQ(messageAt("buffer", kAllocation),
            "an allocation or copy that no pass planned is left in the buffer "
            "state");
}

TEST(ExtraPassesTest, ComputeOutsideKernelsIsNotLeftInTheKernelState) {
  EXPECT_NE(messageAt("kernel", kCompute), "");
}

TEST(ExtraPassesTest, TheGraphStateHasBoth) {
  EXPECT_EQ(messageAt("graph", kAllocation), "");
  EXPECT_EQ(messageAt("import", kCompute), "");
}

} // namespace
