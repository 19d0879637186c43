// Tensors that are one number; see the header.
#include "lib/Transforms/Graph/ConstantNumber.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Interfaces/Movement.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Matchers.h"

#include <cmath>

using namespace mlir;
using namespace tessera;

bool tessera::isFloatCast(Operation *op) {
  return isa<arith::ExtFOp, arith::TruncFOp>(op);
}

std::optional<double> tessera::constantNumber(Value value) {
  Attribute constant;
  if (matchPattern(value, m_Constant(&constant))) {
    if (auto number = dyn_cast<FloatAttr>(constant))
      return number.getValueAsDouble();
    if (auto number = dyn_cast<IntegerAttr>(constant))
      return static_cast<double>(number.getInt());
    auto elements = dyn_cast<DenseElementsAttr>(constant);
    if (!elements || !elements.isSplat())
      return std::nullopt;
    if (isa<FloatType>(elements.getElementType()))
      return elements.getSplatValue<FloatAttr>().getValueAsDouble();
    if (isa<IntegerType>(elements.getElementType()))
      return static_cast<double>(
          elements.getSplatValue<IntegerAttr>().getInt());
    return std::nullopt;
  }
  Operation *op = value.getDefiningOp();
  if (!op)
    return std::nullopt;
  if (isIndexMap(op) || isFloatCast(op) || isa<arith::SIToFPOp>(op))
    return constantNumber(op->getOperand(0));
  if (auto elements = dyn_cast<tensor::FromElementsOp>(op))
    return elements.getElements().size() == 1
               ? constantNumber(elements.getElements()[0])
               : std::nullopt;
  if (op->getNumOperands() == 1 && isa<math::SqrtOp, math::RsqrtOp>(op)) {
    std::optional<double> x = constantNumber(op->getOperand(0));
    if (!x)
      return std::nullopt;
    double root = std::sqrt(static_cast<float>(*x));
    return isa<math::SqrtOp>(op) ? root : 1 / root;
  }
  if (!isa<arith::MulFOp, arith::DivFOp>(op))
    return std::nullopt;
  std::optional<double> a = constantNumber(op->getOperand(0)),
                        b = constantNumber(op->getOperand(1));
  if (!a || !b)
    return std::nullopt;
  return isa<arith::MulFOp>(op) ? *a * *b : *a / *b;
}
