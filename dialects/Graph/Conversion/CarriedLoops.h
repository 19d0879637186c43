// Nests of scf.for that write one tensor element by element, for what is no
// linalg.generic: places that depend on data, and steps that depend on earlier
// ones.
#ifndef TESSERA_DIALECTS_GRAPH_CONVERSION_CARRIEDLOOPS_H
#define TESSERA_DIALECTS_GRAPH_CONVERSION_CARRIEDLOOPS_H

#include "mlir/IR/Builders.h"

namespace tessera::graph {

/// One step of a nest: makes the next tensor of `carried` at `indices`.
using CarriedBody = llvm::function_ref<mlir::Value(
    mlir::OpBuilder &, mlir::Location, mlir::ArrayRef<mlir::Value> indices,
    mlir::Value carried)>;

/// Loops from 0 to each of `sizes`, the first one outermost; gives what the
/// last step left of `init`. Without sizes one step.
mlir::Value createCarriedLoops(mlir::OpBuilder &builder, mlir::Location loc,
                               mlir::ArrayRef<mlir::Value> sizes,
                               mlir::Value init, CarriedBody body);

/// `body` in an scf.if; what it makes of `carried`, or `carried` itself.
mlir::Value
createCarriedIf(mlir::OpBuilder &builder, mlir::Location loc,
                mlir::Value condition, mlir::Value carried,
                llvm::function_ref<mlir::Value(mlir::OpBuilder &,
                                               mlir::Location)>
                    body);

} // namespace tessera::graph

#endif // TESSERA_DIALECTS_GRAPH_CONVERSION_CARRIEDLOOPS_H
