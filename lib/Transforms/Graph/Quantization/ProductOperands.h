// The operands of a float product as quantized numbers.
#ifndef TESSERA_LIB_TRANSFORMS_GRAPH_QUANTIZATION_PRODUCTOPERANDS_H
#define TESSERA_LIB_TRANSFORMS_GRAPH_QUANTIZATION_PRODUCTOPERANDS_H

#include "dialects/Quantization/IR/Quantization.h"

#include "mlir/IR/AffineMap.h"

#include <string>

namespace tessera::quantization {

/// A product of two float tensors as maps over its loops, whatever operation it is.
///
///   linalg.matmul            maps (m, n, k): (m, k), (k, n), (m, n)
///   graph.conv               loops that are dimensions of the result: batch, spatial,
///                            output channel; all others are summed over
struct ProductShape {
  mlir::Value operands[2];
  mlir::Value result;
  /// For each dimension of each operand the result's dimension that it is; -1: it is
  /// summed over, or shifted by a window.
  llvm::SmallVector<int64_t> resultDims[2];
};

/// The product that `op` is, of float tensors, with f32 sums that start from 0.
std::optional<ProductShape> floatProduct(mlir::Operation *op);

/// One operand without its scale.
struct QuantizedOperand {
  DequantizeOp from;
  /// The result's dimension that the scale is a vector of; nothing: it is one number.
  std::optional<int64_t> scaleDim;
};

/// Operand `index` of `product`, or why it is none that an integer product takes.
mlir::FailureOr<QuantizedOperand> quantizedOperand(const ProductShape &product,
                                                   unsigned index,
                                                   std::string &reason);

/// Whether i32 holds the largest sum of `product` with these operands; true where its
/// depth is not known.
bool sumsFit(const ProductShape &product,
             llvm::ArrayRef<QuantizedOperand> operands);

/// Whether `scores`, of a product, go into a softmax whose probabilities are a factor of
/// a product of floats: attention, which `raise-attention` makes one operation.
bool areScoresOfFloatAttention(mlir::Value scores);

} // namespace tessera::quantization

#endif // TESSERA_LIB_TRANSFORMS_GRAPH_QUANTIZATION_PRODUCTOPERANDS_H
