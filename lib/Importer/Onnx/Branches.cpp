// An If whose condition is known when compiling is the nodes of one branch.
#include "lib/Importer/Onnx/Elements.h"
#include "lib/Importer/Onnx/ModelImporter.h"

using namespace mlir;

namespace tessera::onnx_importer {

std::optional<bool> ModelImporter::conditionOf(NodeContext &node) {
  std::optional<SmallVector<Value>> scalars = elementsOf(node, node.input(0));
  if (!scalars || scalars->size() != 1)
    return std::nullopt;
  auto known = dyn_cast<AffineConstantExpr>(sizes.sizeOf(scalars->front()));
  return known ? std::optional<bool>(known.getValue() != 0) : std::nullopt;
}

LogicalResult ModelImporter::importBranch(NodeContext &node, Scope &scope) {
  StringRef name = *conditionOf(node) ? "then_branch" : "else_branch";
  const onnx::GraphProto *branch = nullptr;
  for (const onnx::AttributeProto &attribute : node.node().attribute())
    if (attribute.name() == name)
      branch = &attribute.g();
  if (branch->output_size() < node.node().output_size())
    return node.error("expects " + name + " to have " +
                      Twine(node.node().output_size()) + " outputs but got " +
                      Twine(branch->output_size()));
  Scope inner;
  inner.opsets = scope.opsets;
  inner.caller = scope.caller;
  inner.callerText = scope.callerText;
  inner.depth = scope.depth;
  inner.outer = &scope;
  for (const onnx::TensorProto &tensor : branch->initializer())
    inner.initializers[tensor.name()] = &tensor;
  size_t before = findings.unsupported.size();
  if (!importGraph(*branch, inner) || findings.unsupported.size() != before)
    return failure(); // reported inside
  for (int i = 0; i < node.node().output_size(); ++i) {
    StringRef output = branch->output(i).name();
    std::optional<OnnxValue> value = valueOf(output, inner, node);
    if (!value)
      return node.error("output '" + output + "' of " + name +
                        " is made by no node");
    if (!value->value)
      return failure(); // reported where it was made
    node.setOutput(i, value->value, value->elementType);
  }
  return success();
}

} // namespace tessera::onnx_importer
