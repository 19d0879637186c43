// The operations that have an element form: the one table that the emitter's walk
// (ElementWalk.h) and the check without emission (ElementCheck.h) go by.
//
// A visitor has a member for each form, which takes the operation and the access to
// its result. To give another operation a form: a line of visit() and a member of
// both visitors.
#ifndef TESSERA_TARGET_ELEMENTS_ELEMENTFORMS_H
#define TESSERA_TARGET_ELEMENTS_ELEMENTFORMS_H

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/TypeSwitch.h"

namespace tessera {

class ElementForms {
public:
  /// Hands the operation that computes `result`, no bound tensor, to `visitor`.
  template <typename Result, typename Visitor, typename Access>
  static Result visit(Visitor &visitor, mlir::OpResult result,
                      const Access &access);

  /// The same of an operation in the body of a structured one. `arguments` are what
  /// the visitor's members take.
  template <typename Result, typename Visitor, typename... Arguments>
  static Result visitBody(Visitor &visitor, mlir::Operation &op,
                          Arguments &&...arguments);

  /// Whether all loops are parallel, the result's elements are its points and
  /// operands are read at sums, products, quotients and rests of them; else a
  /// diagnostic.
  static mlir::LogicalResult checkLoops(mlir::linalg::LinalgOp op,
                                        mlir::OpResult result);
  /// What is there instead of elements; failure with a diagnostic where that differs
  /// from place to place.
  static mlir::FailureOr<mlir::Value> paddingOf(mlir::tensor::PadOp op);
  static mlir::LogicalResult checkSteps(mlir::tensor::InsertSliceOp op);
  static mlir::FailureOr<mlir::DenseElementsAttr>
  elementsOf(mlir::arith::ConstantOp op);

  /// Whether only elementwise operations and reshapes lie between `tensor` and
  /// splats and those that `isEnd` answers for: arguments and what is bound. `known`
  /// holds the answers.
  static bool
  isLinear(mlir::Value tensor, llvm::DenseMap<mlir::Value, bool> &known,
           llvm::function_ref<std::optional<bool>(mlir::Value)> isEnd);

  static mlir::InFlightDiagnostic error(mlir::Value tensor);
  /// Reports that nothing gives the elements of `result`.
  static mlir::LogicalResult reportNone(mlir::OpResult result);
  static mlir::LogicalResult reportNone(mlir::Operation &bodyOperation);
};

template <typename Result, typename Visitor, typename Access>
Result ElementForms::visit(Visitor &visitor, mlir::OpResult result,
                           const Access &access) {
  using namespace mlir;
  Operation *owner = result.getOwner();
  if (OpTrait::hasElementwiseMappableTraits(owner))
    return visitor.elementwise(result, access);
  return TypeSwitch<Operation *, Result>(owner)
      .Case([&](linalg::LinalgOp op) {
        return visitor.structured(op, result, access);
      })
      .Case([&](arith::ConstantOp op) { return visitor.constant(op, access); })
      .Case([&](tensor::CastOp op) {
        return visitor.get(op.getSource(), access);
      })
      .Case([&](tensor::SplatOp op) { return visitor.splatted(op, access); })
      .Case([&](graph::ReshapeOp op) { return visitor.reshaped(op, access); })
      .Case([&](tensor::CollapseShapeOp op) {
        return visitor.collapsed(op, access);
      })
      .Case([&](tensor::ExpandShapeOp op) {
        return visitor.expanded(op, access);
      })
      .Case([&](tensor::FromElementsOp op) {
        return visitor.listed(op, access);
      })
      .Case([&](tensor::ExtractSliceOp op) {
        return visitor.sliced(op, access);
      })
      .Case([&](tensor::InsertSliceOp op) {
        return visitor.inserted(op, access);
      })
      .Case([&](tensor::PadOp op) { return visitor.padded(op, access); })
      .Case([&](tensor::ConcatOp op) { return visitor.joined(op, access); })
      .Case([&](graph::BroadcastToOp op) {
        return visitor.broadcasted(op, access);
      })
      .Case([&](graph::GatherOp op) { return visitor.gathered(op, access); })
      .Case([&](graph::GatherPointsOp op) {
        return visitor.gatheredPoints(op, access);
      })
      .Case([&](graph::ReverseOp op) { return visitor.reversed(op, access); })
      .Case([&](graph::IotaOp op) { return visitor.iota(op, access); })
      .Case([&](linalg::UnPackOp op) { return visitor.unpacked(op, access); })
      .Default([&](Operation *) -> Result { return reportNone(result); });
}

template <typename Result, typename Visitor, typename... Arguments>
Result ElementForms::visitBody(Visitor &visitor, mlir::Operation &op,
                               Arguments &&...arguments) {
  using namespace mlir;
  if (auto index = dyn_cast<linalg::IndexOp>(op))
    return visitor.bodyIndex(index, arguments...);
  if (auto constant = dyn_cast<arith::ConstantOp>(op))
    return visitor.bodyConstant(constant, arguments...);
  if (auto extract = dyn_cast<tensor::ExtractOp>(op))
    return visitor.bodyExtract(extract, arguments...);
  if (OpTrait::hasElementwiseMappableTraits(&op) && op.getNumResults() == 1)
    return visitor.bodyElementwise(op, arguments...);
  return reportNone(op);
}

} // namespace tessera

#endif // TESSERA_TARGET_ELEMENTS_ELEMENTFORMS_H
