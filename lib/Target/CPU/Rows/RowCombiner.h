// How the elements of a reduction are joined: in vectors of accumulators, then
// across their lanes.
#ifndef TESSERA_TARGET_CPU_ROWCOMBINER_H
#define TESSERA_TARGET_CPU_ROWCOMBINER_H

#include "mlir/IR/Builders.h"
#include "mlir/IR/Value.h"

namespace tessera::cpu {

/// The operation of a reduction on accumulators of any number of lanes.
///
/// A `linalg.reduce` has one accumulator; its body must be one operation that is
/// associative and commutative. f16 and bf16 sums and products accumulate in
/// f32. A `graph.arg_reduce` has two: the best element so far and its index.
///
///   start(8)             neutral elements: -inf, vector<8xf32>
///   combine(state, x)    max(state, x), lane by lane
///   acrossLanes(state)   max of the 8 lanes, as a balanced tree
///
/// A long row's sums and products round in blocks: `kBlockSteps` elements go to an
/// accumulator, which then joins a total in f64. The error of a sum is so that of
/// a block, whatever the row's length (Higham, "The accuracy of floating point
/// summation", 1993).
class Combiner {
public:
  using State = llvm::SmallVector<mlir::Value, 2>;

  /// Of a linalg.reduce or graph.arg_reduce; fails with a diagnostic.
  static mlir::FailureOr<Combiner> of(mlir::Operation *reduction);

  /// Elements that an accumulator takes before it joins a total.
  static constexpr int64_t kBlockSteps = 64;

  bool needsIndex() const { return isIndex; }
  /// Whether every step rounds.
  bool rounds() const { return isRounded; }
  /// Number of accumulators.
  int64_t width() const { return isIndex ? 2 : 1; }

  /// Neutral elements. An index starts at the first element of its lane (0, or
  /// the lane's number where lanes lie along the row), as if that were the least
  /// possible one: it loses against what is there, and where all elements are
  /// that one, it is right.
  State start(mlir::OpBuilder &builder, mlir::Location loc, int64_t lanes,
              bool lanesAlongRow) const;

  /// `state` with the elements `x`, which come after all that it holds;
  /// `index`: their indices along the reduced dimension, where needed.
  State combine(mlir::OpBuilder &builder, mlir::Location loc,
                mlir::ValueRange state, mlir::Value x, mlir::Value index,
                mlir::Value mask) const;

  /// Accumulators as totals.
  State widen(mlir::OpBuilder &builder, mlir::Location loc,
              mlir::ValueRange state) const;

  /// Two states of any order, both accumulators or both totals.
  State merge(mlir::OpBuilder &builder, mlir::Location loc, mlir::ValueRange a,
              mlir::ValueRange b) const;

  /// The lanes joined: halves, quarters, and so on.
  State acrossLanes(mlir::OpBuilder &builder, mlir::Location loc,
                    mlir::ValueRange state) const;

  /// The result's elements, in its element type.
  mlir::Value finish(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::ValueRange state, mlir::Value init) const;

  /// The tensor that gives each result its initial value; null if that is
  /// neutral.
  mlir::Value initial() const { return init; }

  /// Type of the indices that accumulators hold: i32 where they fit.
  mlir::Type indexType() const { return positionType; }

private:
  explicit Combiner(mlir::Operation *op) : op(op) {}

  /// The body of a linalg.reduce on values of any lanes.
  mlir::Value apply(mlir::OpBuilder &builder, mlir::Location loc, mlir::Value a,
                    mlir::Value b) const;
  /// Whether `candidate` is better than `best` (arg_reduce).
  mlir::Value beats(mlir::OpBuilder &builder, mlir::Location loc,
                    mlir::Value candidate, mlir::Value best,
                    bool orEqual) const;

  mlir::Operation *op;
  bool isIndex = false, isRounded = false;
  mlir::Type elementType, accumulatorType, positionType;
  mlir::TypedAttr neutral;
  mlir::Value init;
};

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_ROWCOMBINER_H
