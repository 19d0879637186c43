/// The state of one import: the module under construction and what failed.
#ifndef TESSERA_IMPORTER_ONNX_MODELIMPORTER_H
#define TESSERA_IMPORTER_ONNX_MODELIMPORTER_H

#include "lib/Importer/Onnx/ModelReader.h"
#include "lib/Importer/Onnx/NodeContext.h"
#include "lib/Importer/Onnx/OnnxImporter.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/ADT/StringSet.h"

namespace tessera::onnx_importer {

class ModelImporter {
public:
  ModelImporter(const OnnxModel &model, const ImportOptions &options,
                mlir::MLIRContext *context, OnnxCheck &report);

  /// Builds the module. What is wrong goes to the report; the module is null
  /// if there is anything.
  mlir::OwningOpRef<mlir::ModuleOp> run();

  /// After run: the sizes of inputs that can have one value only, because nodes
  /// require it.
  std::vector<SizeRange> sizesFoundFixed();

private:
  /// The names that nodes of one graph or function body see.
  struct Scope {
    llvm::StringMap<OnnxValue> values;
    /// Initializers not used so far.
    llvm::StringMap<const onnx::TensorProto *> initializers;
    /// The opset of each domain.
    llvm::StringMap<int64_t> opsets;
    /// The node whose function body this is, for reports; null at the top.
    const UnsupportedNode *caller = nullptr;
    /// That node as errors of a run name it; empty at the top.
    std::string callerText;
    unsigned depth = 0;
    /// Of a subgraph: the scope around it, whose names it sees.
    Scope *outer = nullptr;

    /// This scope or the innermost one around it that has `name`; null if none.
    Scope *holderOf(llvm::StringRef name) {
      for (Scope *scope = this; scope; scope = scope->outer)
        if (scope->values.contains(name) || scope->initializers.contains(name))
          return scope;
      return nullptr;
    }
  };

  // Entry (EntrySignature.cpp).
  bool makeEntry(Scope &scope);
  bool addInput(const onnx::ValueInfoProto &input,
                llvm::SmallVectorImpl<mlir::Type> &types,
                llvm::SmallVectorImpl<mlir::DictionaryAttr> &attributes);
  /// The symbol or number of a dimension; null after a report.
  mlir::Attribute dimensionOf(const onnx::TensorShapeProto::Dimension &dim,
                              const std::string &inputName, int axis,
                              int rank);
  void returnOutputs(Scope &scope);
  /// Names of the values to return: the model's outputs, then what is tapped.
  std::vector<std::string> outputNames(const Scope &scope);
  std::vector<std::string> namesMadeByNodes(const Scope &scope);
  void reportUnusedOptions();

  // Nodes (NodeImport.cpp).
  /// Imports what the outputs of `graph` need; false, after reports, if nodes
  /// depend on each other.
  bool importGraph(const onnx::GraphProto &graph, Scope &scope);
  void importNodes(llvm::ArrayRef<const onnx::NodeProto *> nodes, Scope &scope);
  void importNode(const onnx::NodeProto &proto, unsigned index, Scope &scope);
  /// A run fails where a size of `value`, a result of the node, is negative.
  void requireSizesOnce(NodeContext &node, mlir::Value value);
  /// Values of the inputs; none, after a report, if a name is unknown.
  std::optional<llvm::SmallVector<OnnxValue>>
  inputsOf(const onnx::NodeProto &proto, Scope &scope, NodeContext &node);
  /// The value of `name`; none, after a report, if it is unknown.
  std::optional<OnnxValue> valueOf(llvm::StringRef name, Scope &scope,
                                   NodeContext &node);
  /// The opset that `proto` is read by, a later one than the model's (with a
  /// remark) if its operator is; none if the model has no opset of its domain.
  std::optional<int64_t> opsetOf(const onnx::NodeProto &proto,
                                 const UnsupportedNode &identity, Scope &scope);
  mlir::LogicalResult translate(NodeContext &node, Scope &scope,
                                llvm::ArrayRef<OnnxValue> inputs,
                                const UnsupportedNode &identity);
  mlir::LogicalResult expandBody(const class OperatorSchema &schema,
                                 NodeContext &node, Scope &scope,
                                 llvm::ArrayRef<OnnxValue> inputs,
                                 const UnsupportedNode &identity);
  // If (Branches.cpp).
  /// The condition, if it is known at compile time.
  std::optional<bool> conditionOf(NodeContext &node);
  /// Imports the branch that the condition, which is known, takes: the outputs
  /// are its outputs.
  mlir::LogicalResult importBranch(NodeContext &node, Scope &scope);

  mlir::FailureOr<mlir::Value> constantOf(const onnx::TensorProto &tensor,
                                          NodeContext &node,
                                          llvm::StringRef name);
  void report(const UnsupportedNode &identity, const llvm::Twine &reason,
              const Scope &scope);
  /// Something outside of nodes: the model is damaged or contradicts itself; it
  /// uses what is not supported; an option does not fit it.
  void reportError(const llvm::Twine &message);
  void reportUnsupported(const llvm::Twine &message);
  void reportWrongOption(const llvm::Twine &message);

  const OnnxModel &model;
  const ImportOptions &options;
  mlir::MLIRContext *context;
  OnnxCheck &findings;
  mlir::OpBuilder builder;
  graph::SizeAnalysis sizes;
  /// Those that a run fails for where they are negative.
  llvm::DenseSet<mlir::AffineExpr> requiredSizes;
  mlir::OwningOpRef<mlir::ModuleOp> module;
  mlir::SymbolTable symbols;
  mlir::func::FuncOp entry;
  llvm::StringMap<mlir::Attribute> namedSizes; // by ONNX name
  llvm::StringSet<> usedOptions;
  NodeContext::ConstantMaker makeConstant;
};

/// The nodes of `graph` that its outputs depend on, each after those it depends
/// on, else in the order of the file. Nodes on a cycle are in `cyclic`. A name that
/// is known outside of `graph` means that up to the node that makes it anew.
std::vector<const onnx::NodeProto *> orderNodes(
    const onnx::GraphProto &graph,
    std::vector<const onnx::NodeProto *> &cyclic,
    llvm::function_ref<bool(llvm::StringRef)> isKnownOutside =
        [](llvm::StringRef) { return false; });

/// The elements attribute of row-major little-endian `bytes`, as TensorBytes.
mlir::DenseElementsAttr elementsFromBytes(mlir::RankedTensorType type,
                                          llvm::StringRef bytes);

} // namespace tessera::onnx_importer

#endif
