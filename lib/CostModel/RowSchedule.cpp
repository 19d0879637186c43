// The choice of vectors and tasks for kernels of rows; see the header.
#include "lib/CostModel/RowSchedule.h"

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

namespace {
/// Of one element of the iteration space.
struct Work {
  double bytes = 0, cycles = 0;
};
} // namespace

static Work workOf(kernel::FuncOp kernel, const Machine &machine) {
  Work work;
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
      work.cycles += cyclesOf(&op, machine.lanes) / machine.lanes;
  return work;
}

double tessera::estimateRowSeconds(kernel::FuncOp kernel,
                                   const Machine &machine) {
  Work work = workOf(kernel, machine);
  return std::max(work.bytes / machine.l3GigabytesPerSecond,
                  work.cycles / machine.gigahertz) *
         1e-9;
}

/// Whether memory takes so much longer than arithmetic that its traffic counts.
/// Softmax is as fast with stores past the caches as without.
static bool waitsForMemory(kernel::FuncOp kernel, const Machine &machine) {
  Work work = workOf(kernel, machine);
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
