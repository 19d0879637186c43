// A weight on its way through its recipe: which byte of the source each element
// of the result is.
//
// Transposes, packs and most reshapes do not move bytes, they only change how
// the source is walked:
//
//   source [768, 3072]                    sizes 768 3072      strides 3072 1
//   transpose [1, 0]                      sizes 3072 768      strides 1 3072
//   pack 16                               sizes 48 3072 16    strides 49152 1 3072
//
// copyElements then writes any part of the result in its own order.
#ifndef TESSERA_TARGET_ARTIFACT_STRIDEDVIEW_H
#define TESSERA_TARGET_ARTIFACT_STRIDEDVIEW_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>
#include <limits>

namespace tessera::artifact {

/// Elements of a source in the order of another shape. Sizes and strides count
/// elements; there may be dimensions of size 0 or 1, and strides below 0.
struct StridedView {
  struct Dim {
    int64_t size;
    int64_t stride;
  };
  mlir::SmallVector<Dim> dims;
  /// Source index of the first element.
  int64_t offset = 0;
  /// After a pack whose width does not divide the columns: the last dimension is
  /// one of lanes, and lane l of panel p exists if p * lanes + l < columns. Other
  /// elements are zero. -1: all exist.
  int64_t panelDim = -1;
  int64_t columns = std::numeric_limits<int64_t>::max();

  /// All elements of a dense row-major tensor.
  static StridedView dense(mlir::ArrayRef<int64_t> shape);

  mlir::SmallVector<int64_t> shape() const;
  bool isPadded() const;
  /// Whether the elements are a range of the source.
  bool isDense() const;
  int64_t elementCount() const;

  /// Recipe steps; see dialects/Graph/IR/GraphOps.td. False if the result is no
  /// strided view of the source: it must be written out first.
  bool transpose(mlir::ArrayRef<int64_t> permutation);
  bool reverse(mlir::ArrayRef<int64_t> dimensions);
  bool cut(mlir::ArrayRef<int64_t> offsets, mlir::ArrayRef<int64_t> sizes,
           mlir::ArrayRef<int64_t> strides);
  bool reshape(mlir::ArrayRef<int64_t> shape);
  bool pack(int64_t width);

  /// The part with the indices [begin, begin + size) of dimension `dim`.
  StridedView slice(int64_t dim, int64_t begin, int64_t size) const;
};

/// Writes the view's elements, each of `elementBytes` (1, 2, 4 or 8), densely to
/// `target`, zeros where there is none.
void copyElements(const StridedView &view, int64_t elementBytes,
                  const char *source, char *target);

} // namespace tessera::artifact

#endif // TESSERA_TARGET_ARTIFACT_STRIDEDVIEW_H
