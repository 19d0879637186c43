// The inner kernel: a tile of the result in registers, summed over all loops of
// the contracted dimensions, then stored through the epilogue. What is deep is
// summed in blocks, so that the error does not grow with the depth.
#ifndef TESSERA_TARGET_CPU_REGISTERTILE_H
#define TESSERA_TARGET_CPU_REGISTERTILE_H

#include "lib/Target/CPU/Contraction/LeftOperand.h"
#include "lib/Target/CPU/Contraction/PanelAccess.h"
#include "lib/Target/CPU/Contraction/ResultStores.h"
#include "lib/Target/Elements/IndexBuilder.h"

namespace tessera::cpu {

/// The sums of a tile, which fill the registers at most.
constexpr int64_t kRegisterSumVectors = 32,
                  kRegisterSumBytes = kRegisterSumVectors * 64;

/// Taps of the row loop's window, in units of the tap loop, and the rows of the
/// tile that read them inside the input.
struct TapRange {
  mlir::Value first, last;
  llvm::SmallVector<int64_t> rows;
};

/// Where a tile is.
struct TilePlace {
  /// By loop number: outer loops, first row, first column.
  llvm::SmallVector<mlir::Value> loops;
  /// For each vector the lanes that exist; null: all.
  llvm::SmallVector<mlir::Value> masks;
  /// Whether loads of the right operand need the masks.
  bool maskLoads = false;
  /// With a window over the rows: its taps.
  llvm::SmallVector<TapRange> taps;
  /// Of the few rows that full tiles leave: LLVM unrolls none of its loops, which
  /// would be most of the code of all.
  bool isRest = false;
};

/// What all tiles of a kernel are emitted with.
struct ContractionParts {
  const Contraction &contraction;
  const MultiplyAccumulate &multiply;
  LeftOperand &left;
  PanelAccess &panels;
  ElementEmitter &elements;
  ResultStores &stores;
  kernel::ContractionAttr schedule;
  /// Of the loops.
  llvm::SmallVector<mlir::Value> sizes;
};

/// Emits tiles of one contraction.
class RegisterTile {
public:
  explicit RegisterTile(const ContractionParts &parts)
      : c(parts.contraction), multiply(parts.multiply), left(parts.left),
        panels(parts.panels), elements(parts.elements), stores(parts.stores),
        sizes(parts.sizes), lanes(parts.schedule.getLanes()),
        prefetchRows(parts.schedule.getPrefetchRows()) {}

  /// Emits a tile of `rows` rows and `vectors` vectors of columns.
  mlir::LogicalResult emit(mlir::OpBuilder &builder, mlir::Location loc,
                           int64_t rows, int64_t vectors, TilePlace place);

private:
  using Accumulators = llvm::SmallVector<mlir::Value>;

  mlir::Value at(Accumulators &accumulators, int64_t row, int64_t vector) {
    return accumulators[row * vectors + vector];
  }
  Accumulators zeros(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::VectorType type);
  /// Each total and the sum of a block.
  Accumulators finish(mlir::OpBuilder &builder, mlir::Location loc,
                      mlir::ValueRange totals, mlir::ValueRange sums);
  /// Whether all products are one block.
  bool isOneBlock() const;
  mlir::FailureOr<Accumulators> start(mlir::OpBuilder &builder,
                                      mlir::Location loc);
  mlir::FailureOr<Accumulators> reduce(mlir::OpBuilder &builder,
                                       mlir::Location loc, unsigned level,
                                       Accumulators accumulators,
                                       mlir::ArrayRef<int64_t> rowsInside);
  /// Reduction loop number `level` from `first` to `last`.
  struct Reduction {
    unsigned level;
    mlir::Value first, last;
  };
  mlir::FailureOr<Accumulators> loop(mlir::OpBuilder &builder,
                                     mlir::Location loc,
                                     const Reduction &range,
                                     Accumulators accumulators,
                                     mlir::ArrayRef<int64_t> rowsInside);
  /// The innermost loop where a step takes several of its elements.
  mlir::FailureOr<Accumulators> groups(mlir::OpBuilder &builder,
                                       mlir::Location loc, Reduction range,
                                       Accumulators accumulators,
                                       mlir::ArrayRef<int64_t> rowsInside);
  /// A loop in blocks of `step`, each summed from zero.
  mlir::FailureOr<Accumulators> blocks(mlir::OpBuilder &builder,
                                       mlir::Location loc,
                                       const Reduction &range, int64_t step,
                                       Accumulators accumulators,
                                       mlir::ArrayRef<int64_t> rowsInside);
  std::optional<int64_t> blockStep(const Reduction &range) const;
  /// What a loop advances by.
  int64_t loopStep(unsigned level) const {
    return level + 1 == c.reduction.size() ? multiply.stepLength() : 1;
  }
  mlir::FailureOr<Accumulators> step(mlir::OpBuilder &builder,
                                     mlir::Location loc,
                                     Accumulators accumulators,
                                     mlir::ArrayRef<int64_t> rowsInside);
  llvm::SmallVector<mlir::Value> resultIndices(mlir::OpBuilder &builder,
                                               mlir::Location loc, int64_t row,
                                               int64_t vector) {
    return resultIndices(builder, loc, IndexBuilder(builder, loc).constant(row),
                         vector);
  }
  llvm::SmallVector<mlir::Value> resultIndices(mlir::OpBuilder &builder,
                                               mlir::Location loc,
                                               mlir::Value row, int64_t vector);
  /// The epilogue of each row in a loop over rows, from a scratch.
  mlir::LogicalResult storeByRows(mlir::OpBuilder &builder, mlir::Location loc,
                                  mlir::ArrayRef<mlir::Value> accumulators);

  const Contraction &c;
  const MultiplyAccumulate &multiply;
  LeftOperand &left;
  PanelAccess &panels;
  ElementEmitter &elements;
  ResultStores &stores;
  llvm::SmallVector<mlir::Value> sizes;
  int64_t lanes, prefetchRows;

  /// Sums of a tile, [vector, lane]; null where no epilogue is long.
  mlir::Value sumScratch;

  // The tile being emitted.
  int64_t rows = 0, vectors = 0;
  TilePlace place;
  PanelAccess::Columns columns;
  /// Elements of the current step below the depth.
  int64_t stepCount = 1;
  /// Whether the sums that are emitted may become totals' summands only.
  bool needsBlock = false;
};

/// Taps [first, last) of `window`, in units of its tap loop, that lie inside the
/// input at run-time position `position`; `inputSize` is the input's size.
std::pair<mlir::Value, mlir::Value>
clippedTaps(mlir::OpBuilder &builder, mlir::Location loc,
            const ContractionWindow &window, mlir::Value position,
            mlir::Value inputSize);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_REGISTERTILE_H
