// How a contraction is cut: tasks, row tiles and column tiles.
#ifndef TESSERA_TARGET_CPU_CONTRACTIONTASKS_H
#define TESSERA_TARGET_CPU_CONTRACTIONTASKS_H

#include "lib/Target/CPU/Contraction/RegisterTile.h"
#include "lib/Target/Elements/IndexBuilder.h"

namespace tessera::cpu {

/// Rows [first, last) and column tiles [firstPanel, lastPanel) of a task.
struct TaskBlock {
  mlir::Value firstRow, lastRow, firstPanel, lastPanel;
};

/// Emits the loops of one task.
class TaskLoops {
public:
  virtual ~TaskLoops() = default;

  /// Emits what all tasks read.
  virtual void prepare(mlir::OpBuilder &builder, mlir::Location loc,
                       OperandViews &views) {}
  /// Emits all of `task` at the outer loops' values in `loops`.
  virtual mlir::LogicalResult emit(mlir::OpBuilder &builder, mlir::Location loc,
                                   mlir::ArrayRef<mlir::Value> loops,
                                   const TaskBlock &task) = 0;
};

/// Emits the loops of one task over its register tiles.
class TaskTiles : public TaskLoops {
public:
  explicit TaskTiles(const ContractionParts &parts)
      : c(parts.contraction), tile(parts), panels(parts.panels),
        elements(parts.elements), schedule(parts.schedule),
        sizes(parts.sizes) {}

  mlir::LogicalResult emit(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::ArrayRef<mlir::Value> loops,
                           const TaskBlock &task) override;

private:
  /// The tiles of a range of rows, all of them inside the window.
  mlir::LogicalResult innerRows(mlir::Value first, mlir::Value last);
  mlir::LogicalResult innerRowsStatic(int64_t first, int64_t count);
  mlir::LogicalResult innerRowsDynamic(mlir::Value first, mlir::Value count);
  /// A window over rows of known size: tiles at the border leave out what lies
  /// outside the input.
  mlir::LogicalResult windowRowsStatic(int64_t rows);
  /// Any window over rows: positions at the border are computed one by one.
  mlir::LogicalResult windowRowsDynamic(mlir::Value first, mlir::Value last);
  mlir::LogicalResult borderRows(mlir::Value first, mlir::Value begin,
                                 mlir::Value end, mlir::Value last);

  mlir::LogicalResult rowTile(int64_t rows, mlir::Value firstRow,
                              llvm::SmallVector<TapRange> taps,
                              bool isRest = false);
  mlir::LogicalResult columnTail(int64_t rows, mlir::Value fullTiles);
  mlir::LogicalResult columnTile(int64_t rows, int64_t vectors,
                                 mlir::Value panel, mlir::Value columnsLeft);

  llvm::SmallVector<TapRange> allTaps(int64_t rows);
  llvm::SmallVector<TapRange> borderTaps(int64_t firstRow, int64_t rows);
  llvm::SmallVector<int64_t> possibleRows();
  int64_t restDivisor();
  int64_t widening(int64_t rows) const;
  int64_t tileColumns() const {
    return schedule.getVectors() * schedule.getLanes();
  }

  /// Emits `body` for first, first + step, … below last.
  mlir::LogicalResult
  forEach(mlir::Value first, mlir::Value last, int64_t step,
          mlir::function_ref<mlir::LogicalResult(mlir::Value)> body);

  const Contraction &c;
  RegisterTile tile;
  PanelAccess &panels;
  ElementEmitter &elements;
  kernel::ContractionAttr schedule;
  llvm::SmallVector<mlir::Value> sizes;

  // The task being emitted.
  mlir::OpBuilder *builder = nullptr;
  std::optional<mlir::Location> location;
  llvm::SmallVector<mlir::Value> outerLoops;
  TaskBlock block;
  mlir::Value tileRow;
  llvm::SmallVector<TapRange> tileTaps;
  bool tileIsRest = false;
};

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_CONTRACTIONTASKS_H
