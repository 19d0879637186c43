// Stores operands that a kernel would convert or gather again at every use.
#include "lib/CostModel/ContractionSchedule.h"
#include "lib/CostModel/ModuleMachine.h"
#include "lib/Transforms/Kernel/KernelGroups.h"
#include "lib/Transforms/Kernel/Passes.h"

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/IR/SizeMaterialization.h"

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
  FailureOr<Contraction> product = contractionOf(op);
  if (failed(product))
    return nullptr;
  constexpr int64_t kTileColumns = 32;
  int64_t columns = product->loops[product->column].size;
  bool isFilter = !product->rhsGroups.empty();
  if (!isFilter && !ShapedType::isDynamic(columns) && columns <= kTileColumns)
    return nullptr;
  return product->lhsUse;
}

/// Whether `op` takes dimension 1 to the end, or with `back` the last one to 1.
static bool movesChannels(Operation *op, bool back) {
  auto transpose = dyn_cast_or_null<linalg::TransposeOp>(op);
  if (!transpose)
    return false;
  auto order = llvm::to_vector(
      llvm::seq<int64_t>(0, transpose.getPermutation().size()));
  auto second = order.begin() + 1;
  if (back)
    std::rotate(second, order.end() - 1, order.end());
  else
    std::rotate(second, second + 1, order.end());
  return transpose.getPermutation() == ArrayRef(order);
}

/// Whether windows along the last dimension are short and close enough for a row of
/// elements to be loaded at once, and so many that the ends of a row are little work
/// beside them.
static bool hasShortWindows(graph::PoolOp pool) {
  constexpr int64_t kLongest = 32, kWidestStride = 4, kFewestColumns = 32;
  auto type = cast<RankedTensorType>(pool.getType());
  int64_t columns = type.getDimSize(type.getRank() - 2);
  return columns >= kFewestColumns && pool.getKernel().back() <= kLongest &&
         pool.getStrides().back() <= kWidestStride &&
         pool.getDilations().back() == 1;
}

/// transpose(pool(transpose %x))  ==>  pool of %x as [batch * channels, spatial..., 1]
///
/// Images whose channels come first, and stay there, are planes of one channel.
static LogicalResult poolPlanes(graph::PoolOp pool) {
  Operation *turn = pool.getInput().getDefiningOp();
  if (!movesChannels(turn, /*back=*/false) || !hasShortWindows(pool) ||
      pool->use_empty() ||
      !llvm::all_of(pool->getUsers(), [](Operation *user) {
        return movesChannels(user, /*back=*/true);
      }))
    return failure();
  OpBuilder builder(pool);
  Location loc = pool.getLoc();
  Value x = cast<linalg::TransposeOp>(turn).getInput();
  int64_t rank = cast<RankedTensorType>(x.getType()).getRank();
  // [[0, 1], [2], ...] and [[0], ..., [rank - 2, rank - 1]].
  SmallVector<ReassociationIndices> planes = {{0, 1}}, lines;
  for (int64_t i = 2; i < rank; ++i)
    planes.push_back({i});
  for (int64_t i = 0; i + 1 < rank; ++i)
    lines.push_back({i});
  lines.back().push_back(rank - 1);
  graph::SizeAnalysis sizes(pool.getContext());
  auto expand = [&](Value value, RankedTensorType type,
                    ArrayRef<AffineExpr> dims,
                    ArrayRef<ReassociationIndices> groups) -> Value {
    return tensor::ExpandShapeOp::create(
        builder, loc, type, value, groups,
        graph::materializeShape(builder, loc, sizes, type, dims));
  };
  Value collapsed = tensor::CollapseShapeOp::create(builder, loc, x, planes);
  auto planeType = cast<RankedTensorType>(collapsed.getType());
  SmallVector<int64_t> inputShape(planeType.getShape());
  inputShape.push_back(1);
  SmallVector<AffineExpr> inputDims = sizes.dimsOf(collapsed);
  inputDims.push_back(builder.getAffineConstantExpr(1));
  Value input =
      expand(collapsed, planeType.clone(inputShape), inputDims, lines);
  SmallVector<int64_t> shape(
      cast<RankedTensorType>(pool.getType()).getShape());
  shape.front() = cast<RankedTensorType>(input.getType()).getDimSize(0);
  shape.back() = 1;
  Value pooled = graph::PoolOp::create(
      builder, loc,
      RankedTensorType::get(shape, getElementTypeOrSelf(pool.getType())), input,
      pool.getKind(), pool.getKernel(), pool.getStrides(), pool.getDilations(),
      pool.getPadLow(), pool.getPadHigh(), pool.getCeilMode());
  Value joined = tensor::CollapseShapeOp::create(builder, loc, pooled, lines);
  // The users differ in nothing.
  auto resultType = cast<RankedTensorType>(
      pool->user_begin()->getResult(0).getType());
  SmallVector<AffineExpr> resultDims = sizes.dimsOf(pooled);
  resultDims.pop_back();
  resultDims.erase(resultDims.begin());
  SmallVector<AffineExpr> outer = sizes.dimsOf(x);
  resultDims.insert(resultDims.begin(), outer.begin(), outer.begin() + 2);
  Value result = expand(joined, resultType, resultDims, planes);
  for (Operation *user : llvm::make_early_inc_range(pool->getUsers()))
    user->getResult(0).replaceAllUsesWith(result);
  return success();
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
  /// Whether the machine multiplies the operands as they are.
  static bool isMultipliedNarrow(Operation *op, const Machine &machine) {
    FailureOr<Contraction> product = contractionOf(op);
    return succeeded(product) &&
           chooseMultiplyAccumulate(*product, machine)
                   .value_or(kernel::MultiplyAccumulate::F32) !=
               kernel::MultiplyAccumulate::F32;
  }

  void runOnOperation() override {
    std::optional<Machine> machine;
    auto module = getOperation()->getParentOfType<ModuleOp>();
    if (hasMachine(module)) {
      FailureOr<Machine> given = machineOf(module);
      if (failed(given))
        return signalPassFailure();
      machine = *given;
    }
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
        if (failed(poolPlanes(pool)) && isTransposed(pool.getInput()))
          replace(pool.getInputMutable(), copies, createCopy);
      } else if (OpOperand *operand = broadcastOperand(op)) {
        Type element = getElementTypeOrSelf(operand->get().getType());
        if ((element.isF16() || element.isBF16()) &&
            !(machine && isMultipliedNarrow(op, *machine))) {
          replace(*operand, widened, createWidened);
          dropWidening(*operand);
        }
      }
    });
  }
};
} // namespace
