// Loops of row kernels: tasks, rows, and strips of vectors along a dimension.
#ifndef TESSERA_TARGET_CPU_ROWLOOPS_H
#define TESSERA_TARGET_CPU_ROWLOOPS_H

#include "dialects/Kernel/IR/Kernel.h"

#include "mlir/IR/Builders.h"

namespace tessera::cpu {

/// Constants and folded index arithmetic at the builder's insertion point.
mlir::Value indexConstant(mlir::OpBuilder &builder, mlir::Location loc,
                          int64_t value);
mlir::Value indexAdd(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value a, mlir::Value b);
mlir::Value indexSub(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value a, mlir::Value b);
mlir::Value indexMul(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value a, mlir::Value b);
mlir::Value indexMin(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value a, mlir::Value b);
mlir::Value indexMax(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value a, mlir::Value b);
/// Unsigned; the divisor is not zero.
mlir::Value indexDiv(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value a, mlir::Value b);
mlir::Value indexCeilDiv(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value a, mlir::Value b);
/// Product of all; 1 for none.
mlir::Value indexProduct(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::ArrayRef<mlir::Value> factors);
/// Row-major indices of `position` in a box of `sizes`.
llvm::SmallVector<mlir::Value> delinearize(mlir::OpBuilder &builder,
                                           mlir::Location loc,
                                           mlir::Value position,
                                           mlir::ArrayRef<mlir::Value> sizes);

/// kernel.parallel_for over `count` tasks; a single one is emitted in place.
mlir::LogicalResult emitTasks(
    mlir::OpBuilder &builder, mlir::Location loc, mlir::Value count,
    mlir::Value context,
    llvm::function_ref<mlir::LogicalResult(mlir::OpBuilder &, mlir::Value task)>
        body);

/// scf.for from `lower` to `upper`; one or no iteration is emitted in place
/// where that is known.
mlir::LogicalResult
emitLoop(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value lower,
         mlir::Value upper, int64_t step,
         llvm::function_ref<mlir::LogicalResult(mlir::OpBuilder &, mlir::Value)>
             body);

/// The same with values that each iteration takes from the last one. Where
/// `isRolled`, LLVM must not unroll it.
mlir::FailureOr<llvm::SmallVector<mlir::Value>> emitLoop(
    mlir::OpBuilder &builder, mlir::Location loc, mlir::Value lower,
    mlir::Value upper, int64_t step, mlir::ValueRange state,
    llvm::function_ref<mlir::FailureOr<llvm::SmallVector<mlir::Value>>(
        mlir::OpBuilder &, mlir::Value, mlir::ValueRange)>
        body,
    bool isRolled = false);

/// One step of a strip: `vectors` vectors of `lanes` elements from `index` on.
/// The mask is null but for the tail's single vector.
struct StripStep {
  mlir::Value index;
  int64_t vectors;
  mlir::Value mask;
};

/// Covers [0, length) offset by `lower`: steps of `unroll` vectors, then of
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
                              mlir::Value lower, mlir::Value upper,
                              mlir::ValueRange initial, Step step, Merge merge);

  /// Without state.
  mlir::LogicalResult
  emit(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value lower,
       mlir::Value upper,
       llvm::function_ref<mlir::LogicalResult(mlir::OpBuilder &, StripStep)>
           step);

private:
  bool fitsRegisters(mlir::Value length) const;

  int64_t lanes, unroll;
};

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_ROWLOOPS_H
