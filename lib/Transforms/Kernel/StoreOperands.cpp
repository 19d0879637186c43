// Stores operands that a kernel would convert or gather again at every use.
#include "lib/Transforms/Kernel/KernelGroups.h"
#include "lib/Transforms/Kernel/Passes.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

namespace tessera {
#define GEN_PASS_DEF_STOREOPERANDS
#include "lib/Transforms/Kernel/Passes.h.inc"
} // namespace tessera

using namespace mlir;
using namespace tessera;

/// Whether `value` is read through a transpose, of which a kernel has a copy.
static bool isTransposed(Value value) {
  Operation *op = value.getDefiningOp();
  while (op && isClonedIntoGroups(op) && op->getNumOperands() > 0) {
    if (isa<linalg::TransposeOp>(op))
      return true;
    op = op->getOperand(0).getDefiningOp();
  }
  return false;
}

/// The operand of `op` whose elements a register tile broadcasts, each once for
/// every tile of columns; null if there is none or one tile has all columns.
static OpOperand *broadcastOperand(Operation *op) {
  if (auto conv = dyn_cast<graph::ConvOp>(op))
    return &conv.getInputMutable();
  auto structured = dyn_cast<linalg::LinalgOp>(op);
  if (!structured || !linalg::isaContractionOpInterface(structured) ||
      structured.getNumDpsInputs() != 2)
    return nullptr;
  constexpr int64_t kTileColumns = 32;
  OpOperand *init = structured.getDpsInitOperand(0);
  auto result = cast<RankedTensorType>(init->get().getType());
  AffineMap map = structured.getMatchingIndexingMap(init);
  if (result.getRank() == 0 || (!result.isDynamicDim(result.getRank() - 1) &&
                                result.getShape().back() <= kTileColumns))
    return nullptr;
  unsigned column = map.getDimPosition(map.getNumResults() - 1);
  for (OpOperand *operand : structured.getDpsInputOperands())
    if (!structured.getMatchingIndexingMap(operand).isFunctionOfDim(column))
      return operand;
  return nullptr;
}

static Value createCopy(OpBuilder &builder, Location loc, Value value) {
  Value empty = tensor::EmptyOp::create(
      builder, loc, tensor::getMixedSizes(builder, loc, value),
      cast<RankedTensorType>(value.getType()).getElementType());
  return linalg::CopyOp::create(builder, loc, value, empty).getResult(0);
}

static Value createWidened(OpBuilder &builder, Location loc, Value value) {
  auto type = cast<RankedTensorType>(value.getType());
  return arith::ExtFOp::create(builder, loc, type.clone(builder.getF32Type()),
                               value);
}

/// Takes the widening of the operand out of the body of its operation.
static void dropWidening(OpOperand &operand) {
  auto structured = dyn_cast<linalg::LinalgOp>(operand.getOwner());
  if (!structured)
    return;
  BlockArgument element = structured.getMatchingBlockArgument(&operand);
  element.setType(getElementTypeOrSelf(operand.get().getType()));
  for (Operation *user : llvm::make_early_inc_range(element.getUsers()))
    if (isa<arith::ExtFOp>(user)) {
      user->getResult(0).replaceAllUsesWith(element);
      user->erase();
    }
}

namespace {
struct StoreOperands : tessera::impl::StoreOperandsBase<StoreOperands> {
  void runOnOperation() override {
    DenseMap<Value, Value> copies, widened;
    auto replace = [](OpOperand &operand, DenseMap<Value, Value> &known,
                      Value (*create)(OpBuilder &, Location, Value)) {
      Value value = operand.get();
      Value &stored = known[value];
      if (!stored) {
        OpBuilder builder(operand.getOwner());
        builder.setInsertionPointAfterValue(value);
        stored = create(builder, operand.getOwner()->getLoc(), value);
      }
      operand.set(stored);
    };
    getOperation().walk([&](Operation *op) {
      if (auto pool = dyn_cast<graph::PoolOp>(op)) {
        if (isTransposed(pool.getInput()))
          replace(pool.getInputMutable(), copies, createCopy);
      } else if (OpOperand *operand = broadcastOperand(op)) {
        Type element = getElementTypeOrSelf(operand->get().getType());
        if (element.isF16() || element.isBF16()) {
          replace(*operand, widened, createWidened);
          dropWidening(*operand);
        }
      }
    });
  }
};
} // namespace
