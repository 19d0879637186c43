// Which tensors of an entry are the same bytes, and when these are alive; see the
// header.
#include "lib/Transforms/Buffer/TensorLives.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace tessera;

Value tessera::belowViews(Value value) {
  while (Operation *op = value.getDefiningOp()) {
    Value source = viewSource(op);
    if (!source)
      break;
    value = source;
  }
  return value;
}

static bool isTensor(Value value) { return isa<TensorType>(value.getType()); }

/// Whether a call, branch or loop of `block` gives `tensor`.
static bool isComputedIn(Block *block, Value tensor) {
  return tensor.getParentBlock() == block &&
         isa_and_nonnull<kernel::CallOp, scf::IfOp, scf::ForOp>(
             tensor.getDefiningOp());
}

Value TensorLives::placeOf(Value tensor) const {
  for (auto it = known.find(tensor); it != known.end(); it = known.find(tensor)) {
    if (it->second == tensor)
      break;
    tensor = it->second;
  }
  return tensor;
}

//===----------------------------------------------------------------------===//
// What is one place
//===----------------------------------------------------------------------===//

LogicalResult TensorLives::checkYielded(Operation *yield) {
  auto loop = dyn_cast<scf::ForOp>(yield->getParentOp());
  llvm::SmallDenseSet<Value> taken;
  for (OpOperand &operand : yield->getOpOperands()) {
    Value value = operand.get();
    if (!isTensor(value) ||
        (loop && value == loop.getRegionIterArg(operand.getOperandNumber())))
      continue;
    Value below = belowViews(value);
    if (!isComputedIn(yield->getBlock(), below) || !taken.insert(below).second)
      return yield->emitOpError("expects tensor ")
             << operand.getOperandNumber()
             << " to be the result of a kernel of its own in this block";
  }
  return success();
}

LogicalResult TensorLives::checkInit(scf::ForOp loop, Value init) {
  Value below = belowViews(init);
  bool isOwn = isComputedIn(loop->getBlock(), below);
  for (Value value = init; isOwn; value = value.getDefiningOp()->getOperand(0)) {
    isOwn = value.hasOneUse();
    if (value == below)
      break;
  }
  if (isOwn)
    return success();
  return loop.emitOpError("expects what it begins with to be the result of a kernel "
                          "of this block that nothing else reads, but got ")
         << init;
}

/// The number of the first call that writes the bytes of `tensor`, a call's, branch's
/// or loop's result.
int64_t TensorLives::firstWrite(Value tensor) const {
  tensor = belowViews(tensor);
  Operation *op = tensor.getDefiningOp();
  if (!op) // what the loop carries already
    return INT64_MAX;
  unsigned result = cast<OpResult>(tensor).getResultNumber();
  if (auto branch = dyn_cast<scf::IfOp>(op))
    return std::min(firstWrite(branch.thenYield()->getOperand(result)),
                    firstWrite(branch.elseYield()->getOperand(result)));
  if (auto loop = dyn_cast<scf::ForOp>(op)) {
    Value init = loop.getInitArgs()[result];
    return init.getDefiningOp<tensor::EmptyOp>() ? numbers.first(loop)
                                                 : firstWrite(init);
  }
  return numbers.first(op);
}

/// The number of the last call that reads `tensor`, or of the one before an element is
/// read; -1 if there is none.
int64_t TensorLives::lastRead(Value tensor, Block *scope) const {
  int64_t last = -1;
  for (Operation *user : tensor.getUsers()) {
    if (viewSource(user))
      last = std::max(last, lastRead(user->getResult(0), scope));
    else if (isa<kernel::CallOp>(user))
      last = std::max(last, keptUntil(numbers.first(user), user->getBlock(), scope));
    else if (isa<tensor::ExtractOp>(user))
      last = std::max(last,
                      keptUntil(numbers.first(user) - 1, user->getBlock(), scope));
  }
  return last;
}

LogicalResult TensorLives::checkCarried(BlockArgument carried, Value next) {
  if (next == carried)
    return success();
  int64_t write = firstWrite(next), read = lastRead(carried, carried.getOwner());
  if (read < write)
    return success();
  InFlightDiagnostic error =
      belowViews(next).getDefiningOp()->emitOpError(
          "writes what the loop carries before all of it is read; expects a copy at "
          "the end of the trip");
  if (read < static_cast<int64_t>(numbers.all().size()))
    error.attachNote(numbers.all()[read]->getLoc()) << "what reads it ends with this call";
  return error;
}

LogicalResult TensorLives::joinLoop(scf::ForOp loop) {
  for (auto [init, carried] :
       llvm::zip(loop.getInitArgs(), loop.getRegionIterArgs())) {
    if (!isTensor(init) || init.getDefiningOp<tensor::EmptyOp>())
      continue;
    if (failed(checkInit(loop, init)))
      return failure();
    join(init, carried);
  }
  if (failed(joinBlock(*loop.getBody())))
    return failure();
  for (auto [carried, next, result] :
       llvm::zip(loop.getRegionIterArgs(), loop.getYieldedValues(),
                 loop.getResults())) {
    if (!isTensor(carried))
      continue;
    if (failed(checkCarried(carried, next)))
      return failure();
    join(carried, next);
    join(carried, result);
  }
  return success();
}

LogicalResult TensorLives::joinBlock(Block &block) {
  for (Operation &op : block) {
    if (Value source = viewSource(&op)) {
      join(source, op.getResult(0));
    } else if (auto loop = dyn_cast<scf::ForOp>(op)) {
      if (failed(joinLoop(loop)))
        return failure();
    } else if (auto branch = dyn_cast<scf::IfOp>(op)) {
      for (Region &region : op.getRegions())
        for (Block &nested : region) {
          if (failed(joinBlock(nested)))
            return failure();
          for (auto [result, yielded] :
               llvm::zip(branch.getResults(), nested.getTerminator()->getOperands()))
            if (isTensor(result))
              join(result, yielded);
        }
    }
  }
  Operation *end = block.getTerminator();
  return isa<scf::YieldOp>(end) ? checkYielded(end) : success();
}

//===----------------------------------------------------------------------===//
// Lives
//===----------------------------------------------------------------------===//

int64_t TensorLives::keptUntil(int64_t number, Block *block, Block *scope) const {
  for (; block != scope; block = block->getParentOp()->getBlock())
    if (isa<scf::ForOp>(block->getParentOp()))
      number = std::max(number, numbers.end(block->getParentOp()) - 1);
  return number;
}

void TensorLives::extend(Value tensor, int64_t number, Block *block) {
  auto it = lives.find(placeOf(tensor));
  if (it != lives.end())
    it->second.life.last = std::max(it->second.life.last,
                                    keptUntil(number, block, it->second.scope));
}

static int64_t depthOf(Block *block) {
  int64_t depth = 0;
  for (Operation *op = block->getParentOp(); op; op = op->getParentOp())
    ++depth;
  return depth;
}

void TensorLives::computeLives() {
  for (auto [number, call] : llvm::enumerate(numbers.all()))
    for (Value result : call->getResults())
      if (lives
              .try_emplace(placeOf(result),
                           PlaceLife{{int64_t(number), int64_t(number)},
                                     result.getParentBlock()})
              .second)
        written.push_back(result);
  entry.walk([&](Operation *op) {
    for (Value result : op->getResults())
      if (auto it = lives.find(placeOf(result));
          it != lives.end() &&
          depthOf(op->getBlock()) < depthOf(it->second.scope))
        it->second.scope = op->getBlock();
  });
  entry.walk([&](Operation *op) {
    if (auto call = dyn_cast<kernel::CallOp>(op))
      for (Value input : call.getInputs())
        extend(input, numbers.first(op), op->getBlock());
    else if (auto extract = dyn_cast<tensor::ExtractOp>(op))
      extend(extract.getTensor(), numbers.first(op) - 1, op->getBlock());
    else if (auto loop = dyn_cast<scf::ForOp>(op))
      for (auto [init, carried] :
           llvm::zip(loop.getInitArgs(), loop.getRegionIterArgs())) {
        auto it = lives.find(placeOf(carried));
        if (it == lives.end())
          continue;
        extend(carried, numbers.end(op) - 1, op->getBlock());
        if (init.getDefiningOp<tensor::EmptyOp>())
          it->second.life.first =
              std::min(it->second.life.first, numbers.first(op));
      }
  });
}

FailureOr<TensorLives> TensorLives::of(func::FuncOp entry) {
  TensorLives lives(entry);
  if (failed(lives.joinBlock(entry.getBody().front())))
    return failure();
  lives.computeLives();
  return lives;
}
