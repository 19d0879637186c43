/// Imports an ONNX model as a module in graph state (docs/architecture.md).
#ifndef TESSERA_IMPORTER_ONNX_ONNXIMPORTER_H
#define TESSERA_IMPORTER_ONNX_ONNXIMPORTER_H

#include "mlir/IR/BuiltinOps.h"
#include "mlir/IR/OwningOpRef.h"
#include "llvm/ADT/StringRef.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace tessera::onnx_importer {

/// What a named size of the model may be. `name` is the ONNX dim_param or, for
/// a dimension without one, INPUT.AXIS. A size with min = max is a number in
/// the types; 0 <= min <= typical <= max.
struct SizeRange {
  std::string name;
  int64_t min = 0;
  int64_t typical = 128;
  int64_t max = INT64_MAX;
};

struct ImportOptions {
  std::vector<SizeRange> sizes;
  /// Values of the graph, by their ONNX names, that become outputs after the
  /// model's own; "all" is every tensor that a node of the graph makes.
  std::vector<std::string> taps;
};

/// A node that cannot be imported.
struct UnsupportedNode {
  /// The ONNX name, or OpType_index for a node without one.
  std::string node;
  std::string opType;
  std::string domain;
  /// The opset the model uses for the domain.
  int64_t opset = 0;
  /// Why, and what would work.
  std::string reason;
};

/// Imports the model at `path`; if `report` is given, it says what was wrong, as
/// the diagnostics do. Fails with one diagnostic for each node that is
/// not supported (`node 'NAME' (OpType, opset N): reason`), or one for the
/// file, an input or an initializer that is wrong.
mlir::OwningOpRef<mlir::ModuleOp> importOnnx(llvm::StringRef path,
                                             const ImportOptions &options,
                                             mlir::MLIRContext *context,
                                             struct OnnxCheck *report = nullptr);

/// The oldest and the newest opset of the default domain that is read.
std::pair<int64_t, int64_t> supportedOpsets();

/// What an import of a model would report.
struct OnnxCheck {
  std::vector<UnsupportedNode> unsupported;
  /// Problems outside of nodes: the file, inputs, initializers, options.
  std::vector<std::string> errors;
  /// The number of `errors` that options cause: sizes that the model lacks.
  int64_t optionErrors = 0;
  /// Whether some of `unsupported` have constants that are missing or damaged.
  bool damaged = false;
  /// Remarks of ONNX's own checker.
  std::vector<std::string> findings;
};

/// Lists everything that keeps the model at `path` from being imported. Nodes
/// behind an unsupported one are only looked up, not tried.
OnnxCheck checkOnnx(llvm::StringRef path, const ImportOptions &options,
                    mlir::MLIRContext *context);

} // namespace tessera::onnx_importer

#endif
