// How large the integers of an input may be where they are indices.
#include "lib/Pipeline/IndexLimits.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Interfaces/Movement.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;

namespace {

/// Whether the results of `user` hold elements of `operand` as they are.
bool movesElements(OpOperand &operand) {
  Operation *user = operand.getOwner();
  if (auto select = dyn_cast<arith::SelectOp>(user))
    return operand.get() != select.getCondition();
  if (tessera::movementOf(user))
    return operand.getOperandNumber() == 0;
  return isa<arith::ExtSIOp, arith::ExtUIOp, arith::TruncIOp,
             arith::IndexCastOp, tensor::ConcatOp, tensor::InsertSliceOp,
             tensor::PadOp>(user);
}

/// The least length that `input` indexes, or none.
std::optional<int64_t> limitOf(Value input) {
  std::optional<int64_t> limit;
  SmallVector<Value> pending = {input};
  llvm::SmallPtrSet<Value, 16> seen = {input};
  while (!pending.empty()) {
    for (OpOperand &use : pending.pop_back_val().getUses()) {
      auto gather = dyn_cast<tessera::graph::GatherOp>(use.getOwner());
      if (gather && use.get() == gather.getIndices()) {
        int64_t length = gather.getData().getType().getDimSize(gather.getAxis());
        if (!ShapedType::isDynamic(length) && length > 0)
          limit = std::min(limit.value_or(length), length);
      }
      if (movesElements(use))
        for (Value result : use.getOwner()->getResults())
          if (seen.insert(result).second)
            pending.push_back(result);
    }
  }
  return limit;
}

} // namespace

std::map<std::string, int64_t> tessera::findIndexLimits(ModuleOp module) {
  std::map<std::string, int64_t> limits;
  for (auto entry : module.getOps<func::FuncOp>()) {
    if (entry.isExternal())
      continue;
    for (BlockArgument argument : entry.getArguments()) {
      auto type = dyn_cast<RankedTensorType>(argument.getType());
      auto name = entry.getArgAttrOfType<StringAttr>(argument.getArgNumber(),
                                                     "graph.name");
      if (!type || !name || !type.getElementType().isInteger() ||
          type.getElementType().isInteger(1))
        continue;
      if (std::optional<int64_t> limit = limitOf(argument))
        limits[name.str()] = *limit;
    }
  }
  return limits;
}
