// The tile unit's kernel: blocks of 2 x 2 tiles of sums (1 x 2 for at most 16 rows),
// summed over the contracted dimensions, then stored through the epilogue.
//
//   for each block of 32 rows x 32 columns:
//     for each step of the contracted dimension:
//       B0 A0 sum00 += A0 B0, A1 sum10 += A1 B0, B1 sum01 += A0 B1,
//       some rows of the block before through the epilogue, sum11 += A1 B1
//     sums to a scratch of rows, from which ResultStores takes vectors
//
// Four tiles of sums and four of operands are all registers that there are. The
// epilogue works on vectors while tiles are multiplied; rows that the steps did not
// come to follow behind them, those of a task's last block after it.
#ifndef TESSERA_TARGET_CPU_TILEBLOCKS_H
#define TESSERA_TARGET_CPU_TILEBLOCKS_H

#include "lib/Target/CPU/Contraction/ContractionTasks.h"
#include "lib/Target/CPU/Contraction/LeftTiles.h"

namespace tessera::cpu {

/// Columns of a block; rows of the scratch for its sums, whose tiles may begin before
/// its first row; bytes of a group of the right operand.
constexpr int64_t kBlockColumns = 2 * kTileRows,
                  kSumRows = kTileRows + kBlockRows, kGroupBytes = 4;

/// Emits the loops of one task over its blocks.
class TileBlocks : public TaskLoops {
public:
  explicit TileBlocks(const ContractionParts &parts)
      : c(parts.contraction), multiply(parts.multiply), panels(parts.panels),
        elements(parts.elements), stores(parts.stores),
        schedule(parts.schedule), sizes(parts.sizes), left(parts) {}

  /// Why the product cannot be computed so; empty: it can.
  static std::string refusal(const Contraction &c,
                             const MultiplyAccumulate &multiply,
                             kernel::ContractionAttr schedule);

  /// Bytes of a task's scratch that copies of panels may take; negative: what else
  /// is in it does not fit.
  static int64_t panelBytes(const Contraction &c,
                            const MultiplyAccumulate &multiply,
                            kernel::ContractionAttr schedule);

  void prepare(mlir::OpBuilder &builder, mlir::Location loc,
               OperandViews &views) override {
    left.prepare(builder, loc, views);
  }
  mlir::LogicalResult emit(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::ArrayRef<mlir::Value> loops,
                           const TaskBlock &task) override;

private:
  /// Tiles of sums, and the number of rows of the block before that are stored.
  struct Sums {
    llvm::SmallVector<mlir::Value> tiles;
    mlir::Value stored;
  };
  /// A block whose sums are rows: from `firstSum` on.
  struct Finished {
    BlockRows rows;
    mlir::Value firstSum;
  };
  /// A block, where its operands are, and the block before.
  struct Block {
    Finished place;
    LeftBlock left;
    TileAddress right;
    /// The last step of the right operand, filled up with zeros; null: none.
    TileAddress tail;
    /// What the steps of this block prefetch of the next panel; null: nothing.
    mlir::Value nextPanel;
    Finished before;
    /// Rows are copied in parts, each before its steps.
    bool isInParts = false;
  };
  /// Bytes from the first elements of both operands.
  struct Distance {
    mlir::Value left, right;
  };
  using StepBody =
      llvm::function_ref<mlir::FailureOr<Sums>(mlir::Value, Sums)>;

  void allocate(mlir::OpBuilder &builder, mlir::Location loc);
  Finished blockNumber(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value number);
  mlir::LogicalResult emitBlock(mlir::OpBuilder &builder, mlir::Location loc,
                                Block block, mlir::Value isFirstPanel,
                                mlir::Value &stored);
  void locateRight(mlir::OpBuilder &builder, mlir::Location loc, Block &block);
  void locateNextPanel(mlir::OpBuilder &builder, mlir::Location loc,
                       Block &block);
  /// Brings a part of the next panel to the L2 cache, in the step at `at` bytes of
  /// this one.
  void prefetch(mlir::OpBuilder &builder, mlir::Location loc,
                const Block &block, mlir::Value at);
  int64_t prefetchedBytes() const;
  void copyTail(mlir::OpBuilder &builder, mlir::Location loc,
                const PanelAccess::Rows &from);
  mlir::LogicalResult multiplyByRows(mlir::OpBuilder &builder,
                                     mlir::Location loc, const Block &block,
                                     mlir::Value &stored);
  /// Computes the block's sums by `rowTiles` x 2 tiles; gives the number of rows of
  /// the block before that are stored.
  mlir::FailureOr<mlir::Value> multiplyTiles(mlir::OpBuilder &builder,
                                             mlir::Location loc,
                                             const Block &block,
                                             int64_t rowTiles);
  mlir::FailureOr<Sums> forEachStep(mlir::OpBuilder &builder,
                                    mlir::Location loc,
                                    std::pair<mlir::Value, mlir::Value> range,
                                    int64_t by, Sums sums, StepBody body);
  mlir::FailureOr<Sums> reduce(mlir::OpBuilder &builder, mlir::Location loc,
                               const Block &block, unsigned level, Distance at,
                               Sums sums);
  mlir::FailureOr<Sums> parts(mlir::OpBuilder &builder, mlir::Location loc,
                              const Block &block, Distance at, Sums sums);
  mlir::FailureOr<Sums> steps(mlir::OpBuilder &builder, mlir::Location loc,
                              const Block &block, Sums sums);
  mlir::FailureOr<Sums> step(mlir::OpBuilder &builder, mlir::Location loc,
                             const Block &block, Distance at, Sums sums);
  /// Stores some rows of the block before.
  mlir::LogicalResult storeSome(mlir::OpBuilder &builder, mlir::Location loc,
                                const Finished &before, mlir::Value &stored);
  mlir::LogicalResult storeRow(mlir::OpBuilder &builder, mlir::Location loc,
                               const Finished &block, mlir::Value row);
  /// Bytes of a panel from an element of the contracted dimension to the next.
  int64_t rightBytes() const;
  /// Whether the panel stays in the L1 cache while rows pass. Otherwise copied rows
  /// stay while panels pass.
  bool rowsPass() const {
    return left.neverCopies() || left.copiesParts() || left.copiesLines();
  }
  /// Whether rows, else panels, are loaded past the L1 cache. Lines stay in it.
  bool streamsRows() const { return rowsPass() && !left.copiesLines(); }

  const Contraction &c;
  const MultiplyAccumulate &multiply;
  PanelAccess &panels;
  ElementEmitter &elements;
  ResultStores &stores;
  kernel::ContractionAttr schedule;
  llvm::SmallVector<mlir::Value> sizes;
  LeftTiles left;
  /// Sums of two blocks by rows; the last step of a panel.
  mlir::Value sumRows, lastStep;

  // The task being emitted.
  llvm::SmallVector<mlir::Value> outerLoops;
  TaskBlock task;
  mlir::Value rowBlocks, panelCount;
};

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_TILEBLOCKS_H
