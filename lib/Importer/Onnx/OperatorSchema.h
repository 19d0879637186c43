/// What the ONNX standard, or Contrib/ContribOperator.h for operators of other domains,
/// says of an operator: how its nodes must look, which element types its results have,
/// and nodes that compute the same.
#ifndef TESSERA_IMPORTER_ONNX_OPERATORSCHEMA_H
#define TESSERA_IMPORTER_ONNX_OPERATORSCHEMA_H

#include "onnx/onnx_pb.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <optional>
#include <string>

namespace onnx {
class OpSchema;
} // namespace onnx

namespace tessera::onnx_importer {

/// The newest opset of `domain` that the ONNX library knows, or the one of the domains
/// that we know beside it; none of another domain.
std::optional<int64_t> newestOpset(llvm::StringRef domain);

/// The newest opset of the default domain.
int64_t newestOpset();

class OperatorSchema {
public:
  /// The operator as of opset `version` of `domain`; none if it is unknown.
  static std::optional<OperatorSchema>
  find(llvm::StringRef domain, llvm::StringRef opType, int64_t version);

  /// The opset that introduced the version of the operator that applies.
  int64_t sinceVersion() const;

  /// Why `node`, with inputs of `inputTypes` (TensorProto.DataType, 0 for an
  /// omitted one), is not an instance of this operator; none if it is. Checks
  /// number and presence of inputs and outputs, types of attributes, presence
  /// of required ones, and element types of inputs.
  std::optional<std::string> mismatch(const onnx::NodeProto &node,
                                      llvm::ArrayRef<int32_t> inputTypes) const;

  /// Element types of the outputs of a node that fits; 0 where they depend on
  /// more than the inputs' types.
  llvm::SmallVector<int32_t>
  outputTypes(const onnx::NodeProto &node,
              llvm::ArrayRef<int32_t> inputTypes) const;

  /// Whether the standard defines the operator as a function, at least for some
  /// inputs.
  bool isFunction() const;

  /// The body of `node` if the standard defines the operator as a function in
  /// opset `version`; its inputs have the types `inputs` (empty for omitted
  /// ones). None if there is no body for these; an error if ONNX fails to make
  /// one. Its `attribute_proto` has the defaults of the operator's attributes.
  llvm::Expected<std::optional<onnx::FunctionProto>>
  body(const onnx::NodeProto &node, int64_t version,
       llvm::ArrayRef<onnx::TypeProto> inputs) const;

private:
  explicit OperatorSchema(const onnx::OpSchema *schema) : schema(schema) {}

  const onnx::OpSchema *schema;
};

} // namespace tessera::onnx_importer

#endif
