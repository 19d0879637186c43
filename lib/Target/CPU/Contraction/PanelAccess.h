// How a contraction reads its right operand: vectors along the columns.
#ifndef TESSERA_TARGET_CPU_PANELACCESS_H
#define TESSERA_TARGET_CPU_PANELACCESS_H

#include "lib/Target/CPU/Contraction/MultiplyAccumulate.h"
#include "lib/Target/Elements/ElementEmitter.h"

namespace tessera::cpu {

class OperandViews;

/// Most bytes that one task may allocate on its stack (the kernel ABI).
constexpr int64_t kScratchBytes = 64 << 10;

/// Reads vectors of the right operand of one contraction, in the form that its
/// multiply-accumulate takes:
///
///   packed    [..., ceil(columns / width), rows, width], `linalg.unpack`ed in the
///             body, zero beyond the last column: any weights
///   direct    columns are neighbours in memory: values of attention
///   copied    a task first copies its columns to a scratch of panels
///             [panel, rows, columns]: keys of attention, computed operands
///   elements  whatever the element emitter says, vector by vector
///
/// Where a step takes several elements of the contracted dimension, a panel's row
/// is such a group: [panel, groups, columns * elements of a step], zero beyond the
/// depth. Groups do not reach from one tap of a convolution to the next. Packed and
/// copied panels have the same rows.
class PanelAccess {
public:
  /// `scratchBytes`: what a task may use for copies.
  PanelAccess(const Contraction &contraction, ElementEmitter &elements,
              const MultiplyAccumulate &multiply,
              kernel::ContractionAttr schedule,
              int64_t scratchBytes = kScratchBytes)
      : c(contraction), elements(elements), multiply(multiply),
        lanes(schedule.getLanes()),
        columns(schedule.getVectors() * schedule.getLanes()),
        panels(schedule.getTaskPanels()), scratchBytes(scratchBytes),
        isTiled(kernel::isTiled(schedule.getAccumulate())) {}

  /// Whether panels are packed as tiles need them, or one fits `bytes` as a copy.
  static bool fits(const Contraction &c, const MultiplyAccumulate &multiply,
                   kernel::ContractionAttr schedule, int64_t bytes);

  /// Chooses the way of reading; emits views before all tasks.
  void prepare(mlir::OpBuilder &builder, mlir::Location loc,
               OperandViews &views);

  /// Whether tasks must call `copy`, and for how many tiles at most at once.
  bool isCopied() const { return kind == Kind::Copied; }
  int64_t copiedPanels() const { return panels; }
  /// Whether loads of the last columns need masks. `isExact`: no vector lies
  /// wholly beyond the last column.
  bool needsMasks(bool isExact) const {
    if (kind == Kind::Packed)
      return !isExact && width % columns != 0;
    return !isCopied();
  }

  /// Allocates the scratch of a task.
  void allocate(mlir::OpBuilder &builder, mlir::Location loc);
  /// Copies the columns of tiles [first, last) to the scratch. `loops`: values of
  /// the outer loops.
  mlir::LogicalResult copy(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::ArrayRef<mlir::Value> loops,
                           mlir::Value first, mlir::Value last,
                           mlir::Value columnCount);

  /// Where the vectors of one tile are, computed once before its loops.
  struct Columns {
    llvm::SmallVector<mlir::Value> panel, offset, mask;
  };
  Columns locate(mlir::OpBuilder &builder, mlir::Location loc,
                 mlir::ArrayRef<mlir::Value> loops,
                 mlir::ArrayRef<mlir::Value> masks, int64_t vectors) const;

  /// Vector `vector` at the given loop values, of which a step has `count`
  /// elements below the depth. Null after a diagnostic.
  mlir::Value load(mlir::OpBuilder &builder, mlir::Location loc,
                   const Columns &where, mlir::ArrayRef<mlir::Value> loops,
                   int64_t vector, int64_t count) const;

  /// Prefetches vector `vector`, `distance` steps of the innermost loop ahead.
  void prefetch(mlir::OpBuilder &builder, mlir::Location loc,
                const Columns &where, mlir::ArrayRef<mlir::Value> loops,
                int64_t vector, int64_t distance) const;

  /// The rows of the panel that the tile's columns lie in: memref[..., row, column *
  /// elements of a group].
  struct Rows {
    mlir::Value memref;
    /// Indices of the first group, at the loops' values.
    llvm::SmallVector<mlir::Value> first;
  };
  Rows rows(mlir::OpBuilder &builder, mlir::Location loc,
            mlir::ArrayRef<mlir::Value> loops) const;
  /// Columns of such a panel.
  int64_t rowColumns() const { return isCopied() ? columns : width; }
  /// Element type of its memref; of groups.
  mlir::Type elementType() const {
    return isCopied() ? multiply.panelElement(c.root->getContext())
                      : c.rhsType();
  }

private:
  enum class Kind { Packed, Direct, Copied, Elements };

  bool usePacked(mlir::OpBuilder &builder, mlir::Location loc,
                 OperandViews &views);
  bool useDirect(mlir::OpBuilder &builder, mlir::Location loc,
                 OperandViews &views);
  bool useCopied(mlir::OpBuilder &builder, mlir::Location loc,
                 OperandViews &views);
  void orderForTransposing(mlir::OpBuilder &builder, mlir::Location loc);
  /// A panel of the scratch and the columns that it is to hold.
  struct PanelCopy {
    mlir::Value panel, firstColumn, columnCount;
  };
  mlir::LogicalResult copyElements(mlir::OpBuilder &builder, mlir::Location loc,
                                   mlir::SmallVector<mlir::Value> loops,
                                   const PanelCopy &to) const;
  mlir::LogicalResult copyGroups(mlir::OpBuilder &builder, mlir::Location loc,
                                 mlir::SmallVector<mlir::Value> loops,
                                 const PanelCopy &to) const;
  mlir::LogicalResult copyRow(mlir::OpBuilder &builder, mlir::Location loc,
                              mlir::SmallVector<mlir::Value> loops,
                              const PanelCopy &to, int64_t count) const;
  void copyTransposed(mlir::OpBuilder &builder, mlir::Location loc,
                      mlir::SmallVector<mlir::Value> loops,
                      const PanelCopy &to) const;
  mlir::FailureOr<mlir::Value> group(mlir::OpBuilder &builder,
                                     mlir::Location loc,
                                     mlir::ArrayRef<mlir::Value> loops,
                                     mlir::Value mask, int64_t count) const;
  /// Columns that are read together.
  int64_t partColumns() const { return isTiled ? columns : lanes; }
  int64_t panelRows() const;
  mlir::Value panelRow(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::ArrayRef<mlir::Value> loops) const;
  llvm::SmallVector<mlir::Value> indices(mlir::OpBuilder &builder,
                                         mlir::Location loc,
                                         const Columns &where,
                                         mlir::ArrayRef<mlir::Value> loops,
                                         int64_t vector) const;
  mlir::FailureOr<mlir::Value> element(mlir::OpBuilder &builder,
                                       mlir::Location loc,
                                       mlir::ArrayRef<mlir::Value> loops,
                                       mlir::Value mask) const;

  const Contraction &c;
  ElementEmitter &elements;
  const MultiplyAccumulate &multiply;
  int64_t lanes, columns, panels, scratchBytes;
  bool isTiled;
  Kind kind = Kind::Elements;
  /// The packed or direct operand. Of a copied one whose contracted dimension is
  /// contiguous, so that blocks of lanes x lanes can be transposed in registers:
  /// the view that has this dimension last; else null.
  mlir::Value memref;
  /// Whether the operand is a view whose columns are no neighbours.
  bool isStridedView = false;
  /// Indices of that view over the loops.
  llvm::SmallVector<mlir::AffineExpr> transposedIndices;
  mlir::Value scratch;
  /// Column of the scratch's first panel.
  mlir::Value scratchColumn;
  /// Columns of a packed panel.
  int64_t width = 0;
};

/// Loads vector<count x T>; zero where `mask` (may be null) is false.
mlir::Value loadElements(mlir::OpBuilder &builder, mlir::Location loc,
                         mlir::Value memref,
                         mlir::ArrayRef<mlir::Value> indices, int64_t count,
                         mlir::Value mask);

/// The same of floats, widened to f32.
mlir::Value loadVector(mlir::OpBuilder &builder, mlir::Location loc,
                       mlir::Value memref, mlir::ArrayRef<mlir::Value> indices,
                       int64_t lanes, mlir::Value mask);

/// Indices of `tensor`'s elements from indices of its collapsed form. Inner sizes
/// of the groups are static.
llvm::SmallVector<mlir::Value>
expandIndices(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value tensor,
              mlir::ArrayRef<mlir::ReassociationIndices> groups,
              mlir::ArrayRef<mlir::Value> indices);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_PANELACCESS_H
