// Pooling: windows that slide over the spatial dimensions, lanes along the
// channels. What its two forms share.
#ifndef TESSERA_TARGET_CPU_WINDOWKERNEL_H
#define TESSERA_TARGET_CPU_WINDOWKERNEL_H

#include "lib/Target/CPU/Rows/RowKernel.h"

namespace tessera::cpu {

/// The window of one output position: for each spatial dimension the range of
/// kernel positions inside the input, and where position 0 lies in the padded
/// input.
struct Window {
  llvm::SmallVector<mlir::Value> first, end, origin;
  /// For each spatial dimension: the number of kernel positions that an average
  /// divides by.
  llvm::SmallVector<mlir::Value> counted;
};

struct WindowKernel {
  RowKernel &rows;
  graph::PoolOp pool;
  llvm::SmallVector<int64_t> outputs;
  /// [batch, spatial..., channels] of the result and of the input.
  llvm::SmallVector<mlir::Value> sizes, inputSizes;
  /// Whether lanes lie along the columns: there is one channel, and all elements
  /// can be read by row-major position.
  bool isPlanar = false;

  mlir::Location loc() { return rows.loc; }
  int64_t spatial() { return pool.getKernel().size(); }
  bool isMax() { return pool.getKind() == graph::PoolKind::Max; }
  mlir::Type element() {
    return mlir::getElementTypeOrSelf(pool.getType());
  }
  /// The windows stop at the borders of the input: not every one has all elements.
  bool isClipped(int64_t dimension) {
    return pool.getPadLow()[dimension] != 0 ||
           pool.getPadHigh()[dimension] != 0 || pool.getCeilMode();
  }
  /// What windows are reduced in: f32 for narrow floats.
  mlir::Type accumulator();
  mlir::Type withLanes(mlir::Type type);
  /// Input elements from the first to the last of a window, both included.
  int64_t reach(int64_t dimension) {
    return pool.getDilations()[dimension] * (pool.getKernel()[dimension] - 1) +
           1;
  }

  /// The elements input[indices], as accumulators.
  mlir::FailureOr<mlir::Value> load(mlir::OpBuilder &builder,
                                    llvm::ArrayRef<mlir::Value> indices,
                                    mlir::Value mask);
  /// The accumulator of an empty window, vector<lanes x T>.
  mlir::Value start(mlir::OpBuilder &builder);
  mlir::Value combine(mlir::OpBuilder &builder, mlir::Value a, mlir::Value x);
  Window windowAt(mlir::OpBuilder &builder,
                  llvm::ArrayRef<mlir::Value> position);
  /// The divisor of an average as accumulators, of the first `dimensions` spatial
  /// dimensions; null for a maximum.
  mlir::Value divisorOf(mlir::OpBuilder &builder, const Window &window,
                        int64_t dimensions);
  /// Chooses the planar form where there is one.
  void preparePlanar();
  /// The row-major position of `indices` in a tensor of `sizes`.
  mlir::Value positionOf(mlir::OpBuilder &builder,
                         llvm::ArrayRef<mlir::Value> indices,
                         llvm::ArrayRef<mlir::Value> sizes);
  /// Stores what the kernel yields at `indices`, where the window's accumulator
  /// ends as `value`.
  mlir::LogicalResult finish(mlir::OpBuilder &builder,
                             llvm::ArrayRef<mlir::Value> indices,
                             mlir::Value value, mlir::Value divisor,
                             mlir::Value mask);

  /// One position (without channels), channels [from, to): element by element.
  mlir::LogicalResult emitPosition(mlir::OpBuilder &builder,
                                   llvm::ArrayRef<mlir::Value> position,
                                   mlir::Value from, mlir::Value to);
  /// All positions, one after the other.
  mlir::LogicalResult emitPositions(mlir::OpBuilder &builder);
};

/// Whether windows overlap so much that it is less work to reduce them along the
/// last spatial dimension after the others.
bool isSeparable(WindowKernel &work);

/// Emits such windows, in blocks.
mlir::LogicalResult emitSeparable(WindowKernel &work, mlir::OpBuilder &builder);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_WINDOWKERNEL_H
