// Passes that the user adds to a compilation: registered ones, or from a plugin
// that was built elsewhere (docs/extending.md).
#ifndef TESSERA_LIB_PIPELINE_EXTRAPASSES_H
#define TESSERA_LIB_PIPELINE_EXTRAPASSES_H

#include "mlir/Pass/PassManager.h"
#include "llvm/Support/Error.h"

#include <string>
#include <utility>
#include <vector>

namespace tessera {

/// States at whose end passes can be added, in the order of a compilation:
/// "import" (before the graph pipeline), "graph", "kernel" and "buffer".
llvm::ArrayRef<llvm::StringLiteral> extraPassStates();

/// Registers all of Tessera's and MLIR's own transformation passes by name, once
/// for each process, and those of the plugins at `paths`. A plugin is MLIR's: a
/// shared library with the function mlirGetPassPluginInfo. Fails with the reason
/// of the loader.
llvm::Error registerExtraPasses(const std::vector<std::string> &paths);

/// Fails if a state of `given`, as below, does not exist or a pipeline does not
/// parse.
llvm::Error
checkExtraPasses(mlir::MLIRContext *context,
                 const std::vector<std::pair<std::string, std::string>> &given);

/// Appends to `passes` those that `given`, pairs of a state and a pipeline in
/// MLIR's syntax ("func.func(graph-sink-reshapes),cse"), has for `state`,
/// and behind them the state's own verifier. Fails where a pipeline does not parse.
llvm::Error
addExtraPasses(mlir::OpPassManager &passes, llvm::StringRef state,
               const std::vector<std::pair<std::string, std::string>> &given);

} // namespace tessera

#endif // TESSERA_LIB_PIPELINE_EXTRAPASSES_H
