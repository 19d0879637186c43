// What keeps a model from being compiled, and how it would run.
#ifndef TESSERA_LIB_PIPELINE_CHECK_H
#define TESSERA_LIB_PIPELINE_CHECK_H

#include "lib/Importer/Onnx/OnnxImporter.h"
#include "lib/Pipeline/Compiler.h"

#include "llvm/Support/JSON.h"

namespace tessera {

struct ModelCheck {
  /// As `compile` would end if it could write.
  CompileStatus status;
  /// What the importer says: all of it.
  onnx_importer::OnnxCheck model;
  /// What ended the phase that failed, where that was not the import.
  std::vector<std::string> errors;
  /// If nothing failed, the kernels by `describeKernels`.
  llvm::json::Array kernels;
};

/// Does with the model of `options` all that `compile` does, up to the loops of
/// its kernels, and writes nothing.
ModelCheck checkModel(const CompileOptions &options);

} // namespace tessera

#endif // TESSERA_LIB_PIPELINE_CHECK_H
