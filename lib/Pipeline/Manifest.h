// What an artifact and a report say of the compilation that made them.
#ifndef TESSERA_LIB_PIPELINE_MANIFEST_H
#define TESSERA_LIB_PIPELINE_MANIFEST_H

#include "lib/Pipeline/CompileOptions.h"
#include "lib/Pipeline/WriteArtifact.h"

#include "llvm/Support/JSON.h"

#include <map>

namespace tessera {

/// The manifest of a module in buffer state that has a machine: JSON without any
/// path, time or host. Fails with a diagnostic if it has no machine.
mlir::FailureOr<std::string>
describeCompilation(mlir::ModuleOp module, const CompileOptions &options,
                    const std::map<std::string, int64_t> &indexLimits);

/// The manifest and the "seconds" of the last phases; with several CPUs, the
/// manifest of the first and all of them as "targets".
llvm::json::Value makeReport(mlir::ArrayRef<CodeForCpu> codes,
                             const PhaseSeconds &seconds);

} // namespace tessera

#endif // TESSERA_LIB_PIPELINE_MANIFEST_H
