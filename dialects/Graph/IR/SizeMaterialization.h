// Expressions of sizes as operations.
#ifndef TESSERA_DIALECTS_GRAPH_IR_SIZEMATERIALIZATION_H
#define TESSERA_DIALECTS_GRAPH_IR_SIZEMATERIALIZATION_H

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Builders.h"

namespace tessera::graph {

/// The index value of `expression`, symbol i being `symbols[i]`. SizeAnalysis
/// reads the operations back as the same expression; those of upstream's
/// expansion, which turn quotients into selections, it does not.
mlir::Value materializeSize(mlir::OpBuilder &builder, mlir::Location loc,
                            mlir::AffineExpr expression,
                            mlir::ValueRange symbols);

} // namespace tessera::graph

#endif // TESSERA_DIALECTS_GRAPH_IR_SIZEMATERIALIZATION_H
