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

/// Imports the model at `path`; if `report` is given, it lists everything that is
/// wrong, as the diagnostics do. Fails with one diagnostic for each node that is
/// not supported (`node 'NAME' (OpType, opset N): reason`), or one for the
/// file, an input or an initializer that is wrong.
mlir::OwningOpRef<mlir::ModuleOp> importOnnx(llvm::StringRef path,
                                             const ImportOptions &options,
                                             mlir::MLIRContext *context,
                                             struct OnnxCheck *report = nullptr);

/// The oldest and the newest opset of the default domain that is read.
std::pair<int64_t, int64_t> supportedOpsets();

/// What an import of a model reports, in UTF-8.
struct OnnxCheck {
  /// Nodes behind an unsupported one are only looked up, not tried.
  std::vector<UnsupportedNode> unsupported;
  /// Problems outside of nodes: the file, inputs, initializers, options.
  std::vector<std::string> errors;
  /// Whether options name sizes or values that the model lacks.
  bool hasWrongOptions = false;
  /// Whether the model is unreadable, contradicts itself or lacks data. If not,
  /// it is a good one that uses what is not supported.
  bool isDamaged = false;
  /// Remarks, most of them of ONNX's own checker.
  std::vector<std::string> findings;
};

} // namespace tessera::onnx_importer

#endif
