// Structured operations on memrefs as parallel loop nests; see the header.
#include "lib/Target/CPU/Generic/ParallelLoops.h"
#include "dialects/Kernel/IR/Kernel.h"

#include "mlir/Dialect/Affine/Utils.h"
#include "mlir/Dialect/Arith/Utils/Utils.h"
#include "mlir/Dialect/Func/IR/FuncOps.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "mlir/IR/IRMapping.h"

using namespace mlir;
using namespace tessera;

/// Elements of the iteration space in a task: enough to outweigh starting it.
constexpr int64_t kTaskElements = 16 * 1024;

/// Sums that are on the stack at a time.
constexpr int64_t kStripSums = 64;

/// The addition of a body that sums floats narrower than f64; null if it does
/// something else.
static arith::AddFOp findNarrowSum(linalg::LinalgOp op) {
  if (op.getNumReductionLoops() == 0 || op.getNumDpsInits() != 1)
    return {};
  Block *body = op.getBlock();
  auto sum = body->getTerminator()->getOperand(0).getDefiningOp<arith::AddFOp>();
  Value before = op.getRegionOutputArgs().front();
  bool isSum = sum && sum->getBlock() == body && before.hasOneUse() &&
               llvm::is_contained(sum->getOperands(), before) &&
               sum.getType().getIntOrFloatBitWidth() < 64;
  return isSum ? sum : arith::AddFOp();
}

namespace {

/// Emits the loop nest of one operation.
class LoopNest {
public:
  LoopNest(linalg::LinalgOp op, Value context)
      : op(op), context(context), builder(op), loc(op.getLoc()),
        indices(op.getNumLoops()), sum(findNarrowSum(op)) {}

  void emit();

private:
  void chooseOrder();
  void chooseShared();
  void placeSums();
  int64_t countStrided(unsigned loop);
  bool isParallel(unsigned loop) {
    return op.getIteratorTypesArray()[loop] == utils::IteratorType::parallel;
  }

  Value constant(int64_t value) {
    return arith::ConstantIndexOp::create(builder, loc, value);
  }
  Value product(ArrayRef<unsigned> loops);
  Value ceilDivide(Value value, Value divisor);
  void emitTasks();
  void emitRows(Value begin, Value end);
  /// Loops from position `position` of the order on; returns the values of the
  /// outputs when `accumulators` are given, else stores them.
  SmallVector<Value> emitLoops(size_t position, ArrayRef<Value> accumulators);
  /// Strips of the loop `striped`, each through the loops from `position` on.
  void emitStrips(size_t position);
  void emitStripSums(size_t position, function_ref<void()> addElements);
  SmallVector<Value> emitBody(ArrayRef<Value> accumulators);
  Value emitTerm(IRMapping &mapping);
  Value convert(Value value, Type type);
  SmallVector<Value> indicesOf(OpOperand &operand);
  SmallVector<Value> loadOutputs();
  void storeOutputs(ArrayRef<Value> values);

  linalg::LinalgOp op;
  Value context;
  OpBuilder builder;
  Location loc;
  /// Size of each loop.
  SmallVector<Value> sizes;
  /// Loops from the outermost to the innermost.
  SmallVector<unsigned> order;
  /// The loops that tasks share, outermost first: a prefix of `order`, or one
  /// parallel loop anywhere in it.
  SmallVector<unsigned> shared;
  /// Number of innermost reduction loops, whose results stay in registers.
  size_t accumulated = 0;
  /// Value of each loop's index, set as the nest is entered.
  SmallVector<Value> indices;
  /// The addition of floats that is made in f64; null: none.
  arith::AddFOp sum;
  /// A parallel loop inside of the reductions, and the sums of a strip of it.
  std::optional<unsigned> striped;
  Value stripSums;
  /// Bounds of a shared loop that does not lead.
  Value sharedBegin, sharedEnd;
};

} // namespace

/// How many operands step by more than an element when `loop` steps.
int64_t LoopNest::countStrided(unsigned loop) {
  int64_t count = 0;
  for (OpOperand &operand : op->getOpOperands()) {
    AffineMap map = op.getMatchingIndexingMap(&operand);
    bool isUsed = map.isFunctionOfDim(loop);
    bool isLast =
        isUsed &&
        map.getResults().back() == getAffineDimExpr(loop, op->getContext()) &&
        !llvm::any_of(map.getResults().drop_back(), [&](AffineExpr expr) {
          return expr.isFunctionOfDim(loop);
        });
    count += isUsed && !isLast;
  }
  return count;
}

void LoopNest::chooseOrder() {
  order = llvm::to_vector(llvm::seq<unsigned>(0, op.getNumLoops()));
  if (order.empty())
    return;
  // The loop along the output's last dimension is the best innermost one unless
  // it makes the inputs step further than the present one does.
  AffineMap output = op.getMatchingIndexingMap(op.getDpsInitOperand(0));
  AffineDimExpr last(nullptr);
  if (output.getNumResults() != 0)
    last = dyn_cast<AffineDimExpr>(output.getResults().back());
  if (last && last.getPosition() != order.back() &&
      isParallel(last.getPosition()) &&
      countStrided(last.getPosition()) <= countStrided(order.back())) {
    llvm::erase(order, last.getPosition());
    order.push_back(last.getPosition());
  }
  if (sum) {
    if (isParallel(order.back()))
      striped = order.pop_back_val();
    llvm::sort(order, [&](unsigned a, unsigned b) {
      return std::pair(!isParallel(a), a) < std::pair(!isParallel(b), b);
    });
  }
  for (unsigned loop : llvm::reverse(order)) {
    if (isParallel(loop))
      break;
    ++accumulated;
  }
}

void LoopNest::chooseShared() {
  for (unsigned loop : order) {
    if (!isParallel(loop))
      break;
    shared.push_back(loop);
  }
  // The innermost loop stays whole: it is the one that is vectorised.
  if (shared.size() > 1 && shared.back() == order.back())
    shared.pop_back();
  if (shared.empty())
    for (unsigned loop : order)
      if (isParallel(loop)) {
        shared.push_back(loop);
        break;
      }
  if (shared.empty() && striped)
    shared.push_back(*striped);
}

Value LoopNest::product(ArrayRef<unsigned> loops) {
  Value result = constant(1);
  for (unsigned loop : loops)
    result = builder.createOrFold<arith::MulIOp>(loc, result, sizes[loop]);
  return result;
}

Value LoopNest::ceilDivide(Value value, Value divisor) {
  Value sum = builder.createOrFold<arith::AddIOp>(loc, value, divisor);
  sum = builder.createOrFold<arith::SubIOp>(loc, sum, constant(1));
  return builder.createOrFold<arith::DivUIOp>(loc, sum, divisor);
}

void LoopNest::emit() {
  for (Range range : op.createLoopRanges(builder, loc))
    sizes.push_back(getValueOrCreateConstantIndexOp(builder, loc, range.size));
  chooseOrder();
  chooseShared();
  auto function = op->getParentOfType<func::FuncOp>();
  builder.setInsertionPointToStart(&function.getBody().front());
  placeSums();
  builder.setInsertionPoint(op);
  if (shared.empty())
    emitLoops(0, {});
  else
    emitTasks();
  op.erase();
}

/// The strip's sums are on the stack of a task, or of the function.
void LoopNest::placeSums() {
  if (striped)
    stripSums = memref::AllocaOp::create(
        builder, loc, MemRefType::get({kStripSums}, builder.getF64Type()));
}

void LoopNest::emitTasks() {
  SmallVector<unsigned> others;
  for (unsigned loop = 0, e = op.getNumLoops(); loop < e; ++loop)
    if (!llvm::is_contained(shared, loop))
      others.push_back(loop);
  Value rows = product(shared), one = constant(1);
  Value rowElements =
      builder.createOrFold<arith::MaxSIOp>(loc, product(others), one);
  Value taskRows = ceilDivide(constant(kTaskElements), rowElements);
  Value tasks = ceilDivide(rows, taskRows);
  if (getConstantIntValue(tasks) == 1) {
    emitRows(constant(0), rows);
    return;
  }
  kernel::ParallelForOp::create(
      builder, loc, tasks, context,
      [&](OpBuilder &, Location, Value task, Value) {
        placeSums();
        Value begin = arith::MulIOp::create(builder, loc, task, taskRows);
        Value end = arith::AddIOp::create(builder, loc, begin, taskRows);
        emitRows(begin, arith::MinSIOp::create(builder, loc, end, rows));
      });
}

void LoopNest::emitRows(Value begin, Value end) {
  if (order.empty() || shared.front() != order.front()) {
    sharedBegin = begin;
    sharedEnd = end;
    emitLoops(0, {});
    return;
  }
  auto rows = scf::ForOp::create(builder, loc, begin, end, constant(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(rows.getBody());
  Value rest = rows.getInductionVar();
  for (unsigned loop : llvm::reverse(ArrayRef(shared).drop_front())) {
    indices[loop] = arith::RemUIOp::create(builder, loc, rest, sizes[loop]);
    rest = arith::DivUIOp::create(builder, loc, rest, sizes[loop]);
  }
  indices[shared.front()] = rest;
  emitLoops(shared.size(), {});
}

SmallVector<Value> LoopNest::emitLoops(size_t position,
                                       ArrayRef<Value> accumulators) {
  bool isInside = !accumulators.empty();
  if (position == order.size() - accumulated && striped) {
    emitStrips(position);
    return {};
  }
  if (position == order.size() - accumulated && !isInside) {
    SmallVector<Value> initial = loadOutputs();
    SmallVector<Value> results =
        accumulated == 0 ? emitBody(initial) : emitLoops(position, initial);
    storeOutputs(results);
    return {};
  }
  if (position == order.size())
    return emitBody(accumulators);
  unsigned loop = order[position];
  bool isShared = sharedBegin && loop == shared.front();
  if (!isShared && getConstantIntValue(sizes[loop]) == 1) {
    indices[loop] = constant(0);
    return emitLoops(position + 1, accumulators);
  }
  Value begin = isShared ? sharedBegin : constant(0);
  Value end = isShared ? sharedEnd : sizes[loop];
  auto forOp = scf::ForOp::create(builder, loc, begin, end, constant(1),
                                  ValueRange(accumulators));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(forOp.getBody());
  indices[loop] = forOp.getInductionVar();
  SmallVector<Value> results = emitLoops(
      position + 1, llvm::to_vector_of<Value>(forOp.getRegionIterArgs()));
  if (!isInside)
    return {};
  scf::YieldOp::create(builder, loc, results);
  return llvm::to_vector_of<Value>(forOp.getResults());
}

void LoopNest::emitStrips(size_t position) {
  bool isShared = sharedBegin && *striped == shared.front();
  Value begin = isShared ? sharedBegin : constant(0);
  Value end = isShared ? sharedEnd : sizes[*striped];
  Value width = constant(kStripSums), zero = constant(0), one = constant(1);
  auto strips = scf::ForOp::create(builder, loc, begin, end, width);
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(strips.getBody());
  Value first = strips.getInductionVar();
  Value left = arith::SubIOp::create(builder, loc, end, first);
  Value count = arith::MinSIOp::create(builder, loc, left, width);
  auto forEachSum = [&](function_ref<void(Value number)> body) {
    auto loop = scf::ForOp::create(builder, loc, zero, count, one);
    OpBuilder::InsertionGuard guard(builder);
    builder.setInsertionPointToStart(loop.getBody());
    indices[*striped] = arith::AddIOp::create(builder, loc, first,
                                              loop.getInductionVar());
    body(loop.getInductionVar());
  };
  auto store = [&](Value value, Value number) {
    memref::StoreOp::create(builder, loc, value, stripSums, number);
  };
  auto load = [&](Value number) -> Value {
    return memref::LoadOp::create(builder, loc, stripSums, number);
  };
  forEachSum([&](Value number) { store(loadOutputs().front(), number); });
  emitStripSums(position, [&] {
    forEachSum([&](Value number) {
      store(emitBody(load(number)).front(), number);
    });
  });
  forEachSum([&](Value number) { storeOutputs(load(number)); });
}

void LoopNest::emitStripSums(size_t position,
                             function_ref<void()> addElements) {
  if (position == order.size())
    return addElements();
  unsigned loop = order[position];
  auto forOp = scf::ForOp::create(builder, loc, constant(0), sizes[loop],
                                  constant(1));
  OpBuilder::InsertionGuard guard(builder);
  builder.setInsertionPointToStart(forOp.getBody());
  indices[loop] = forOp.getInductionVar();
  emitStripSums(position + 1, addElements);
}

SmallVector<Value> LoopNest::indicesOf(OpOperand &operand) {
  AffineMap map = op.getMatchingIndexingMap(&operand);
  SmallVector<Value> result;
  for (AffineExpr expr : map.getResults())
    result.push_back(affine::expandAffineExpr(builder, loc, expr, indices, {}));
  return result;
}

SmallVector<Value> LoopNest::loadOutputs() {
  SmallVector<Value> values;
  for (OpOperand &init : op.getDpsInitsMutable())
    values.push_back(
        memref::LoadOp::create(builder, loc, init.get(), indicesOf(init)));
  if (sum)
    values.front() = convert(values.front(), builder.getF64Type());
  return values;
}

void LoopNest::storeOutputs(ArrayRef<Value> values) {
  for (auto [init, value] : llvm::zip(op.getDpsInitsMutable(), values)) {
    Type stored = getElementTypeOrSelf(init.get().getType());
    memref::StoreOp::create(builder, loc, sum ? convert(value, stored) : value,
                            init.get(), indicesOf(init));
  }
}

/// `value` as a float of another width.
Value LoopNest::convert(Value value, Type type) {
  unsigned from = value.getType().getIntOrFloatBitWidth();
  if (value.getType() == type)
    return value;
  if (from > type.getIntOrFloatBitWidth())
    return arith::TruncFOp::create(builder, loc, type, value);
  if (from < 32)
    value = arith::ExtFOp::create(builder, loc, builder.getF32Type(), value);
  return arith::ExtFOp::create(builder, loc, type, value);
}

/// What the body adds, in f64. A product is made of factors in f64, which is exact.
Value LoopNest::emitTerm(IRMapping &mapping) {
  Value before = op.getRegionOutputArgs().front();
  Value term = sum.getLhs() == before ? sum.getRhs() : sum.getLhs();
  Type wide = builder.getF64Type();
  auto product = term.getDefiningOp<arith::MulFOp>();
  if (!product || product->getBlock() != op.getBlock())
    return convert(mapping.lookupOrDefault(term), wide);
  auto factor = [&](Value value) {
    return convert(mapping.lookupOrDefault(value), wide);
  };
  return arith::MulFOp::create(builder, loc, factor(product.getLhs()),
                               factor(product.getRhs()));
}

SmallVector<Value> LoopNest::emitBody(ArrayRef<Value> accumulators) {
  Block *body = op.getBlock();
  IRMapping mapping;
  for (OpOperand *input : op.getDpsInputOperands()) {
    BlockArgument argument = body->getArgument(input->getOperandNumber());
    if (argument.use_empty())
      continue;
    Value element = input->get();
    if (isa<MemRefType>(element.getType()))
      element =
          memref::LoadOp::create(builder, loc, element, indicesOf(*input));
    mapping.map(argument, element);
  }
  for (auto [argument, value] :
       llvm::zip(op.getRegionOutputArgs(), accumulators))
    mapping.map(argument, value);
  SmallVector<linalg::IndexOp> indexOps;
  for (Operation &inner : body->without_terminator()) {
    if (&inner == sum.getOperation())
      continue;
    Operation *clone = builder.clone(inner, mapping);
    clone->walk([&](linalg::IndexOp index) { indexOps.push_back(index); });
  }
  SmallVector<Value> results;
  if (sum)
    results.push_back(arith::AddFOp::create(builder, loc, accumulators.front(),
                                            emitTerm(mapping)));
  else
    for (Value value : body->getTerminator()->getOperands())
      results.push_back(mapping.lookupOrDefault(value));
  for (linalg::IndexOp index : indexOps) {
    Value value = indices[index.getDim()];
    llvm::replace(results, Value(index), value);
    index.replaceAllUsesWith(value);
    index.erase();
  }
  return results;
}

void cpu::emitParallelLoops(linalg::LinalgOp op, Value context) {
  LoopNest(op, context).emit();
}
