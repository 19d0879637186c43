/// Matrix products as linalg operations.
#ifndef TESSERA_IMPORTER_ONNX_CONTRACTION_H
#define TESSERA_IMPORTER_ONNX_CONTRACTION_H

#include "dialects/Quantization/IR/Quantization.h"
#include "lib/Importer/Onnx/NodeContext.h"

namespace tessera::onnx_importer {

/// What makes a product one of quantized numbers, summed in i32.
struct QuantizedFactors {
  quantization::Format lhsFormat, rhsFormat;
  /// Null, or scalars of the operands' types; of matrices also vectors, for each row of
  /// the left one and each column of the right one.
  mlir::Value lhsZero, rhsZero;
  /// Null, or i32 for each output channel of a convolution.
  mlir::Value bias;
};

/// lhs [rows, depth] times rhs [depth, columns], as `linalg.matmul`. f16 and
/// bf16 accumulate in f32 and are rounded once at the end. Fails with a report
/// if the depths are known to differ.
mlir::FailureOr<mlir::Value>
multiplyMatrices(NodeContext &node, mlir::Value lhs, mlir::Value rhs,
                 const QuantizedFactors *quantized = nullptr);

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
                     const QuantizedFactors *quantized = nullptr);

/// NumPy's matmul: vectors, matrices and batches of them that broadcast.
mlir::FailureOr<mlir::Value> matmul(NodeContext &node, mlir::Value lhs,
                                    mlir::Value rhs,
                                    const QuantizedFactors *quantized = nullptr);

} // namespace tessera::onnx_importer

#endif
