// Builds arith and math operations on scalars or tensors of one shape, and what brings
// tensors to one shape, with sizes as expressions.
#ifndef TESSERA_DIALECTS_QUANTIZATION_CONVERSION_TENSORBUILDER_H
#define TESSERA_DIALECTS_QUANTIZATION_CONVERSION_TENSORBUILDER_H

#include "dialects/Graph/IR/SizeAnalysis.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/BuiltinTypes.h"

namespace tessera::quantization {

class TensorBuilder {
public:
  using Shape = llvm::SmallVector<mlir::AffineExpr>;

  TensorBuilder(mlir::OpBuilder &builder, mlir::Location loc,
               graph::SizeAnalysis &sizes)
      : builder(builder), loc(loc), sizes(sizes) {}

  mlir::OpBuilder &builder;
  mlir::Location loc;
  graph::SizeAnalysis &sizes;

  /// Builds an operation of one result, folded if it can be.
  template <typename Op, typename... Args> mlir::Value create(Args &&...args) {
    return foldOrKeep(Op::create(builder, loc, std::forward<Args>(args)...));
  }

  mlir::Type f32() { return builder.getF32Type(); }
  mlir::Type i32() { return builder.getI32Type(); }

  /// `value` as an integer or float of `type`, in the shape of `like`, a scalar or
  /// tensor.
  mlir::Value filled(double value, mlir::Type type, mlir::Value like);

  /// `value`, a scalar or tensor of integers, in i32, by its sign or without one; and
  /// in f32.
  mlir::Value extended(mlir::Value value, bool isUnsigned);
  mlir::Value toFloat(mlir::Value integers);

  Shape shapeOf(mlir::Value tensor) { return sizes.dimsOf(tensor); }
  mlir::AffineExpr constantSize(int64_t size);
  mlir::RankedTensorType typeOf(const Shape &shape, mlir::Type elementType);

  /// A tensor of `shape` without contents.
  mlir::Value empty(const Shape &shape, mlir::Type elementType);
  /// One of `scalar`.
  mlir::Value filledTensor(mlir::Value scalar, const Shape &shape);
  /// `tensor` in the shape of `like`: dimensions are aligned at the right, and those of
  /// size 1 are repeated.
  mlir::Value broadcastTo(mlir::Value tensor, const Shape &shape);
  mlir::Value broadcastLike(mlir::Value tensor, mlir::Value like) {
    return broadcastTo(tensor, shapeOf(like));
  }
  /// `tensor` with dimensions of size 1 inserted so that it broadcasts to rank `rank`:
  /// its own are dimensions `positions`, transposed where these do not increase.
  mlir::Value placed(mlir::Value tensor, llvm::ArrayRef<int64_t> positions,
                     int64_t rank);
  /// Each dimension of `tensor` a group of dimensions, and back.
  mlir::Value expand(mlir::Value tensor, const Shape &shape,
                     llvm::ArrayRef<llvm::SmallVector<int64_t, 2>> groups);
  mlir::Value collapse(mlir::Value tensor,
                       llvm::ArrayRef<llvm::SmallVector<int64_t, 2>> groups);
  /// The first `size` elements along `axis`.
  mlir::Value head(mlir::Value tensor, int64_t axis, mlir::AffineExpr size);

  /// `tensor` reduced over `dims` (increasing) by `Op` from `start`, a scalar.
  template <typename Op>
  mlir::Value reduce(mlir::Value tensor, llvm::ArrayRef<int64_t> dims,
                     mlir::Value start) {
    return reduceBy(tensor, dims, start,
                    [](mlir::OpBuilder &b, mlir::Location loc, mlir::Value x,
                       mlir::Value y) -> mlir::Value {
                      return Op::create(b, loc, x, y);
                    });
  }

private:
  using Combination = llvm::function_ref<mlir::Value(
      mlir::OpBuilder &, mlir::Location, mlir::Value, mlir::Value)>;

  mlir::Value foldOrKeep(mlir::Operation *op);
  mlir::Value reduceBy(mlir::Value tensor, llvm::ArrayRef<int64_t> dims,
                       mlir::Value start, Combination combine);
  llvm::SmallVector<mlir::OpFoldResult>
  materialize(const Shape &shape, mlir::RankedTensorType type);
};

/// The element type of `like` replaced by `type`: of a scalar `type` itself.
mlir::Type withElements(mlir::Value like, mlir::Type type);

} // namespace tessera::quantization

#endif // TESSERA_DIALECTS_QUANTIZATION_CONVERSION_TENSORBUILDER_H
