/// Matrix products as linalg operations.
#ifndef TESSERA_IMPORTER_ONNX_CONTRACTION_H
#define TESSERA_IMPORTER_ONNX_CONTRACTION_H

#include "lib/Importer/Onnx/NodeContext.h"

namespace tessera::onnx_importer {

/// How operands are multiplied: as numbers of one type, or bytes without a sign by
/// bytes with one, summed in i32.
enum class ProductKind { Plain, Bytes };

/// lhs [rows, depth] times rhs [depth, columns], as `linalg.matmul`. f16 and
/// bf16 accumulate in f32 and are rounded once at the end. Fails with a report
/// if the depths are known to differ.
mlir::FailureOr<mlir::Value>
multiplyMatrices(NodeContext &node, mlir::Value lhs, mlir::Value rhs,
                 ProductKind kind = ProductKind::Plain);

/// A factor of a contraction. `dims` names, by number, the dimension of the iteration
/// space that each of its dimensions is.
struct ContractionOperand {
  mlir::Value value;
  llvm::ArrayRef<int64_t> dims;
};

/// The sum over all dimensions that `resultDims` lacks of the product of
/// operands, as `linalg.contract`. `spaceShape` has the sizes of the iteration
/// space. Accumulates as multiplyMatrices does.
mlir::Value contract(NodeContext &node, const ContractionOperand &lhs,
                     const ContractionOperand &rhs,
                     llvm::ArrayRef<int64_t> resultDims,
                     const llvm::SmallVector<mlir::AffineExpr> &spaceShape,
                     ProductKind kind = ProductKind::Plain);

/// NumPy's matmul: vectors, matrices and batches of them that broadcast.
mlir::FailureOr<mlir::Value> matmul(NodeContext &node, mlir::Value lhs,
                                    mlir::Value rhs,
                                    ProductKind kind = ProductKind::Plain);

} // namespace tessera::onnx_importer

#endif
