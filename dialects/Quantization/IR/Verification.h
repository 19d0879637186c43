// What the verifiers of the dialect's operations share.
#ifndef TESSERA_DIALECTS_QUANTIZATION_IR_VERIFICATION_H
#define TESSERA_DIALECTS_QUANTIZATION_IR_VERIFICATION_H

#include "dialects/Quantization/IR/Quantization.h"

namespace tessera::quantization {

inline mlir::RankedTensorType tensorType(mlir::Value value) {
  return llvm::cast<mlir::RankedTensorType>(value.getType());
}

/// Whether both sizes may be the same at run time.
inline bool mayAgree(int64_t a, int64_t b) {
  return a == b || mlir::ShapedType::isDynamic(a) ||
         mlir::ShapedType::isDynamic(b);
}

/// Q1, and Q5 for zero points: `value`, which may be null, has elements of the type
/// that stores `format`.
mlir::LogicalResult verifyStorage(mlir::Operation *op, mlir::StringRef constraint,
                                  mlir::StringRef name, mlir::Value value,
                                  Format format);

/// That `value` has elements of `type`.
mlir::LogicalResult verifyElements(mlir::Operation *op, mlir::StringRef constraint,
                                   mlir::StringRef name, mlir::Value value,
                                   mlir::Type type);

/// That `value` may have the sizes `shape`.
mlir::LogicalResult verifyShape(mlir::Operation *op, mlir::StringRef constraint,
                                mlir::StringRef name, mlir::Value value,
                                mlir::ArrayRef<int64_t> shape);

/// Q8: integers of at most 8 bits.
mlir::LogicalResult verifyByteFormat(mlir::Operation *op, mlir::StringRef name,
                                     Format format);

} // namespace tessera::quantization

#endif // TESSERA_DIALECTS_QUANTIZATION_IR_VERIFICATION_H
