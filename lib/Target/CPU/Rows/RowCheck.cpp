// Which kernels the row emitter takes: what it emits, followed without emission.
#include "lib/Target/CPU/Rows/RowCheck.h"
#include "lib/Target/Elements/ElementCheck.h"
#include "lib/Target/CPU/Rows/RowKernel.h"
#include "lib/Target/CPU/Rows/RowStages.h"

#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

namespace {

/// The passes over rows: what each reads, with what those before it have left.
class PassCheck {
public:
  PassCheck(kernel::FuncOp kernel, RowStages &stages)
      : kernel(kernel), stages(stages), elements(kernel, stages.rank() - 1) {}

  LogicalResult run();

private:
  using Access = ElementCheck::Access;

  Value yielded(int64_t output) {
    return kernel.getYield().getValues()[output];
  }
  bool readsLinearly();
  LogicalResult checkRoot(Value root);
  /// Where a value of the rows is read: at the loops that its dimensions are.
  Access accessOf(Value value, ArrayRef<int64_t> dimensions);
  LogicalResult knowRowValues(int64_t number);
  LogicalResult checkPass(int64_t number);
  LogicalResult checkRowOutputs();

  kernel::FuncOp kernel;
  RowStages &stages;
  ElementCheck elements;
  /// Rows are read by position.
  bool linear = false;
};

} // namespace

PassCheck::Access PassCheck::accessOf(Value value,
                                      ArrayRef<int64_t> dimensions) {
  auto type = cast<RankedTensorType>(value.getType());
  Access access;
  for (auto [i, dimension] : llvm::enumerate(dimensions))
    access.push_back(type.getDimSize(i) == 1 ? ElementCheck::kZero : dimension);
  return access;
}

/// As RowPasses::readLinearly: by position, where nothing else changes indices.
bool PassCheck::readsLinearly() {
  if (!stages.hasContiguousRows() ||
      (stages.reduced.size() == 1 && stages.reducesLast()))
    return false;
  ElementCheck bound(kernel);
  for (Value repeated : stages.repetitions)
    bound.bindAnywhere(repeated);
  return llvm::all_of(stages.passes, [&](const RowPass &pass) {
    return llvm::all_of(pass.reductions,
                        [&](const RowReduction &reduction) {
                          return bound.isLinear(reduction.input);
                        }) &&
           llvm::all_of(pass.outputs, [&](int64_t output) {
             return bound.isLinear(yielded(output));
           });
  });
}

LogicalResult PassCheck::knowRowValues(int64_t number) {
  for (const RowValue &row : stages.rowValues) {
    if (row.level != number)
      continue;
    int64_t own = cast<RankedTensorType>(row.value.getType()).getRank();
    auto dimensions = llvm::to_vector(
        llvm::seq<int64_t>(stages.rank() - own, stages.rank()));
    Access access = accessOf(row.value, dimensions);
    if (failed(elements.check(row.value, access)))
      return failure();
    elements.bind(row.value, access);
  }
  return success();
}

/// What a pass computes. By position a value of the rows is there only where it is
/// repeated along them.
LogicalResult PassCheck::checkRoot(Value root) {
  if (failed(elements.check(root)))
    return failure();
  if (!linear)
    return success();
  llvm::SmallDenseSet<Value> known;
  for (const RowPass &pass : stages.passes) {
    for (const RowReduction &reduction : pass.reductions)
      known.insert(reduction.result);
    for (const StoredRow &stored : pass.stored)
      known.erase(stored.value);
  }
  for (const RowValue &row : stages.rowValues)
    known.insert(row.value);
  SmallVector<Value> pending = {root};
  llvm::SmallDenseSet<Value> seen;
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (known.contains(value))
      return emitError(value.getLoc(), "element emitter: the bound value cannot "
                                       "be read here");
    if (!seen.insert(value).second || !value.getDefiningOp() ||
        llvm::is_contained(stages.repetitions, value))
      continue;
    llvm::append_range(pending, value.getDefiningOp()->getOperands());
  }
  return success();
}

LogicalResult PassCheck::checkPass(int64_t number) {
  const RowPass &pass = stages.passes[number];
  if (failed(knowRowValues(number)))
    return failure();
  for (const RowReduction &reduction : pass.reductions)
    if (failed(checkRoot(reduction.input)))
      return failure();
  for (const StoredRow &stored : pass.stored)
    if (failed(checkRoot(stored.value)))
      return failure();
  for (int64_t output : pass.outputs)
    if (failed(checkRoot(yielded(output))))
      return failure();
  // What later passes find.
  for (const RowReduction &reduction : pass.reductions) {
    if (Value initial = reduction.combiner.initial())
      if (failed(elements.check(initial, accessOf(initial, stages.kept))))
        return failure();
    // Across rows the sums are a vector.
    Access there = accessOf(reduction.result, stages.kept);
    if (!linear && !stages.reducesLast())
      there.back() = stages.rank() - 1;
    elements.bind(reduction.result, there);
  }
  Access space;
  for (int64_t i = 0; i < stages.rank(); ++i)
    space.push_back(i);
  for (const StoredRow &stored : pass.stored)
    elements.bind(stored.value, space);
  return success();
}

LogicalResult PassCheck::checkRowOutputs() {
  for (const RowPass &pass : stages.passes)
    for (const StoredRow &stored : pass.stored)
      if (stored.output >= 0 && yielded(stored.output) != stored.value)
        elements.unbind(stored.value);
  for (int64_t number : stages.rowOutputs) {
    Value value = yielded(number);
    int64_t rank = cast<RankedTensorType>(value.getType()).getRank();
    SmallVector<int64_t> dimensions;
    for (int64_t i = 0; i < rank; ++i)
      dimensions.push_back(stages.spaceDimension(rank, i));
    if (failed(elements.check(value, accessOf(value, dimensions))))
      return failure();
  }
  return success();
}

LogicalResult PassCheck::run() {
  if (failed(elements.checkSizes(stages.space)))
    return failure();
  // By position nothing is read elsewhere.
  linear = readsLinearly();
  if (linear)
    for (Value repeated : stages.repetitions)
      elements.bindAnywhere(repeated);
  for (int64_t number = 0, e = stages.passes.size(); number < e; ++number)
    if (failed(checkPass(number)))
      return failure();
  return checkRowOutputs();
}

/// Outputs without reductions.
static LogicalResult checkElementwise(kernel::FuncOp kernel,
                                      ArrayRef<int64_t> outputs) {
  ElementCheck elements(kernel);
  for (int64_t output : outputs) {
    Value value = kernel.getYield().getValues()[output];
    if (failed(elements.checkSizes(value)) || failed(elements.check(value)))
      return failure();
  }
  return success();
}

static LogicalResult checkWindows(kernel::FuncOp kernel, graph::PoolOp pool) {
  graph::SizeAnalysis sizes(kernel.getContext());
  ElementCheck elements(kernel);
  Type element = getElementTypeOrSelf(pool.getType());
  for (auto [i, value] : llvm::enumerate(kernel.getYield().getValues()))
    if (!sizes.haveSameSizes(value, pool.getResult()))
      return kernel.emitOpError("row emitter: expects output ")
             << i << " to have the sizes of the pooled tensor";
  if (pool.getKind() == graph::PoolKind::Max || isa<FloatType>(element)) {
    if (failed(elements.checkSizes(pool.getResult())) ||
        failed(elements.checkSizes(pool.getInput())) ||
        failed(elements.check(pool.getInput())))
      return failure();
  } else {
    return pool.emitOpError("row emitter: expects floats to average, but got ")
           << element;
  }
  ElementCheck::Access place;
  for (int64_t i = 0, e = cast<RankedTensorType>(pool.getType()).getRank();
       i < e; ++i)
    place.push_back(i);
  elements.bind(pool.getResult(), place);
  for (Value value : kernel.getYield().getValues())
    if (failed(elements.check(value)))
      return failure();
  return success();
}

static LogicalResult checkCumulative(kernel::FuncOp kernel,
                                     graph::CumulativeOp op) {
  if (kernel.getOutputs() != 1 ||
      kernel.getYield().getValues()[0] != op.getResult())
    return op.emitOpError(
        "row emitter: expects to be all that its kernel yields");
  ElementCheck elements(kernel);
  if (failed(elements.checkSizes(op.getResult())))
    return failure();
  return elements.check(op.getSource());
}

/// The kernel with its softmax as the reductions that it is emitted by.
static LogicalResult checkExpanded(kernel::FuncOp kernel) {
  OwningOpRef<ModuleOp> module = ModuleOp::create(kernel.getLoc());
  OpBuilder builder(kernel.getContext());
  builder.setInsertionPointToStart(module->getBody());
  auto copy = cast<kernel::FuncOp>(builder.clone(*kernel));
  expandSoftmax(copy);
  return checkRowKernel(copy);
}

LogicalResult cpu::checkRowKernel(kernel::FuncOp kernel) {
  if (!kernel.getBody().front().getOps<linalg::SoftmaxOp>().empty())
    return checkExpanded(kernel);
  if (graph::PoolOp pool = findPool(kernel))
    return checkWindows(kernel, pool);
  if (graph::CumulativeOp op = findCumulative(kernel))
    return checkCumulative(kernel, op);
  auto outputs = llvm::to_vector(llvm::seq<int64_t>(0, kernel.getOutputs()));
  if (hasReductions(kernel)) {
    FailureOr<RowStages> stages = findStages(kernel);
    if (failed(stages) || failed(PassCheck(kernel, *stages).run()))
      return failure();
    outputs = stages->otherOutputs;
  }
  return checkElementwise(kernel, outputs);
}
