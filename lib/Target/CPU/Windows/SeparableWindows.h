// Pooling by windows that overlap: along all dimensions but the last spatial one
// first, then along that.
//
// Neighbours along the last dimension share whole columns of their windows, and
// neighbours above each other share rows; a 5 x 5 window of stride 1 takes 6
// operations instead of 24:
//
//   for each block of outputs (a few rows, some columns, 128 bytes of channels):
//     for each input column j of the block:       columns[t][j], t = 0 .. 3
//       shared = max(x[3][j], x[4][j])             the rows of all four windows
//       columns[0][j] = max(shared, x[0][j], x[1][j], x[2][j])
//       ...
//       columns[3][j] = max(shared, x[5][j], x[6][j], x[7][j])
//     for each row t, for four outputs at a time: the same along j
//
// Columns outside the input have the accumulator of an empty window; so no window is
// cut off in the second step. In the first one rows outside are left out.
//
// Where there is one channel, as in planes of images whose channels come first,
// lanes lie along the columns instead, in both steps.
//
// A maximum of two numbers is one instruction, but one that keeps a NaN takes three:
// the block is looked through for a NaN on the way, and one that has any is done
// position by position.
#ifndef TESSERA_TARGET_CPU_SEPARABLEWINDOWS_H
#define TESSERA_TARGET_CPU_SEPARABLEWINDOWS_H

#include "lib/Target/CPU/Windows/WindowKernel.h"

namespace tessera::cpu {

/// Neighbouring windows along one dimension that are reduced together.
constexpr int64_t kMostTogether = 4;
/// Of the columns of a block: half of the smallest first-level cache.
constexpr int64_t kScratchBytes = 16 << 10;
/// Of the channels of a block: two cache lines, which are fetched together.
constexpr int64_t kChannelBytes = 128;

/// Windows of one dimension.
struct Sliding {
  int64_t size, stride, dilation;

  int64_t reach() const { return (size - 1) * dilation + 1; }
  /// Windows that have an element in common.
  int64_t together() const {
    if (dilation > 1)
      return 1;
    return std::min(kMostTogether, (size - 1) / stride + 1);
  }
  /// Elements from the first of the first of `count` windows to the last.
  int64_t span(int64_t count) const { return (count - 1) * stride + reach(); }
};

/// Reduces elements [from, to) into the state, which may be null for none.
using Accumulate = llvm::function_ref<mlir::FailureOr<mlir::Value>(
    mlir::Value state, int64_t from, int64_t to)>;

/// One kernel of such windows; `rows` are those of the spatial dimension before the
/// last.
struct SeparableWindows {
  WindowKernel &work;
  Sliding rows, columns;
  int64_t channels = 0, blockRows = 0, blockColumns = 0;
  mlir::Value scratch = {};

  mlir::Location loc() { return work.loc(); }
  int64_t rowDimension() { return work.spatial() - 2; }
  int64_t columnDimension() { return work.spatial() - 1; }
  bool watchesNaN() {
    return work.isMax() && llvm::isa<mlir::FloatType>(work.element());
  }

  mlir::Value combine(mlir::OpBuilder &builder, mlir::Value a, mlir::Value b,
                      bool keepsNaN);
  mlir::FailureOr<llvm::SmallVector<mlir::Value>>
  slide(mlir::OpBuilder &builder, Sliding windows, int64_t count, bool keepsNaN,
        Accumulate accumulate);
  llvm::SmallVector<mlir::Value> watch(mlir::OpBuilder &builder,
                                       mlir::ValueRange flags,
                                       llvm::ArrayRef<mlir::Value> values);

  /// A block: its first position, the numbers of rows, columns and channels, and
  /// the input columns of its windows.
  struct Block {
    llvm::SmallVector<mlir::Value> position;
    mlir::Value rowCount, columnCount, firstChannel, channelCount;
    /// Of the padded input; `inside` is the range of columns that are not padding.
    mlir::Value firstColumn, inputColumns, insideFrom, insideTo;
  };
  /// A column of the input, from the first row of the block's windows on.
  struct Column {
    const Window &window;
    /// Of the dimensions above the rows, the position in the window.
    llvm::SmallVector<mlir::Value> kernelIndices;
    mlir::Value column, channel, mask;
    /// Whether no window of it reaches into the padding.
    bool isInside;
  };

  Block blockAt(mlir::OpBuilder &builder, llvm::ArrayRef<mlir::Value> place);
  void chooseBlock();
  mlir::LogicalResult emit(mlir::OpBuilder &builder);
  mlir::LogicalResult emitBlock(mlir::OpBuilder &builder, const Block &block);
  /// Columns [from, to) outside the input; of a planar block, and some behind them.
  mlir::LogicalResult emitPadding(mlir::OpBuilder &builder, const Block &block,
                                  mlir::Value from, mlir::Value to);
  mlir::FailureOr<llvm::SmallVector<mlir::Value>>
  emitColumns(mlir::OpBuilder &builder, const Block &block, bool isInside,
              mlir::ValueRange flags);
  mlir::FailureOr<llvm::SmallVector<mlir::Value>>
  reduceColumn(mlir::OpBuilder &builder, const Block &block,
               const Column &column, llvm::SmallVectorImpl<mlir::Value> &seen);
  /// Where the scratch has column `j`: [row, column, channel], of planar blocks
  /// [row, 0, column].
  llvm::SmallVector<mlir::Value> scratchIndices(mlir::OpBuilder &builder,
                                                mlir::Value row, mlir::Value j,
                                                mlir::Value channel);
  mlir::LogicalResult emitOutputs(mlir::OpBuilder &builder, const Block &block);
  mlir::LogicalResult emitOutputs(mlir::OpBuilder &builder, const Block &block,
                                  mlir::Value row, mlir::Value column,
                                  int64_t count);
  mlir::LogicalResult emitPlanarRow(mlir::OpBuilder &builder,
                                    const Block &block, mlir::Value row);
  /// Elements [from, from + stride, ...) of a row of the scratch.
  mlir::Value loadPlanar(mlir::OpBuilder &builder, mlir::Value row,
                         mlir::Value from);
  /// The columns that the averages at `column` and beside it divide by.
  mlir::Value columnDivisors(mlir::OpBuilder &builder, mlir::Value column);
  mlir::LogicalResult emitPositions(mlir::OpBuilder &builder,
                                    const Block &block);
};

/// Longest windows and largest strides along the columns of the planar form.
constexpr int64_t kMostPlanarColumns = 32, kMostPlanarStride = 4;

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_SEPARABLEWINDOWS_H
