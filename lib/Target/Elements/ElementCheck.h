// Whether the element emitter can give what a kernel's body asks of it, said without
// emitting anything.
//
// The walk is that of ElementEmitter.h, with indices reduced to where they come from.
// An access to a tensor says, for each dimension, that it is read at loop `i` of
// the caller (i >= 0), at 0, or elsewhere:
//
//   %t = linalg.transpose %a [1, 0]        read at [0, 1]: %a is read at [1, 0]
//   %c = tensor.concat dim(0) %t, %b       read at [0, 1]: %b at [elsewhere, 1]
//
// That matters only to tensors that something else computes (`bind`), as the sums of
// a row: they are there at the indices of the loops around and nowhere else.
#ifndef TESSERA_TARGET_ELEMENTS_ELEMENTCHECK_H
#define TESSERA_TARGET_ELEMENTS_ELEMENTCHECK_H

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeAnalysis.h"
#include "dialects/Kernel/IR/Kernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace tessera {

/// Checks tensors of one kernel's body. Errors are diagnostics at the operation
/// that has no elementwise form, those that the emitter would give.
class ElementCheck {
public:
  /// An index that is 0, and one that is no loop of the caller's.
  static constexpr int64_t kZero = -1, kElsewhere = -2;
  using Access = llvm::SmallVector<int64_t, 4>;

  /// `laneLoop`: the loop along which vectors lie. What is bound there is a vector,
  /// and no element even where the size is 1.
  explicit ElementCheck(kernel::FuncOp kernel, int64_t laneLoop = kZero)
      : kernel(kernel), laneLoop(laneLoop), analysis(kernel.getContext()) {}

  /// From now on `tensor` is there at `access`; a dimension of size 1 that is not
  /// along the lanes is at any index.
  void bind(mlir::Value tensor, Access access);
  /// The same at all indices.
  void bindAnywhere(mlir::Value tensor);
  /// From now on `tensor` is computed again.
  void unbind(mlir::Value tensor);

  /// Elements of `tensor` at loop i along dimension i.
  mlir::LogicalResult check(mlir::Value tensor);
  mlir::LogicalResult check(mlir::Value tensor, const Access &access);

  /// The value of an index or a scalar of the body outside of it; fails without a
  /// diagnostic.
  mlir::LogicalResult checkScalar(mlir::Value value);
  /// The size of a dimension; fails without a diagnostic.
  mlir::LogicalResult checkSize(mlir::Value tensor, int64_t dimension);
  /// All sizes of a tensor.
  mlir::LogicalResult checkSizes(mlir::Value tensor);

  /// Whether only elementwise operations and reshapes lie between `tensor` and
  /// arguments, splats and what is bound.
  bool isLinear(mlir::Value tensor);

private:
  friend class ElementForms;
  using Result = mlir::LogicalResult;

  static int64_t rankOf(mlir::Value tensor);

  // ElementCheck.cpp
  Result get(mlir::Value tensor, const Access &access) {
    return check(tensor, access);
  }
  Result checkNew(mlir::Value tensor, const Access &access);
  Result fromSource(mlir::Value tensor, const std::optional<Access> &there,
                    const Access &access);
  Result elementwise(mlir::OpResult result, const Access &access);
  Result constant(mlir::arith::ConstantOp op, const Access &access);
  Result structured(mlir::linalg::LinalgOp op, mlir::OpResult result,
                    const Access &access);
  Result bodyOperation(mlir::Operation &op);
  Result bodyIndex(mlir::linalg::IndexOp) { return mlir::success(); }
  Result bodyConstant(mlir::arith::ConstantOp) { return mlir::success(); }
  Result bodyExtract(mlir::tensor::ExtractOp op);
  Result bodyElementwise(mlir::Operation &) { return mlir::success(); }
  Result scalarOperand(mlir::Value value);
  Result indexOperands(mlir::ArrayRef<mlir::OpFoldResult> values);
  Result elsewhere(mlir::Value tensor);
  Result isKnown(mlir::AffineExpr size);
  /// As checkSize, with a diagnostic.
  Result sizeOperand(mlir::Value tensor, int64_t dimension);
  bool dependsOnBound(mlir::Value tensor);
  void forget();

  // ElementCheckMovement.cpp
  Result splatted(mlir::tensor::SplatOp op, const Access &access);
  Result reshaped(graph::ReshapeOp op, const Access &access);
  Result collapsed(mlir::tensor::CollapseShapeOp op, const Access &access);
  Result expanded(mlir::tensor::ExpandShapeOp op, const Access &access);
  Result broadcasted(graph::BroadcastToOp op, const Access &access);
  Result sliced(mlir::tensor::ExtractSliceOp op, const Access &access);
  Result inserted(mlir::tensor::InsertSliceOp op, const Access &access);
  Result padded(mlir::tensor::PadOp op, const Access &access);
  Result joined(mlir::tensor::ConcatOp op, const Access &access);
  Result gathered(graph::GatherOp op, const Access &access);
  Result gatheredPoints(graph::GatherPointsOp op, const Access &access);
  Result reversed(graph::ReverseOp op, const Access &access);
  Result iota(graph::IotaOp op, const Access &access);
  Result unpacked(mlir::linalg::UnPackOp op, const Access &access);
  Result listed(mlir::tensor::FromElementsOp op, const Access &access);
  /// Reads `source`, whose shape is that of `result` in another way, at `read`.
  Result otherShape(mlir::Value source, mlir::Value result, const Access &read);

  kernel::FuncOp kernel;
  int64_t laneLoop;
  graph::SizeAnalysis analysis;
  /// Where it is bound, or nothing: anywhere.
  llvm::DenseMap<mlir::Value, std::optional<Access>> bound;
  /// What has been checked with the tensors that are bound now.
  llvm::DenseMap<mlir::Value, llvm::SmallVector<Access, 1>> checked;
  llvm::DenseMap<mlir::Value, bool> readsBound, scalars, linear;
  llvm::DenseMap<mlir::AffineExpr, bool> sizes;
};

} // namespace tessera

#endif // TESSERA_TARGET_ELEMENTS_ELEMENTCHECK_H
