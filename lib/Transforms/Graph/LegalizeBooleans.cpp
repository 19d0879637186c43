// Makes boolean inputs and outputs of the entry, and what its branches and loops give
// and carry, bytes.
#include "lib/Transforms/Graph/Passes.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/Builders.h"

namespace tessera {
#define GEN_PASS_DEF_LEGALIZEBOOLEANS
#include "lib/Transforms/Graph/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

namespace {

bool isBoolean(Type type) {
  auto tensor = dyn_cast<RankedTensorType>(type);
  return tensor && tensor.getElementType().isInteger(1);
}

Type bytesOf(Type type) {
  return cast<RankedTensorType>(type).clone(
      IntegerType::get(type.getContext(), 8));
}

/// Makes `value` bytes whose truth all users read.
void readAsBytes(OpBuilder &builder, Value value) {
  Type truthType = value.getType();
  value.setType(bytesOf(truthType));
  builder.setInsertionPointAfterValue(value);
  // trunc keeps the low bit of 0 and 1 and needs no constant of this shape.
  auto truth =
      arith::TruncIOp::create(builder, value.getLoc(), truthType, value);
  value.replaceAllUsesExcept(truth, truth);
}

void giveAsBytes(OpBuilder &builder, OpOperand &operand) {
  builder.setInsertionPoint(operand.getOwner());
  operand.set(arith::ExtUIOp::create(builder, operand.get().getLoc(),
                                     bytesOf(operand.get().getType()),
                                     operand.get()));
}

/// %r = scf.if … -> (tensor<4xi1>) { … scf.yield %t } …
///   ==>  %b = scf.if … -> (tensor<4xi8>) { … scf.yield (arith.extui %t) } …
///        %r = arith.trunci %b
void makeBytes(OpBuilder &builder, Operation *flow) {
  for (Region &region : flow->getRegions())
    for (Block &block : region) {
      for (BlockArgument argument : block.getArguments())
        if (isBoolean(argument.getType()))
          readAsBytes(builder, argument);
      for (OpOperand &operand : block.getTerminator()->getOpOperands())
        if (isBoolean(operand.get().getType()))
          giveAsBytes(builder, operand);
    }
  if (auto loop = dyn_cast<scf::ForOp>(flow))
    for (OpOperand &init : loop.getInitArgsMutable())
      if (isBoolean(init.get().getType()))
        giveAsBytes(builder, init);
  for (Value result : flow->getResults())
    if (isBoolean(result.getType()))
      readAsBytes(builder, result);
}

struct LegalizeBooleans
    : tessera::impl::LegalizeBooleansBase<LegalizeBooleans> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isDeclaration())
      return;
    OpBuilder builder(&getContext());
    Block &body = function.getBody().front();
    auto boolean = TypeAttr::get(builder.getI1Type());

    for (BlockArgument argument : body.getArguments()) {
      if (!isBoolean(argument.getType()))
        continue;
      readAsBytes(builder, argument);
      function.setArgAttr(argument.getArgNumber(), graph::kElementTypeAttr,
                          boolean);
    }

    Operation *terminator = body.getTerminator();
    for (OpOperand &operand : terminator->getOpOperands()) {
      if (!isBoolean(operand.get().getType()))
        continue;
      giveAsBytes(builder, operand);
      function.setResultAttr(operand.getOperandNumber(),
                             graph::kElementTypeAttr, boolean);
    }
    function.setFunctionType(builder.getFunctionType(
        body.getArgumentTypes(), terminator->getOperandTypes()));
    function.walk([&](Operation *op) {
      if (isa<scf::IfOp, scf::ForOp>(op))
        makeBytes(builder, op);
    });
  }
};

} // namespace
