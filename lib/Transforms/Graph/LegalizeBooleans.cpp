// Makes boolean inputs and outputs of the entry bytes.
#include "lib/Transforms/Graph/Passes.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
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

struct LegalizeBooleans
    : tessera::impl::LegalizeBooleansBase<LegalizeBooleans> {
  void runOnOperation() override {
    func::FuncOp function = getOperation();
    if (function.isDeclaration())
      return;
    OpBuilder builder(&getContext());
    Block &body = function.getBody().front();
    auto boolean = TypeAttr::get(builder.getI1Type());

    builder.setInsertionPointToStart(&body);
    for (BlockArgument argument : body.getArguments()) {
      if (!isBoolean(argument.getType()))
        continue;
      auto bytes = cast<RankedTensorType>(argument.getType())
                       .clone(builder.getI8Type());
      argument.setType(bytes);
      function.setArgAttr(argument.getArgNumber(), graph::kElementTypeAttr,
                          boolean);
      Location loc = argument.getLoc();
      // trunc keeps the low bit of 0 and 1 and needs no constant of this shape.
      auto truth = arith::TruncIOp::create(
          builder, loc, bytes.clone(builder.getI1Type()), argument);
      argument.replaceAllUsesExcept(truth, truth);
    }

    Operation *terminator = body.getTerminator();
    builder.setInsertionPoint(terminator);
    for (OpOperand &operand : terminator->getOpOperands()) {
      if (!isBoolean(operand.get().getType()))
        continue;
      auto bytes = cast<RankedTensorType>(operand.get().getType())
                       .clone(builder.getI8Type());
      operand.set(arith::ExtUIOp::create(builder, operand.get().getLoc(), bytes,
                                         operand.get()));
      function.setResultAttr(operand.getOperandNumber(),
                             graph::kElementTypeAttr, boolean);
    }
    function.setFunctionType(builder.getFunctionType(
        body.getArgumentTypes(), terminator->getOperandTypes()));
  }
};

} // namespace
