// Indices as sums, to divide them by constants without a division.
//
// An element that is read through reshapes and transposes has an index such as
//
//   ((b * 80 + c) * 64 + p) / 8 * 2,   p < 64
//
// Most of its divisions are none: the sum has parts that the divisor divides, and the
// rest is smaller than the divisor.
#ifndef TESSERA_TARGET_ELEMENTS_INDEXTERMS_H
#define TESSERA_TARGET_ELEMENTS_INDEXTERMS_H

#include "mlir/IR/Value.h"
#include "llvm/ADT/SmallVector.h"

#include <optional>

namespace tessera {

/// constant + the sum of factor * value. Values are what is no sum and no product
/// with a constant; factors are positive.
struct IndexTerms {
  llvm::SmallVector<std::pair<mlir::Value, int64_t>, 4> terms;
  int64_t constant = 0;

  bool isZero() const { return terms.empty() && constant == 0; }

  /// The parts that are proven to be multiples of `divisor`, and the rest, which is
  /// not negative; nothing if it is not proven to be.
  std::optional<std::pair<IndexTerms, IndexTerms>>
  splitBy(int64_t divisor) const;

  /// A number that divides every value it may have; 0 for the sum 0.
  int64_t divisor() const;

  /// The largest value it may have, if that is known.
  std::optional<int64_t> largest() const;
};

IndexTerms termsOf(mlir::Value index);

/// Whether `index` is proven not to be negative: sums and products of sizes, of
/// induction variables from such a bound, of quotients and remainders. A difference
/// may be negative, as the places of a window in its padding are.
bool isNonNegative(mlir::Value index);

/// Whether `value` is proven to be a multiple of `factor`: constants, sums and
/// products, and induction variables of loops whose bounds and steps are.
bool isMultipleOf(mlir::Value value, int64_t factor);

/// The constant that `value` is, if it is one.
std::optional<int64_t> constantOf(mlir::Value value);

} // namespace tessera

#endif // TESSERA_TARGET_ELEMENTS_INDEXTERMS_H
