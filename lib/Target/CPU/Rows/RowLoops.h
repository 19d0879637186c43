// Loops of row kernels: tasks, rows, and strips of vectors along a dimension.
#ifndef TESSERA_TARGET_CPU_ROWLOOPS_H
#define TESSERA_TARGET_CPU_ROWLOOPS_H

#include "dialects/Kernel/IR/Kernel.h"
#include "lib/Target/Elements/IndexBuilder.h"

#include "mlir/IR/Builders.h"

namespace tessera::cpu {

/// kernel.parallel_for over `count` tasks; a single one is emitted in place.
mlir::LogicalResult emitTasks(
    mlir::OpBuilder &builder, mlir::Location loc, mlir::Value count,
    mlir::Value context,
    llvm::function_ref<mlir::LogicalResult(mlir::OpBuilder &, mlir::Value task)>
        body);

/// Indices [from, to) of a dimension.
struct IndexRange {
  mlir::Value from, to;
};

/// Elements at `indices` and `lanes - 1` following ones along the last
/// dimension; lanes where `mask` (null: none) is false are outside.
struct LanePlace {
  mlir::ArrayRef<mlir::Value> indices;
  int64_t lanes;
  mlir::Value mask;
};

/// What a loop counts from, to and by.
struct LoopRange {
  mlir::Value lower, upper;
  int64_t step;
  /// Whether LLVM must not unroll the loop.
  bool isRolled = false;
};

/// scf.for over `range`; one or no iteration is emitted in place where that is
/// known.
mlir::LogicalResult
emitLoop(mlir::OpBuilder &builder, mlir::Location loc, LoopRange range,
         llvm::function_ref<mlir::LogicalResult(mlir::OpBuilder &, mlir::Value)>
             body);

/// The same with values that each iteration takes from the last one.
mlir::FailureOr<llvm::SmallVector<mlir::Value>>
emitLoop(mlir::OpBuilder &builder, mlir::Location loc, LoopRange range,
         mlir::ValueRange state,
         llvm::function_ref<mlir::FailureOr<llvm::SmallVector<mlir::Value>>(
             mlir::OpBuilder &, mlir::Value, mlir::ValueRange)>
             body);

/// One step of a strip: `vectors` vectors of `lanes` elements from `index` on.
/// The mask is null but for the tail's single vector.
struct StripStep {
  mlir::Value index;
  int64_t vectors;
  mlir::Value mask;
};

/// Covers a range: steps of `unroll` vectors, then of
/// one, then a masked one for what is left. Empty parts are left out where the
/// length is known. The state (accumulators, one set for each of the `unroll`
/// vectors) is threaded through; `merge` joins the sets into one before the
/// single vectors. Without state both are empty.
class Strip {
public:
  Strip(int64_t lanes, int64_t unroll) : lanes(lanes), unroll(unroll) {}

  using State = llvm::SmallVector<mlir::Value>;
  using Step = llvm::function_ref<mlir::FailureOr<State>(
      mlir::OpBuilder &, StripStep, mlir::ValueRange state)>;
  using Merge = llvm::function_ref<State(mlir::OpBuilder &, mlir::ValueRange a,
                                         mlir::ValueRange b)>;

  /// `initial` is one set of accumulators; the result is one set.
  mlir::FailureOr<State> emit(mlir::OpBuilder &builder, mlir::Location loc,
                              IndexRange range, mlir::ValueRange initial,
                              Step step, Merge merge);

  /// Without state.
  mlir::LogicalResult
  emit(mlir::OpBuilder &builder, mlir::Location loc, IndexRange range,
       llvm::function_ref<mlir::LogicalResult(mlir::OpBuilder &, StripStep)>
           step);

private:
  bool fitsRegisters(mlir::Value length) const;

  int64_t lanes, unroll;
};

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_ROWLOOPS_H
