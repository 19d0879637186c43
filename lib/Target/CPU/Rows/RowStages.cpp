// Finds the stages of a kernel with reductions; see the header.
#include "lib/Target/CPU/Rows/RowStages.h"

#include "dialects/Graph/IR/Graph.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "llvm/ADT/SmallPtrSet.h"

using namespace mlir;
using namespace tessera;
using namespace tessera::cpu;

static bool isReduction(Operation *op) {
  return isa<linalg::ReduceOp, graph::ArgReduceOp>(op);
}

bool cpu::hasReductions(kernel::FuncOp kernel) {
  return llvm::any_of(kernel.getBody().front(), [](Operation &op) {
    return isReduction(&op) || isa<linalg::SoftmaxOp>(op);
  });
}

int64_t RowStages::spaceDimension(int64_t ofRank, int64_t dimension) const {
  return ofRank == rank() ? dimension : kept[dimension];
}

bool RowStages::hasContiguousRows() const {
  auto type = cast<RankedTensorType>(space.getType());
  for (int64_t i = reduced.front(), e = rank(); i < e; ++i)
    if (!isReduced(i) && type.getDimSize(i) != 1)
      return false;
  return true;
}

/// The tensor that a reduction reads and the dimensions that it removes.
static std::pair<Value, SmallVector<int64_t>> inputOf(Operation *op) {
  if (auto reduce = dyn_cast<linalg::ReduceOp>(op))
    return {reduce.getInputs()[0],
            SmallVector<int64_t>(reduce.getDimensions())};
  auto arg = cast<graph::ArgReduceOp>(op);
  return {arg.getSource(), {static_cast<int64_t>(arg.getDimension())}};
}

/// Whether computing an element again costs more than loading it.
static bool isCostly(Operation *op) {
  if (isa<math::AbsFOp, math::CopySignOp, math::FmaOp, math::FloorOp,
          math::CeilOp, math::TruncOp, math::RoundEvenOp, math::SqrtOp,
          math::RsqrtOp>(op))
    return false;
  return isa<math::MathDialect>(op->getDialect()) ||
         isa<linalg::TransposeOp, graph::GatherOp, graph::GatherPointsOp,
             graph::ReverseOp,
             arith::DivSIOp, arith::DivUIOp, arith::RemSIOp, arith::RemUIOp>(
             op);
}

namespace {

class StageFinder {
public:
  explicit StageFinder(kernel::FuncOp kernel)
      : kernel(kernel), sizes(kernel.getContext()) {}

  FailureOr<RowStages> run();

private:
  LogicalResult findSpace();
  LogicalResult findLevels();
  void findRowValues();
  LogicalResult placeOutputs();
  /// Follows what pass `number` computes, from `root` on.
  void visit(Value root, int64_t number);

  bool isInSpace(Value value) {
    return isa<RankedTensorType>(value.getType()) &&
           sizes.haveSameSizes(value, stages.space);
  }
  /// Whether `value` has one element for each row: the kept dimensions, or all
  /// with 1 for the reduced ones.
  bool isOfRows(Value value);
  bool isConstantInRow(graph::BroadcastToOp op);
  bool isCostlyTree(Value value);
  /// The output that `value` is stored in, if its type can be.
  std::optional<int64_t> outputOf(Value value);
  std::optional<int64_t> freeOutput(Value value);
  int64_t lastPass() { return stages.passes.size() - 1; }

  Value yielded(int64_t output) {
    return kernel.getYield().getValues()[output];
  }
  /// Whether elements of `value` are stored in output `number` as they are.
  bool hasTypeOf(Value value, int64_t number);

  kernel::FuncOp kernel;
  graph::SizeAnalysis sizes;
  RowStages stages;
  llvm::DenseMap<Value, int64_t> level;
  /// The pass that first computes a value of the space.
  llvm::DenseMap<Value, int64_t> firstPass;
  llvm::DenseMap<Value, bool> costly;
  llvm::SmallDenseSet<Value> isStored;
  llvm::SmallDenseSet<int64_t> usedOutputs;
  llvm::SmallDenseMap<Value, int64_t> placedOutputs;
};

} // namespace

LogicalResult StageFinder::findSpace() {
  for (Operation &op : kernel.getBody().front()) {
    if (!isReduction(&op))
      continue;
    auto [input, reduced] = inputOf(&op);
    if (!stages.space) {
      stages.space = input;
      llvm::sort(reduced);
      stages.reduced = reduced;
      int64_t rank = cast<RankedTensorType>(input.getType()).getRank();
      for (int64_t i = 0; i < rank; ++i)
        if (!stages.isReduced(i))
          stages.kept.push_back(i);
    }
    llvm::sort(reduced);
    if (reduced != stages.reduced || !isInSpace(input))
      return op.emitOpError("row emitter: expects all reductions of a kernel to "
                            "be along the same dimensions of the same sizes");
  }
  return success();
}

LogicalResult StageFinder::findLevels() {
  for (Operation &op : kernel.getBody().front()) {
    int64_t highest = 0;
    op.walk([&](Operation *inner) {
      for (Value operand : inner->getOperands())
        highest = std::max(highest, level.lookup(operand));
    });
    int64_t own = highest + isReduction(&op);
    for (Value result : op.getResults())
      level[result] = own;
    if (!isReduction(&op))
      continue;
    FailureOr<Combiner> combiner = Combiner::of(&op);
    if (failed(combiner))
      return failure();
    while (static_cast<int64_t>(stages.passes.size()) <= own)
      stages.passes.emplace_back();
    stages.passes[highest].reductions.push_back(
        {inputOf(&op).first, op.getResult(0), *combiner});
  }
  return success();
}

bool StageFinder::isOfRows(Value value) {
  auto type = dyn_cast<RankedTensorType>(value.getType());
  if (!type)
    return false;
  bool keepsOnes = type.getRank() == stages.rank();
  if (!keepsOnes &&
      type.getRank() != static_cast<int64_t>(stages.kept.size()))
    return false;
  for (int64_t i = 0; i < type.getRank(); ++i) {
    int64_t dimension = stages.spaceDimension(type.getRank(), i);
    if (stages.isReduced(dimension) ? type.getDimSize(i) != 1
                                    : !sizes.areEqual(
                                          sizes.dimOf(value, i),
                                          sizes.dimOf(stages.space, dimension)))
      return false;
  }
  return true;
}

bool StageFinder::isConstantInRow(graph::BroadcastToOp op) {
  auto type = cast<RankedTensorType>(op.getSource().getType());
  int64_t added = stages.rank() - type.getRank();
  if (!isInSpace(op.getResult()))
    return false;
  for (int64_t dimension = 0; dimension < stages.rank(); ++dimension) {
    int64_t i = dimension - added;
    if (i < 0 || type.getDimSize(i) == 1)
      continue;
    if (stages.isReduced(dimension) ||
        !sizes.areEqual(sizes.dimOf(op.getSource(), i),
                        sizes.dimOf(stages.space, dimension)))
      return false;
  }
  return true;
}

void StageFinder::findRowValues() {
  llvm::SmallDenseSet<Value> seen;
  for (auto op : kernel.getBody().front().getOps<graph::BroadcastToOp>()) {
    Value source = op.getSource();
    if (!isConstantInRow(op))
      continue;
    stages.repetitions.push_back(op.getResult());
    if (!source.getDefiningOp<arith::ConstantOp>() &&
        seen.insert(source).second)
      stages.rowValues.push_back({source, level.lookup(source)});
  }
}

bool StageFinder::isCostlyTree(Value value) {
  auto known = costly.find(value);
  if (known != costly.end())
    return known->second;
  bool result = false;
  Operation *op = value.getDefiningOp();
  if (op && !isReduction(op)) {
    result = isCostly(op);
    for (Value operand : op->getOperands())
      result = result || (isa<RankedTensorType>(operand.getType()) &&
                          isCostlyTree(operand));
    // Once a row is cheap.
    auto broadcast = dyn_cast<graph::BroadcastToOp>(op);
    if (broadcast && isConstantInRow(broadcast))
      result = false;
  }
  return costly[value] = result;
}

/// Booleans are bytes in memory.
bool StageFinder::hasTypeOf(Value value, int64_t number) {
  Type element = getElementTypeOrSelf(value.getType());
  return !element.isInteger(1) &&
         element == getElementTypeOrSelf(
                        kernel.getOutputArguments()[number].getType());
}

std::optional<int64_t> StageFinder::outputOf(Value value) {
  for (int64_t i = 0, e = kernel.getOutputs(); i < e; ++i)
    if (yielded(i) == value &&
        hasTypeOf(value, i))
      return i;
  return std::nullopt;
}

std::optional<int64_t> StageFinder::freeOutput(Value value) {
  for (int64_t i = 0, e = kernel.getOutputs(); i < e; ++i)
    if (!usedOutputs.contains(i) && isInSpace(yielded(i)) &&
        hasTypeOf(value, i))
      return i;
  return std::nullopt;
}

void StageFinder::visit(Value root, int64_t number) {
  SmallVector<Value> pending = {root};
  llvm::SmallDenseSet<Value> seen;
  while (!pending.empty()) {
    Value value = pending.pop_back_val();
    if (!isa<RankedTensorType>(value.getType()) || !seen.insert(value).second ||
        isStored.contains(value))
      continue;
    Operation *op = value.getDefiningOp();
    if (!op || isReduction(op))
      continue;
    if (isInSpace(value)) {
      auto [place, isFirst] = firstPass.try_emplace(value, number);
      if (isFirst) {
        if (std::optional<int64_t> output = outputOf(value);
            output && number < lastPass()) {
          placedOutputs[value] = number;
          stages.passes[number].stored.push_back({value, *output});
          usedOutputs.insert(*output);
        }
      } else if (place->second < number && placedOutputs.contains(value)) {
        isStored.insert(value);
        continue;
      } else if (place->second < number && isCostlyTree(value)) {
        isStored.insert(value);
        stages.passes[place->second].stored.push_back({value, -1});
        continue;
      }
    }
    llvm::append_range(pending, op->getOperands());
  }
}

LogicalResult StageFinder::placeOutputs() {
  int64_t outputs = kernel.getOutputs();
  for (int64_t number = 0; number < lastPass(); ++number)
    for (const RowReduction &reduction : stages.passes[number].reductions)
      visit(reduction.input, number);
  for (int64_t i = 0; i < outputs; ++i) {
    Value value = yielded(i);
    if (isInSpace(value)) {
      if (placedOutputs.contains(value) && usedOutputs.contains(i))
        continue;
      stages.passes.back().outputs.push_back(i);
      visit(value, lastPass());
    } else if (isOfRows(value)) {
      stages.rowOutputs.push_back(i);
    } else if (level.lookup(value) == 0) {
      stages.otherOutputs.push_back(i);
    } else {
      return kernel.emitOpError("row emitter: expects output ")
             << i << " to have the sizes of the reduced tensors or of their rows";
    }
  }
  // Scratch in the rows of outputs that are written last.
  for (RowPass &pass : stages.passes)
    for (StoredRow &stored : pass.stored)
      if (stored.output < 0)
        if (std::optional<int64_t> output = freeOutput(stored.value)) {
          stored.output = *output;
          usedOutputs.insert(*output);
        }
  return success();
}

FailureOr<RowStages> StageFinder::run() {
  if (failed(findSpace()) || failed(findLevels()))
    return failure();
  findRowValues();
  if (failed(placeOutputs()))
    return failure();
  return stages;
}

FailureOr<RowStages> cpu::findStages(kernel::FuncOp kernel) {
  return StageFinder(kernel).run();
}
