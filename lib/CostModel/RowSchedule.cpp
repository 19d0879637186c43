// The choice of vectors and tasks for kernels of rows; see the header.
#include "lib/CostModel/RowSchedule.h"
#include "lib/CostModel/TypicalSizes.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Math/IR/Math.h"

using namespace mlir;
using namespace tessera;

/// Cycles that one vector of results of `op` takes: issue slots of its
/// polynomial, or the throughput of its instruction.
static double cyclesOf(Operation *op, int64_t lanes) {
  if (isa<math::AbsFOp, math::CopySignOp, math::FmaOp, math::FloorOp,
          math::CeilOp, math::TruncOp, math::RoundEvenOp>(op))
    return 0.5;
  if (isa<arith::DivFOp, math::SqrtOp>(op))
    return 5;
  if (isa<math::RsqrtOp>(op))
    return 10;
  bool isMath = isa<math::MathDialect>(op->getDialect());
  // By libm, element by element.
  if (isa<math::Atan2Op, math::CbrtOp, math::ErfcOp>(op) ||
      (isMath && getElementTypeOrSelf(op->getResult(0).getType()).isF64()))
    return 40.0 * lanes;
  // Polynomials in double precision.
  if (isa<math::PowFOp, math::AsinhOp, math::AcoshOp, math::AtanhOp>(op))
    return 60;
  if (isMath)
    return 12;
  if (isa<linalg::SoftmaxOp>(op))
    return 15;
  return OpTrait::hasElementwiseMappableTraits(op) || isa<linalg::ReduceOp>(op)
             ? 0.5
             : 0;
}

RowWork tessera::rowWorkOf(kernel::FuncOp kernel, int64_t lanes) {
  RowWork work;
  auto tensors = llvm::make_filter_range(
      kernel.getArgumentTypes(), llvm::IsaPred<RankedTensorType>);
  int64_t highest = 0;
  for (Type type : tensors)
    highest = std::max(highest, cast<RankedTensorType>(type).getRank());
  // What has fewer dimensions than the largest tensors is read again and again.
  for (Type type : tensors)
    if (auto tensor = cast<RankedTensorType>(type); tensor.getRank() == highest)
      work.bytes += llvm::divideCeil(tensor.getElementTypeBitWidth(), 8);
  for (Operation &op : kernel.getBody().front())
    if (op.getNumResults() == 1 && isa<RankedTensorType>(op.getResult(0).getType()))
      work.cycles += cyclesOf(&op, lanes) / lanes;
  return work;
}

/// Elements of `tensor`, 1 where it is a scalar.
static double elementsOf(Value tensor, TypicalSizes &sizes) {
  double elements = 1;
  auto type = cast<RankedTensorType>(tensor.getType());
  for (int64_t i = 0, e = type.getRank(); i < e; ++i)
    elements *= sizes.of(tensor, i);
  return elements;
}

double tessera::iterationSpaceOf(kernel::FuncOp kernel) {
  TypicalSizes sizes(kernel);
  double elements = 1;
  auto include = [&](Value value) {
    if (isa<RankedTensorType>(value.getType()))
      elements = std::max(elements, elementsOf(value, sizes));
  };
  llvm::for_each(kernel.getOutputArguments(), include);
  for (Operation &op : kernel.getBody().front())
    if (isa<linalg::ReduceOp>(op))
      llvm::for_each(op.getOperands(), include);
  return elements;
}

double tessera::loopIterationsOf(kernel::FuncOp kernel) {
  TypicalSizes sizes(kernel);
  double iterations = 0;
  for (Operation &op : kernel.getBody().front()) {
    auto structured = dyn_cast<linalg::LinalgOp>(op);
    if (!structured) {
      if (OpTrait::hasElementwiseMappableTraits(&op) && op.getNumResults() == 1 &&
          isa<RankedTensorType>(op.getResult(0).getType()))
        iterations += elementsOf(op.getResult(0), sizes);
      continue;
    }
    // Each loop has the size of a dimension that it is the index of.
    SmallVector<double> loops(structured.getNumLoops(), 1);
    for (OpOperand &operand : op.getOpOperands())
      if (isa<RankedTensorType>(operand.get().getType()))
        for (auto [i, expr] : llvm::enumerate(
                 structured.getMatchingIndexingMap(&operand).getResults()))
          if (auto dim = dyn_cast<AffineDimExpr>(expr))
            loops[dim.getPosition()] = sizes.of(operand.get(), i);
    iterations += llvm::product_of(loops);
  }
  return iterations;
}

double tessera::estimateRowSeconds(kernel::FuncOp kernel,
                                   const Machine &machine) {
  RowWork work = rowWorkOf(kernel, machine.lanes);
  return std::max(work.bytes / machine.l3GigabytesPerSecond,
                  work.cycles / machine.gigahertz) *
         1e-9;
}

/// Whether memory takes so much longer than arithmetic that its traffic counts.
/// Softmax is as fast with stores past the caches as without.
static bool waitsForMemory(kernel::FuncOp kernel, const Machine &machine) {
  RowWork work = rowWorkOf(kernel, machine.lanes);
  return 2 * work.cycles / machine.gigahertz <
         work.bytes / machine.memoryGigabytesPerSecond;
}

kernel::RowsAttr tessera::chooseRowSchedule(kernel::FuncOp kernel,
                                            const Machine &machine) {
  constexpr double kTaskSeconds = 8e-6;
  constexpr int64_t kFewest = 1 << 10, kMost = 1 << 16;
  double seconds = estimateRowSeconds(kernel, machine);
  int64_t elements = kFewest;
  while (elements < kMost && 2 * elements * seconds <= kTaskSeconds)
    elements *= 2;
  return kernel::RowsAttr::get(kernel.getContext(), machine.lanes,
                               /*unroll=*/4, elements,
                               waitsForMemory(kernel, machine)
                                   ? machine.streamBytes
                                   : 0,
                               machine.prefetchRows);
}
