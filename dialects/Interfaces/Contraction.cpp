// Products of any operation; see the header.
#include "dialects/Interfaces/Contraction.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

#include "dialects/Interfaces/ContractionOpInterface.cpp.inc"

using namespace mlir;
using namespace tessera;

const ContractionWindow *Contraction::rowWindow() const {
  for (const ContractionWindow &window : windows)
    if (window.position == row)
      return &window;
  return nullptr;
}

const ContractionWindow *Contraction::windowOfTap(unsigned loop) const {
  for (const ContractionWindow &window : windows)
    if (window.tap == loop)
      return &window;
  return nullptr;
}

unsigned Contraction::addLoop(int64_t size, TensorDimension origin) {
  loops.push_back({size, origin});
  return loops.size() - 1;
}

bool tessera::isContraction(Operation *op) {
  auto product = dyn_cast_or_null<ContractionOpInterface>(op);
  return product && product.isProduct();
}

FailureOr<Contraction>
tessera::contractionOf(Operation *op,
                       function_ref<InFlightDiagnostic()> emitError) {
  if (isContraction(op))
    return cast<ContractionOpInterface>(op).getContraction(emitError);
  if (emitError)
    emitError() << "is no contraction";
  return failure();
}

bool tessera::mayCollapse(Value tensor) {
  while (Operation *op = tensor.getDefiningOp()) {
    if (!isa<tensor::ExpandShapeOp, tensor::CollapseShapeOp>(op))
      return false;
    tensor = op->getOperand(0);
  }
  return true;
}

bool tessera::isSignFlip(Operation *op) {
  auto flip = dyn_cast_or_null<arith::XOrIOp>(op);
  if (!flip)
    return false;
  Value bits = flip.getRhs();
  // A scalar that is repeated.
  Operation *repeat = bits.getDefiningOp();
  if (repeat && repeat->getNumOperands() > 0)
    if (auto type =
            dyn_cast<RankedTensorType>(repeat->getOperand(0).getType());
        type && type.getRank() == 0)
      bits = repeat->getOperand(0);
  llvm::APInt number;
  return matchPattern(bits, m_ConstantInt(&number)) &&
         number.getBitWidth() == 8 && number.isMinSignedValue();
}
