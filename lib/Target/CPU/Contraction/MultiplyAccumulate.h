// How products are accumulated: the instruction at the heart of a tile.
//
// A step takes a few neighbouring elements of the contracted dimension, those that
// the instruction multiplies at once, for one row and a vector of columns:
//
//   sum[column] += left[0] * right[column][0] + left[1] * right[column][1] + ...
//
//   implementation  left x right -> sums   a step  left operand      a panel's row
//   f32             f32, f16, bf16 -> f32  1       one, broadcast    columns
//   bf16_pairs      bf16 x bf16 -> f32     2       pair, broadcast   columns x 2
//   u8s8_quads      u8 x s8 -> i32         4       quad, broadcast   columns x 4
//   bytes_in_f32    u8, s8 x s8 -> i32     1       one, broadcast    columns
//   bf16_tiles      bf16 x bf16 -> f32     32      16 rows           columns x 2
//   u8s8_tiles      u8 x s8 -> i32         64      16 rows           columns x 4
//
// Elements of a step lie together in both operands: the left one is row-major, so
// its neighbours are loaded as one number and broadcast; the right one's panels are
// [panel, ceil(depth / step), columns, step], zero beyond the depth. Register tiles
// and attention go through `accumulateTile`; nothing else knows an instruction.
//
// The tile unit's operands and sums are tiles: `step` takes two tiles and gives one of
// 16 x 16 sums, which leave it as rows (TileBlocks.h). Its panels are those of pairs
// and quads, whose groups it takes 16 of at a step.
//
// To add one: a case of `kernel.MultiplyAccumulate`, a class here, its rate in the
// machine record, and lines in `chooseMultiplyAccumulate` and `panelLayoutOf`
// (lib/CostModel). The tile unit's place is described in docs/architecture.md.
#ifndef TESSERA_TARGET_CPU_MULTIPLYACCUMULATE_H
#define TESSERA_TARGET_CPU_MULTIPLYACCUMULATE_H

#include "dialects/Interfaces/Contraction.h"
#include "dialects/Kernel/IR/Kernel.h"

#include "mlir/IR/Builders.h"

#include <memory>

namespace tessera::cpu {

/// The operands of one step of a tile. Both functions give values in the form that
/// `MultiplyAccumulate::left` and `right` made; null after a diagnostic.
struct TileStep {
  /// Rows of the tile that take part, and vectors of its columns.
  llvm::ArrayRef<int64_t> rows;
  int64_t vectors;
  /// The left operand varies along the columns, too.
  bool leftVaries;
  llvm::function_ref<mlir::Value(int64_t row, int64_t vector)> left;
  llvm::function_ref<mlir::Value(int64_t vector)> right;
};

class MultiplyAccumulate {
public:
  /// The implementation that a schedule names, for vectors of `lanes` sums. `lhs`: how
  /// bytes of the left operand are read.
  static std::unique_ptr<MultiplyAccumulate>
  create(kernel::MultiplyAccumulate kind, int64_t lanes,
         Signedness lhs = Signedness::Unsigned);
  virtual ~MultiplyAccumulate() = default;

  /// Why the product cannot be accumulated so; empty: it can.
  virtual std::string refusal(const Contraction &c) const = 0;

  /// Elements of the contracted dimension that a step takes.
  int64_t stepLength() const { return length; }
  /// Elements of the contracted dimension that lie together in a panel.
  int64_t groupLength() const { return group; }
  int64_t lanes() const { return laneCount; }
  /// The vector of sums of one row.
  virtual mlir::VectorType sums(mlir::MLIRContext *context) const = 0;
  /// Element type of panels that a task copies the right operand to; integers
  /// where several make a step.
  virtual mlir::Type panelElement(mlir::MLIRContext *context) const = 0;
  /// Sums of many products are rounded: they are summed in blocks, from zero each.
  virtual bool sumsInBlocks() const { return true; }
  /// The vector that sums of blocks are added to; where it is another one, every
  /// product is in a block.
  virtual mlir::VectorType totals(mlir::MLIRContext *context) const {
    return sums(context);
  }

  /// The form of the left operand: `elements`, a scalar, or a vector of stepLength
  /// neighbours of the contracted dimension, for all columns. Vectors of columns
  /// (of a depthwise convolution) stay such.
  virtual mlir::Value left(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::Value elements) const = 0;
  /// The form of the right operand: a vector of lanes * stepLength elements of a
  /// panel's row.
  virtual mlir::Value right(mlir::OpBuilder &builder, mlir::Location loc,
                            mlir::Value elements) const = 0;
  virtual mlir::Value step(mlir::OpBuilder &builder, mlir::Location loc,
                           mlir::Value left, mlir::Value right,
                           mlir::Value sum) const = 0;
  /// Ends a block of steps: `total` and the block's `sum`.
  virtual mlir::Value finish(mlir::OpBuilder &builder, mlir::Location loc,
                             mlir::Value total, mlir::Value sum) const = 0;

  /// The inner kernel: one step of all rows and vectors, sums[row * vectors +
  /// vector].
  mlir::LogicalResult
  accumulateTile(mlir::OpBuilder &builder, mlir::Location loc,
                 const TileStep &operands,
                 mlir::MutableArrayRef<mlir::Value> sums) const;

protected:
  MultiplyAccumulate(int64_t lanes, kernel::MultiplyAccumulate kind)
      : laneCount(lanes), length(kernel::stepLengthOf(kind)),
        group(kernel::groupLengthOf(kind)) {}

private:
  int64_t laneCount, length, group;
};

/// `value` (a vector or scalar of f32, f16 or bf16) as f32.
mlir::Value widen(mlir::OpBuilder &builder, mlir::Location loc,
                  mlir::Value value);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_MULTIPLYACCUMULATE_H
