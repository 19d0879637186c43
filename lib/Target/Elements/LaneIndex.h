// Index arithmetic for element accesses: an index as a function of the lane.
#ifndef TESSERA_TARGET_ELEMENTS_LANEINDEX_H
#define TESSERA_TARGET_ELEMENTS_LANEINDEX_H

#include "lib/Target/Elements/IndexBuilder.h"

namespace tessera {

/// An index of an element access: lane l reads base + l * step, or, without a
/// step, element l of the vector `base`.
struct LaneIndex {
  /// `index`; vector<lanes x index> without a step.
  mlir::Value base;
  /// Elements from one lane to the next; 0: the same in all lanes.
  std::optional<int64_t> step = 0;

  bool isUniform() const { return step && *step == 0; }
  bool isContiguous() const { return step && *step == 1; }
  bool operator==(const LaneIndex &other) const {
    return base == other.base && step == other.step;
  }
};

/// Which elements of a tensor are read: an index for each dimension, or the
/// row-major position when `linear`.
struct ElementAccess {
  llvm::SmallVector<LaneIndex, 4> indices;
  bool linear = false;
  int64_t lanes = 1;
  /// vector<lanes x i1>: lanes where it is false read no memory. Null: all do.
  mlir::Value mask;
  /// i1: where it holds, the last index is 0 in all lanes. Null: it never does.
  mlir::Value repeated;

  bool isUniform() const {
    return llvm::all_of(indices, [](LaneIndex i) { return i.isUniform(); });
  }
  bool operator==(const ElementAccess &other) const {
    return indices == other.indices && linear == other.linear &&
           lanes == other.lanes && mask == other.mask &&
           repeated == other.repeated;
  }
};

/// vector<lanes x element>; for one lane the element itself.
mlir::Type withLanes(mlir::Type element, int64_t lanes);

/// Whether `given` are the `expected` indices, as values or as constants; null
/// ones may be anything.
bool areSameIndices(llvm::ArrayRef<mlir::Value> given,
                    llvm::ArrayRef<mlir::Value> expected);

/// Index arithmetic of lanes, each operation once. Places that are masked off may have
/// negative indices, as those in a padding, and sizes of 0.
class LaneMath : public IndexBuilder {
public:
  LaneMath(mlir::OpBuilder &builder, mlir::Location loc)
      : IndexBuilder(builder, loc) {
    emitted = &visible;
  }
  LaneMath(const LaneMath &) = delete;

  using IndexBuilder::add;
  using IndexBuilder::mul;
  /// By a size of 0, which has no elements, by 1: what is computed at a padded place
  /// and then thrown away would divide by it.
  mlir::Value div(mlir::Value a, mlir::Value b) {
    return IndexBuilder::div(a, atLeastOne(b));
  }
  mlir::Value rem(mlir::Value a, mlir::Value b) {
    return IndexBuilder::rem(a, atLeastOne(b));
  }

  LaneIndex uniform(int64_t value) { return {constant(value), 0}; }
  /// `uniformAddend` is an `index`.
  LaneIndex add(LaneIndex a, mlir::Value uniformAddend, int64_t lanes);
  LaneIndex add(LaneIndex a, LaneIndex b, int64_t lanes);
  LaneIndex mul(LaneIndex a, mlir::Value uniformFactor, int64_t lanes);
  /// uniformMinuend - a.
  LaneIndex subtractFrom(mlir::Value uniformMinuend, LaneIndex a,
                         int64_t lanes);
  /// Quotient and remainder by a uniform divisor.
  std::pair<LaneIndex, LaneIndex> split(LaneIndex a, mlir::Value divisor,
                                        int64_t lanes);

  /// vector<lanes x index>; for one lane the index itself.
  mlir::Value vectorOf(LaneIndex a, int64_t lanes);
  /// The index of one lane.
  mlir::Value laneOf(LaneIndex a, int64_t lane);

  /// Whether a < bound, as i1 or vector<lanes x i1>; a negative index counts as
  /// large.
  mlir::Value isBelow(LaneIndex a, mlir::Value bound, int64_t lanes);

  /// What has been emitted so far; restore it when leaving a region.
  Emitted visible;

private:
  mlir::Value atLeastOne(mlir::Value size);
};

} // namespace tessera

#endif // TESSERA_TARGET_ELEMENTS_LANEINDEX_H
