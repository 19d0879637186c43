// The graph dialect: operations, attributes and the names of its discardable
// attributes.
#ifndef TESSERA_DIALECTS_GRAPH_IR_GRAPH_H
#define TESSERA_DIALECTS_GRAPH_IR_GRAPH_H

#include "dialects/Interfaces/Contraction.h"
#include "dialects/Interfaces/Movement.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"
#include "llvm/Support/Error.h"

// Passes that are built elsewhere link these (docs/extending.md), whatever the
// visibility that this file is compiled with.
#pragma GCC visibility push(default)
namespace tessera::graph {
class WeightReader;
} // namespace tessera::graph
#include "dialects/Graph/IR/RecipeStep.h.inc"
#include "dialects/Graph/IR/GraphDialect.h.inc"
#include "dialects/Graph/IR/GraphEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Graph/IR/GraphAttributes.h.inc"

#define GET_OP_CLASSES
#include "dialects/Graph/IR/GraphOps.h.inc"

namespace tessera::graph {

/// Argument and result attribute of an entry: the ONNX name, a string.
constexpr llvm::StringLiteral kNameAttr = "graph.name";

/// Argument attribute of an entry: for each dimension the symbol (a flat symbol
/// reference) or the number (an i64 attribute) that it is.
constexpr llvm::StringLiteral kDimsAttr = "graph.dims";

/// Argument and result attribute of an entry, a type: the element type where
/// the tensor's signless one loses it (ui8, ui16, ui32, ui64).
constexpr llvm::StringLiteral kElementTypeAttr = "graph.element_type";

/// The type that `recipe` makes of `source`, or failure when a step does not
/// apply; `reason` then says why.
mlir::FailureOr<mlir::RankedTensorType>
applyRecipe(mlir::RankedTensorType source, mlir::ArrayAttr recipe,
            std::string &reason);

/// The type of what `part` makes, or failure where its bytes or steps do not fit;
/// `reason` then says why.
mlir::FailureOr<mlir::RankedTensorType> typeOf(PartAttr part,
                                               std::string &reason);

/// `part` with more steps behind its own.
PartAttr withSteps(PartAttr part, mlir::ArrayRef<mlir::Attribute> steps);

/// How a window moves over one spatial dimension.
struct WindowSteps {
  int64_t kernel = 1, stride = 1, dilation = 1, padLow = 0, padHigh = 0;
  /// Whether the number of windows is rounded up, as ONNX pooling does.
  bool ceilMode = false;
};

/// Size of one spatial dimension after a window has moved over it:
/// floor((size + padLow + padHigh - dilation * (kernel - 1) - 1) / stride) + 1,
/// at least 0. With `ceilMode` rounded up, but a window never begins in the high
/// padding.
int64_t windowOutputSize(int64_t size, const WindowSteps &window);

} // namespace tessera::graph

#pragma GCC visibility pop

#endif // TESSERA_DIALECTS_GRAPH_IR_GRAPH_H
