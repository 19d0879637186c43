// Passes that the user adds to a compilation.
#include "lib/Pipeline/ExtraPasses.h"

#include "lib/Pipeline/Pipelines.h"
#include "lib/Transforms/Buffer/Passes.h"
#include "lib/Transforms/Kernel/Passes.h"

#include "mlir/Pass/PassRegistry.h"
#include "mlir/Tools/Plugins/PassPlugin.h"
#include "mlir/Transforms/Passes.h"
#include "llvm/ADT/StringExtras.h"

#include <mutex>

using namespace mlir;

llvm::ArrayRef<llvm::StringLiteral> tessera::extraPassStates() {
  static const llvm::StringLiteral states[] = {"import", "graph", "kernel",
                                               "buffer"};
  return states;
}

llvm::Error
tessera::registerExtraPasses(const std::vector<std::string> &paths) {
  // The registry belongs to the process; compilations may run in several threads.
  static std::mutex mutex;
  static bool registered = false;
  std::lock_guard<std::mutex> lock(mutex);
  if (!registered) {
    registerTransformsPasses();
    registerPasses();
    registered = true;
  }
  for (const std::string &path : paths) {
    llvm::Expected<PassPlugin> plugin = PassPlugin::load(path);
    if (!plugin)
      return plugin.takeError();
    plugin->registerPassRegistryCallbacks();
  }
  return llvm::Error::success();
}

llvm::Error tessera::checkExtraPasses(
    MLIRContext *context,
    const std::vector<std::pair<std::string, std::string>> &given) {
  for (const auto &extra : given) {
    if (!llvm::is_contained(extraPassStates(), extra.first))
      return llvm::createStringError("passes can be added after " +
                                     llvm::join(extraPassStates(), ", ") +
                                     ", but got '" + extra.first + "'");
    PassManager passes(context);
    if (llvm::Error error = addExtraPasses(passes, extra.first, {extra}))
      return error;
  }
  return llvm::Error::success();
}

llvm::Error tessera::addExtraPasses(
    OpPassManager &passes, llvm::StringRef state,
    const std::vector<std::pair<std::string, std::string>> &given) {
  bool isChanged = false;
  for (const auto &[name, pipeline] : given) {
    if (name != state)
      continue;
    isChanged = true;
    std::string message;
    llvm::raw_string_ostream stream(message);
    if (failed(parsePassPipeline(pipeline, passes, stream)))
      return llvm::createStringError("passes '" + pipeline + "' for " + name +
                                     ":\n" + llvm::StringRef(message).trim());
  }
  if (isChanged && state == "kernel")
    passes.addPass(createVerifyKernelState());
  if (isChanged && state == "buffer")
    passes.addPass(createVerifyBufferState());
  return llvm::Error::success();
}
