/// Applies an elementwise function to tensors or to their scalars.
#ifndef TESSERA_IMPORTER_ONNX_ELEMENTWISEBUILD_H
#define TESSERA_IMPORTER_ONNX_ELEMENTWISEBUILD_H

#include "lib/Importer/Onnx/NodeContext.h"

namespace tessera::onnx_importer {

/// Builds one element's computation; its operands are all scalars or all
/// tensors of one shape. Null after NodeContext::error.
using ElementFunction =
    llvm::function_ref<mlir::Value(llvm::ArrayRef<mlir::Value>)>;

/// Broadcasts `operands` together and applies `function`: to the scalars if all
/// operands have an element view, else to the tensors.
mlir::FailureOr<mlir::Value>
applyElementwise(NodeContext &node, llvm::ArrayRef<mlir::Value> operands,
                 ElementFunction function);

/// As applyElementwise on tensors, in the shape of the first operand: the others
/// broadcast to it, never it to them.
mlir::FailureOr<mlir::Value>
applyInShapeOfFirst(NodeContext &node, llvm::ArrayRef<mlir::Value> operands,
                    ElementFunction function);

/// Applies `function` to all inputs of the node and sets output 0.
mlir::LogicalResult translateElementwise(NodeContext &node,
                                         ElementFunction function);

/// The type of `value`, a scalar or tensor, with elements of type `to`.
mlir::Type withElement(mlir::Value value, mlir::Type to);

/// `value`, a scalar or tensor of signless integers or floats, in another
/// element type, as ONNX Cast converts it; floats that do not fit as
/// docs/numerics.md says.
mlir::Value castElements(NodeContext &node, mlir::Value value,
                         bool fromUnsigned, mlir::Type to, bool toUnsigned);

/// `value` in f32 if its elements are f16 or bf16, else itself. Reductions and
/// normalisations accumulate so.
mlir::Value widenToF32(NodeContext &node, mlir::Value value);

/// `value` in the element type `to`, a float type.
mlir::Value castFloat(NodeContext &node, mlir::Value value, mlir::Type to);

} // namespace tessera::onnx_importer

#endif
