// How a contraction on the tile unit reads its left operand: tiles of 16 rows.
//
// Rows are read where they are if their elements of the innermost contracted loop are
// neighbours and whole steps, none of them lies beyond the border of a window, and
// there are 16: the last tile then begins at the last 16 rows, some of which the one
// before has, too. Otherwise a task copies the rows of a block to its scratch:
//
//   row 0: tap 0 | tap 1 | ... | zeros to the next whole step
//   row 1: ...
//
// with zeros for what lies beyond a border, and each tap filled up to whole groups, as
// the panels of the right operand are. Both are an address, bytes from one row to the
// next and bytes from one index of each contracted loop to the next, so that one loop
// reads both. Rows that are too deep for the scratch are copied in parts of some steps,
// for each panel anew.
//
// Rows under a window overlap in memory. Where they fit, a task copies the line of the
// image that they lie in once, with zeros beyond its borders, for each of the other
// taps, and reads them there as it would in place.
#ifndef TESSERA_TARGET_CPU_LEFTTILES_H
#define TESSERA_TARGET_CPU_LEFTTILES_H

#include "lib/Target/CPU/Contraction/RegisterTile.h"
#include "lib/Target/CPU/Contraction/TileUnit.h"

namespace tessera::cpu {

/// Rows of a copied block.
constexpr int64_t kBlockRows = 2 * kTileRows;

/// The contracted dimensions as the tile unit steps through them.
struct TileDepth {
  TileDepth(const Contraction &c, const MultiplyAccumulate &multiply);

  /// Steps are those of the innermost loop; else of one loop over all elements, for
  /// which rows are copied.
  bool isNested;
  /// Elements of a copied row from one index of each contracted loop to the next.
  llvm::SmallVector<int64_t> distances;
  /// Elements of a copied row: those of all loops, in whole groups; and in whole
  /// steps.
  int64_t size, wholeSteps;
};

/// Whether neighbours of the innermost contracted loop are those of the left operand's
/// last dimension, and rows and all contracted loops move it by constants.
bool hasRows(const Contraction &c);

/// Bytes of an element of the left operand.
inline int64_t elementBytes(const Contraction &c) {
  return c.lhsType().getIntOrFloatBitWidth() / 8;
}

/// The lines that a task copies of an image, in elements.
struct ImageLines {
  /// From one row to the next; from one line to the next; of all of them.
  int64_t rowDistance = 0, distance = 0, elements = 0;
};

/// The lines of rows under a window whose taps and channels are neighbours in memory,
/// where they fit a task's scratch.
std::optional<ImageLines> imageLinesOf(const Contraction &c,
                                       const MultiplyAccumulate &multiply,
                                       kernel::ContractionAttr schedule);

/// The rows of a block: loop values with its first row, and how many there are.
struct BlockRows {
  llvm::SmallVector<mlir::Value> loops;
  mlir::Value count;
};

/// Where the tiles of a block are.
struct LeftBlock {
  /// The block is read where it is; else from the scratch. i1.
  mlir::Value isInPlace;
  /// Of the first elements of each tile's first row.
  llvm::SmallVector<mlir::Value> addresses;
  /// Each tile's first row, from the block's first row on; may be negative.
  llvm::SmallVector<mlir::Value> rows;
  mlir::Value rowBytes;
  /// Bytes from one index of each contracted loop to the next.
  llvm::SmallVector<mlir::Value> steps;
};

class LeftTiles {
public:
  explicit LeftTiles(const ContractionParts &parts);

  /// Bytes of the scratch that a task by `schedule` needs for copies; 0 where it
  /// never copies.
  static int64_t scratchBytes(const Contraction &c,
                              const MultiplyAccumulate &multiply,
                              kernel::ContractionAttr schedule);

  /// Emits views before all tasks.
  void prepare(mlir::OpBuilder &builder, mlir::Location loc,
               OperandViews &views);
  /// Allocates the scratch of a task.
  void allocate(mlir::OpBuilder &builder, mlir::Location loc);

  const TileDepth &depth() const { return contracted; }
  /// Whether rows are copied in parts, where they are copied.
  bool copiesParts() const;
  /// Whether every block is read in place.
  bool neverCopies() const;
  /// Whether a task copies lines of an image.
  bool copiesLines() const;
  /// Copies the lines of the task's rows from `loops` on, `count` of them.
  mlir::LogicalResult copyLines(mlir::OpBuilder &builder, mlir::Location loc,
                                mlir::ArrayRef<mlir::Value> loops,
                                mlir::Value count);
  /// Where `block` is; of rows that are copied in parts, where it is in place.
  LeftBlock locate(mlir::OpBuilder &builder, mlir::Location loc,
                   const BlockRows &block);
  LeftBlock locateScratch(mlir::OpBuilder &builder, mlir::Location loc);
  /// Copies the rows of `block` to the scratch.
  mlir::LogicalResult copy(mlir::OpBuilder &builder, mlir::Location loc,
                           const BlockRows &block);
  /// Copies elements `part` of the innermost contracted loop, at the values of the
  /// others.
  mlir::LogicalResult copyPart(mlir::OpBuilder &builder, mlir::Location loc,
                               const BlockRows &block,
                               std::pair<mlir::Value, mlir::Value> part);
  /// Elements of a part.
  int64_t partElements() const;

private:
  /// A row on its way to the scratch: loop values, and where its elements from those
  /// on belong.
  struct RowCopy {
    llvm::SmallVector<mlir::Value> loops;
    mlir::Value position;
  };

  bool mayReadInPlace() const;
  std::pair<mlir::Value, mlir::Value> insideRows(mlir::OpBuilder &builder,
                                                 mlir::Location loc);
  mlir::Value isInside(mlir::OpBuilder &builder, mlir::Location loc,
                       const BlockRows &block,
                       std::pair<mlir::Value, mlir::Value> inside);
  LeftBlock locateInLines(mlir::OpBuilder &builder, mlir::Location loc,
                          const BlockRows &rows);
  mlir::LogicalResult copyLine(mlir::OpBuilder &builder, mlir::Location loc,
                const RowCopy &line, mlir::Value count);
  void storeZeros(mlir::OpBuilder &builder, mlir::Location loc,
                  mlir::Value position, mlir::Value first, mlir::Value last);
  LeftBlock locateInPlace(mlir::OpBuilder &builder, mlir::Location loc,
                          const BlockRows &rows,
                          std::pair<mlir::Value, mlir::Value> inside);
  int64_t copiedLanes() const;
  void fillWithZeros(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value row, int64_t count);
  std::pair<mlir::Value, mlir::Value> rangeOf(mlir::OpBuilder &builder,
                                              mlir::Location loc,
                                              const RowCopy &row,
                                              unsigned loop);
  mlir::LogicalResult copyRow(mlir::OpBuilder &builder, mlir::Location loc,
                              RowCopy row);
  mlir::LogicalResult copyElements(mlir::OpBuilder &builder, mlir::Location loc,
                                   RowCopy row,
                                   std::pair<mlir::Value, mlir::Value> range);
  mlir::FailureOr<mlir::Value> load(mlir::OpBuilder &builder,
                                    mlir::Location loc,
                                    mlir::ArrayRef<mlir::Value> loops,
                                    mlir::Value mask);

  const Contraction &c;
  const MultiplyAccumulate &multiply;
  ElementEmitter &elements;
  llvm::SmallVector<mlir::Value> sizes;
  kernel::ContractionAttr schedule;
  TileDepth contracted;
  /// The operand, if its rows' elements are neighbours in memory.
  mlir::Value memref;
  /// The memref holds bytes whose sign bits are the opposite of the operand's.
  bool isFlipped = false;
  /// Neighbours are emitted as vectors; else one by one.
  bool emitsVectors = false;
  mlir::Value scratch;
  /// Of lines: the first row that they were copied for.
  mlir::Value firstRow;
};

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_LEFTTILES_H
