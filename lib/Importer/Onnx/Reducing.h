/// Reductions over dimensions, shared by Reduce*, pooling and normalisation.
#ifndef TESSERA_IMPORTER_ONNX_REDUCING_H
#define TESSERA_IMPORTER_ONNX_REDUCING_H

#include "lib/Importer/Onnx/NodeContext.h"

namespace tessera::onnx_importer {

enum class Reduction { Sum, Product, Max, Min };

/// What a reduction over nothing gives, a scalar of `type`: 0, 1, or the type's
/// limit.
mlir::Value neutralOf(NodeContext &node, Reduction reduction, mlir::Type type,
                      bool isUnsigned = false);

/// `tensor` reduced over `axes` (increasing), which the result lacks, or has
/// with size 1 if `keepDims`. Elements keep their type; the caller widens.
mlir::Value reduce(NodeContext &node, Reduction reduction, mlir::Value tensor,
                   llvm::ArrayRef<int64_t> axes, bool keepDims,
                   bool isUnsigned = false);

/// The sum divided by the number of elements, of a float tensor.
mlir::Value reduceMean(NodeContext &node, mlir::Value tensor,
                       llvm::ArrayRef<int64_t> axes, bool keepDims);

/// The number of elements along `axes` of `tensor`, a scalar of `type`.
mlir::Value elementCount(NodeContext &node, mlir::Value tensor,
                         llvm::ArrayRef<int64_t> axes, mlir::Type type);

} // namespace tessera::onnx_importer

#endif
