// The inner kernel: a tile of the result in registers, summed over all loops of
// the contracted dimensions, then stored through the epilogue. What is deep is
// summed in blocks, so that the error does not grow with the depth.
#ifndef TESSERA_TARGET_CPU_REGISTERTILE_H
#define TESSERA_TARGET_CPU_REGISTERTILE_H

#include "lib/Target/CPU/Contraction/ContractionMatcher.h"
#include "lib/Target/CPU/Contraction/PanelAccess.h"
#include "lib/Target/CPU/Contraction/ResultStores.h"

namespace tessera::cpu {

/// Reads the left operand: one element for each row of a tile, or, where it
/// varies along the columns, one vector.
class RowAccess {
public:
  RowAccess(const Contraction &contraction, ElementEmitter &elements)
      : c(contraction), elements(elements) {}

  void prepare(mlir::OpBuilder &builder, mlir::Location loc,
               OperandViews &views);

  /// The element at row `row` of the tile, or vector `vector` of it, as f32
  /// vectors. Null after a diagnostic.
  mlir::Value load(mlir::OpBuilder &builder, mlir::Location loc,
                   mlir::ArrayRef<mlir::Value> loops, int64_t row,
                   int64_t vector, int64_t lanes, mlir::Value mask);

  /// Forgets what has been loaded: another block begins or ends.
  void forget() { loaded.clear(); }

private:
  const Contraction &c;
  ElementEmitter &elements;
  mlir::Value memref;
  /// Vectors by their constant distance from the tile's first element. Windows
  /// overlap: neighbouring rows of a depthwise convolution share them.
  std::map<llvm::SmallVector<int64_t>, mlir::Value> loaded;
};

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

/// Emits tiles of one contraction.
class RegisterTile {
public:
  RegisterTile(const Contraction &contraction, RowAccess &rowAccess,
               PanelAccess &panels, ElementEmitter &elements,
               ResultStores &stores, mlir::ArrayRef<mlir::Value> sizes,
               int64_t lanes, int64_t prefetchRows)
      : c(contraction), rowAccess(rowAccess), panels(panels),
        elements(elements), stores(stores), sizes(sizes), lanes(lanes),
        prefetchRows(prefetchRows) {}

  /// Emits a tile of `rows` rows and `vectors` vectors of columns.
  mlir::LogicalResult emit(mlir::OpBuilder &builder, mlir::Location loc,
                           int64_t rows, int64_t vectors, TilePlace place);

private:
  using Accumulators = llvm::SmallVector<mlir::Value>;

  mlir::Value at(Accumulators &accumulators, int64_t row, int64_t vector) {
    return accumulators[row * vectors + vector];
  }
  Accumulators zeros(mlir::OpBuilder &builder, mlir::Location loc);
  mlir::FailureOr<Accumulators> start(mlir::OpBuilder &builder,
                                      mlir::Location loc);
  mlir::FailureOr<Accumulators> reduce(mlir::OpBuilder &builder,
                                       mlir::Location loc, unsigned level,
                                       Accumulators accumulators,
                                       mlir::ArrayRef<int64_t> rowsInside);
  mlir::FailureOr<Accumulators> loop(mlir::OpBuilder &builder,
                                     mlir::Location loc, unsigned level,
                                     mlir::Value first, mlir::Value last,
                                     Accumulators accumulators,
                                     mlir::ArrayRef<int64_t> rowsInside);
  /// The same in blocks of `step`, each summed from zero.
  mlir::FailureOr<Accumulators> blocks(mlir::OpBuilder &builder,
                                       mlir::Location loc, unsigned level,
                                       mlir::Value first, mlir::Value last,
                                       int64_t step, Accumulators accumulators,
                                       mlir::ArrayRef<int64_t> rowsInside);
  std::optional<int64_t> blockStep(unsigned level, mlir::Value first,
                                   mlir::Value last) const;
  mlir::FailureOr<Accumulators> step(mlir::OpBuilder &builder,
                                     mlir::Location loc,
                                     Accumulators accumulators,
                                     mlir::ArrayRef<int64_t> rowsInside);
  llvm::SmallVector<mlir::Value> resultIndices(mlir::OpBuilder &builder,
                                               mlir::Location loc, int64_t row,
                                               int64_t vector);

  const Contraction &c;
  RowAccess &rowAccess;
  PanelAccess &panels;
  ElementEmitter &elements;
  ResultStores &stores;
  llvm::SmallVector<mlir::Value> sizes;
  int64_t lanes, prefetchRows;

  // The tile being emitted.
  int64_t rows = 0, vectors = 0;
  TilePlace place;
  PanelAccess::Columns columns;
};

/// Taps [first, last) of `window`, in units of its tap loop, that lie inside the
/// input at run-time position `position`; `inputSize` is the input's size.
std::pair<mlir::Value, mlir::Value>
clippedTaps(mlir::OpBuilder &builder, mlir::Location loc,
            const ContractionWindow &window, mlir::Value position,
            mlir::Value inputSize);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_REGISTERTILE_H
