// A weight on its way through its recipe: which byte of the source each element
// of the result is.
//
// Transposes, packs, broadcasts and most reshapes do not move bytes, they only
// change how the source is walked:
//
//   source [768, 3072]                    sizes 768 3072      strides 3072 1
//   transpose [1, 0]                      sizes 3072 768      strides 1 3072
//   pack 16                               sizes 48 3072 16    strides 49152 1 3072
//
// copyRange then writes any part of the result in its own order.
#ifndef TESSERA_DIALECTS_GRAPH_WEIGHTS_STRIDEDVIEW_H
#define TESSERA_DIALECTS_GRAPH_WEIGHTS_STRIDEDVIEW_H

#include "mlir/Support/LLVM.h"
#include "llvm/ADT/ArrayRef.h"
#include "llvm/ADT/SmallVector.h"

#include <cstdint>

namespace tessera::graph {

/// Elements of a source in the order of another shape. Sizes and strides count
/// elements; there may be dimensions of size 0 or 1, and strides of 0 and below.
///
/// A dimension may have several parts, outer to inner, whose strides do not fit: all
/// elements of the transposed [768, 3072], as a vector, are one of 3072 (stride 1)
/// and 768 (stride 3072).
struct StridedView {
  struct Dim {
    int64_t size;
    int64_t stride;
  };
  /// What is beyond the end of a split dimension is zero: with index o of part
  /// `outer` and i of part `inner`, an element exists if o * size of inner + i < count.
  struct Bound {
    unsigned outer, inner;
    int64_t count;
  };
  /// The parts of all dimensions.
  mlir::SmallVector<Dim> dims;
  /// How many of the parts each dimension has, at least 1.
  mlir::SmallVector<unsigned> partCounts;
  /// Source index of the first element.
  int64_t offset = 0;
  mlir::SmallVector<Bound> bounds;

  /// All elements of a dense row-major tensor.
  static StridedView dense(mlir::ArrayRef<int64_t> shape);

  mlir::SmallVector<int64_t> shape() const;
  /// Whether some elements are zeros that the source does not have.
  bool isPadded() const;
  /// Whether the elements are a range of the source.
  bool isDense() const;
  int64_t elementCount() const;

  /// Recipe steps; see dialects/Graph/IR/WeightRecipes.td. False if the result is no
  /// strided view of the source: it must be written out first. The view is
  /// unspecified then.
  bool transpose(mlir::ArrayRef<int64_t> permutation);
  bool reverse(mlir::ArrayRef<int64_t> dimensions);
  bool cut(mlir::ArrayRef<int64_t> offsets, mlir::ArrayRef<int64_t> sizes,
           mlir::ArrayRef<int64_t> strides);
  bool reshape(mlir::ArrayRef<int64_t> shape);
  bool broadcast(mlir::ArrayRef<int64_t> shape);
  bool pack(int64_t width, int64_t depthGroup = 1);

  /// The part with the indices [begin, begin + size) of `dims[dim]`. An inner part
  /// of a bound is cut only where the outer one has size 1.
  StridedView slice(unsigned dim, int64_t begin, int64_t size) const;

private:
  using Parts = mlir::SmallVector<Dim, 2>;
  mlir::SmallVector<Parts> parts() const;
  void setParts(mlir::ArrayRef<Parts> parts);
};

/// Writes the view's elements, each of `elementBytes` (1, 2, 4 or 8), densely to
/// `target`, zeros where there is none.
void copyElements(const StridedView &view, int64_t elementBytes,
                  const char *source, char *target);

/// Writes `count` of them from number `begin` on, in row-major order.
void copyRange(const StridedView &view, int64_t elementBytes,
               const char *source, int64_t begin, int64_t count, char *target);

} // namespace tessera::graph

#endif // TESSERA_DIALECTS_GRAPH_WEIGHTS_STRIDEDVIEW_H
