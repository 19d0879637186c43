// Expressions of sizes as operations.
#ifndef TESSERA_DIALECTS_GRAPH_IR_SIZEMATERIALIZATION_H
#define TESSERA_DIALECTS_GRAPH_IR_SIZEMATERIALIZATION_H

#include "dialects/Graph/IR/SizeAnalysis.h"

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace tessera::graph {

/// The index value of `expression`, symbol i being `symbols[i]`. SizeAnalysis
/// reads the operations back as the same expression; those of upstream's
/// expansion, which turn quotients into selections, it does not.
mlir::Value materializeSize(mlir::OpBuilder &builder, mlir::Location loc,
                            mlir::AffineExpr expression,
                            mlir::ValueRange symbols);

/// `dims`, sizes of a tensor of `type`: a number for each dimension that is static in
/// the type, a value for each dynamic one, even where `sizes` knows it. Operations
/// expect as many values as their types have dynamic dimensions.
llvm::SmallVector<mlir::OpFoldResult>
materializeShape(mlir::OpBuilder &builder, mlir::Location loc,
                 SizeAnalysis &sizes, mlir::RankedTensorType type,
                 mlir::ArrayRef<mlir::AffineExpr> dims);

/// The values of materializeShape alone.
llvm::SmallVector<mlir::Value>
materializeDynamicSizes(mlir::OpBuilder &builder, mlir::Location loc,
                        SizeAnalysis &sizes, mlir::RankedTensorType type,
                        mlir::ArrayRef<mlir::AffineExpr> dims);

} // namespace tessera::graph

#endif // TESSERA_DIALECTS_GRAPH_IR_SIZEMATERIALIZATION_H
