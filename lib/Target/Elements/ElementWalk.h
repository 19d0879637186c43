// The walk of the element emitter from one tensor value to the arguments.
#ifndef TESSERA_TARGET_ELEMENTS_ELEMENTWALK_H
#define TESSERA_TARGET_ELEMENTS_ELEMENTWALK_H

#include "dialects/Graph/IR/Graph.h"
#include "lib/Target/Elements/ElementEmitter.h"
#include "lib/Target/Elements/ElementSource.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/IRMapping.h"

namespace tessera {

/// One call of ElementEmitter::emit. Every value is emitted once for each
/// access and region.
class ElementEmitter::Walk {
public:
  Walk(ElementEmitter &emitter, mlir::OpBuilder &builder, mlir::Location loc)
      : emitter(emitter), builder(builder), loc(loc), math(builder, loc) {}

  /// The elements as vector<lanes x T>, or T for one lane.
  mlir::FailureOr<mlir::Value> get(mlir::Value tensor,
                                   const ElementAccess &access);

  /// A scalar of the body outside of it; failure without a diagnostic if it has
  /// no such form.
  mlir::FailureOr<mlir::Value> scalar(mlir::Value value);

  /// Size of a dimension of a tensor of the body.
  mlir::FailureOr<mlir::Value> size(mlir::Value tensor, int64_t dimension);
  mlir::FailureOr<llvm::SmallVector<mlir::Value>> sizes(mlir::Value tensor);

  /// Whether the elements of `tensor` can be read by their row-major position
  /// without division.
  bool servesLinear(mlir::Value tensor);

private:
  friend class ElementForms;
  using Result = mlir::FailureOr<mlir::Value>;

  // ElementWalk.cpp
  Result compute(mlir::Value tensor, const ElementAccess &access);
  Result repeatedOrNot(mlir::Value tensor, const ElementAccess &access);
  Result fromSource(mlir::Value tensor, const Bound &bound,
                    const ElementAccess &access);
  Result load(mlir::BlockArgument argument, const ElementAccess &access);
  Result constant(mlir::arith::ConstantOp op, const ElementAccess &access);
  mlir::Value fromMemory(mlir::Value value, mlir::Type elementType);

  // ElementComputing.cpp
  Result elementwise(mlir::OpResult result, const ElementAccess &access);
  Result structured(mlir::linalg::LinalgOp op, mlir::OpResult result,
                    const ElementAccess &access);
  /// What the body of a structured operation has so far, and where.
  struct BodyScope {
    mlir::IRMapping &mapping;
    mlir::ArrayRef<LaneIndex> loopIndices;
    const ElementAccess &access;
  };
  mlir::LogicalResult bodyOperation(mlir::Operation &op, BodyScope &scope);
  Result bodyIndex(mlir::linalg::IndexOp op, BodyScope &scope);
  Result bodyConstant(mlir::arith::ConstantOp op, BodyScope &scope);
  Result bodyExtract(mlir::tensor::ExtractOp op, BodyScope &scope);
  Result bodyElementwise(mlir::Operation &op, BodyScope &scope);
  mlir::FailureOr<LaneIndex>
  apply(mlir::AffineExpr expr, mlir::ArrayRef<LaneIndex> dims, int64_t lanes);

  // ElementSizes.cpp
  mlir::FailureOr<mlir::Value> expand(mlir::AffineExpr size);
  /// The scalar `value` of the body in all lanes.
  Result splat(mlir::Value value, int64_t lanes);
  mlir::Value broadcast(mlir::Value scalar, int64_t lanes);
  mlir::Type typeOf(mlir::Value tensor, int64_t lanes);

  // ElementMovement.cpp, ElementRegions.cpp, ElementReshape.cpp
  Result splatted(mlir::tensor::SplatOp op, const ElementAccess &access);
  /// The access with an index for each dimension of `tensor`.
  mlir::FailureOr<ElementAccess> delinearize(mlir::Value tensor,
                                             const ElementAccess &access);
  /// The row-major position of the access to `tensor`.
  mlir::FailureOr<ElementAccess> linearize(mlir::Value tensor,
                                           const ElementAccess &access);
  Result reshaped(graph::ReshapeOp op, const ElementAccess &access);
  Result otherShape(mlir::Value source, mlir::Value result,
                    const ElementAccess &access);
  Result collapsed(mlir::tensor::CollapseShapeOp op,
                   const ElementAccess &access);
  Result expanded(mlir::tensor::ExpandShapeOp op, const ElementAccess &access);
  Result broadcasted(graph::BroadcastToOp op, const ElementAccess &access);
  Result sliced(mlir::tensor::ExtractSliceOp op, const ElementAccess &access);
  Result inserted(mlir::tensor::InsertSliceOp op, const ElementAccess &access);
  Result padded(mlir::tensor::PadOp op, const ElementAccess &access);
  Result joined(mlir::tensor::ConcatOp op, const ElementAccess &access);
  Result gathered(graph::GatherOp op, const ElementAccess &access);
  Result gatheredPoints(graph::GatherPointsOp op, const ElementAccess &access);
  Result reversed(graph::ReverseOp op, const ElementAccess &access);
  Result iota(graph::IotaOp op, const ElementAccess &access);
  Result unpacked(mlir::linalg::UnPackOp op, const ElementAccess &access);
  Result listed(mlir::tensor::FromElementsOp op, const ElementAccess &access);

  mlir::FailureOr<mlir::Value> asIndex(mlir::OpFoldResult size);
  /// The element of `indices` at `position`, as an index along a dimension of
  /// `length`: a negative one counts from the end, one that is outside is clamped.
  mlir::FailureOr<LaneIndex> indexRead(mlir::Value indices,
                                       ElementAccess position,
                                       mlir::Value length);
  /// The index along `sizes` (row-major) that `position` is.
  llvm::SmallVector<LaneIndex> delinearize(LaneIndex position,
                                           mlir::ArrayRef<mlir::Value> sizes,
                                           int64_t lanes);
  LaneIndex linearize(mlir::ArrayRef<LaneIndex> indices,
                      mlir::ArrayRef<mlir::Value> sizes, int64_t lanes);

  /// Emits `inside` where all `conditions` (i1 or vector<lanes x i1>) hold and
  /// `outside` elsewhere; `inside` gets the access's mask with the conditions.
  Result select(mlir::Type type, mlir::ArrayRef<mlir::Value> conditions,
                const ElementAccess &access,
                llvm::function_ref<Result(mlir::Value mask)> inside,
                llvm::function_ref<Result(mlir::Value mask)> outside);

  /// What has been emitted and is visible.
  struct Visible {
    llvm::DenseMap<mlir::Value,
                   llvm::SmallVector<std::pair<ElementAccess, mlir::Value>, 1>>
        elements;
    llvm::DenseMap<mlir::Value, mlir::Value> scalars;
    llvm::DenseMap<mlir::AffineExpr, mlir::Value> sizes;
  };

  ElementEmitter &emitter;
  mlir::OpBuilder &builder;
  mlir::Location loc;
  LaneMath math;
  Visible visible;
  llvm::DenseMap<mlir::Value, bool> linear;
};

} // namespace tessera

#endif // TESSERA_TARGET_ELEMENTS_ELEMENTWALK_H
