/// Matrix products as linalg operations.
#ifndef TESSERA_IMPORTER_ONNX_CONTRACTION_H
#define TESSERA_IMPORTER_ONNX_CONTRACTION_H

#include "lib/Importer/Onnx/NodeContext.h"

namespace tessera::onnx_importer {

/// lhs [rows, depth] times rhs [depth, columns], as `linalg.matmul`. f16 and
/// bf16 accumulate in f32 and are rounded once at the end. Fails with a report
/// if the depths are known to differ.
mlir::FailureOr<mlir::Value> multiplyMatrices(NodeContext &node,
                                              mlir::Value lhs, mlir::Value rhs);

/// The sum over all dimensions that `resultDims` lacks of the product of
/// operands, as `linalg.contract`. Each list names, by number, the dimension
/// of the iteration space that a dimension of the operand or result is;
/// `spaceShape` has their sizes. Accumulates as multiplyMatrices does.
mlir::Value contract(NodeContext &node, mlir::Value lhs,
                     llvm::ArrayRef<int64_t> lhsDims, mlir::Value rhs,
                     llvm::ArrayRef<int64_t> rhsDims,
                     llvm::ArrayRef<int64_t> resultDims,
                     const llvm::SmallVector<mlir::AffineExpr> &spaceShape);

/// NumPy's matmul: vectors, matrices and batches of them that broadcast.
mlir::FailureOr<mlir::Value> matmul(NodeContext &node, mlir::Value lhs,
                                    mlir::Value rhs);

} // namespace tessera::onnx_importer

#endif
