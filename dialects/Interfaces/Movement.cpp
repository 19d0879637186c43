// How operations of other dialects move elements; see the header.
#include "dialects/Interfaces/Movement.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

#include "dialects/Interfaces/Movement.cpp.inc"

using namespace mlir;
using namespace tessera;

std::optional<Movement> tessera::movementOf(Operation *op) {
  auto movement = dyn_cast_or_null<MovementOpInterface>(op);
  return movement ? std::optional(movement.getMovement()) : std::nullopt;
}

Value tessera::viewSource(Operation *op) {
  return isView(op) ? op->getOperand(0) : Value();
}

namespace {
template <typename Op, Movement movement>
struct Moves
    : MovementOpInterface::ExternalModel<Moves<Op, movement>, Op> {
  Movement getMovement(Operation *) const { return movement; }
};

template <Movement movement, typename... Ops>
void attach(MLIRContext *context) {
  (Ops::template attachInterface<Moves<Ops, movement>>(*context), ...);
}
} // namespace

void tessera::registerMovements(DialectRegistry &registry) {
  registry.addExtension(+[](MLIRContext *context, tensor::TensorDialect *) {
    attach<Movement::View, tensor::ExpandShapeOp, tensor::CollapseShapeOp,
           tensor::CastOp>(context);
    attach<Movement::Slice, tensor::ExtractSliceOp>(context);
  });
  registry.addExtension(+[](MLIRContext *context, linalg::LinalgDialect *) {
    attach<Movement::IndexMap, linalg::TransposeOp, linalg::BroadcastOp,
           linalg::UnPackOp>(context);
  });
}
