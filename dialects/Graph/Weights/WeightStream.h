// Elements of a weight, read in any part and made of others as they are read.
//
//   int8 file, transposed ─┐
//                          ├─ times ── panels of 16 columns ── artifact
//   scales, repeated ──────┘
//
// Nothing is held but what is being read. What only changes the order (a view) goes
// through elementwise work to the sources, which are then read in the order of the
// result.
#ifndef TESSERA_DIALECTS_GRAPH_WEIGHTS_WEIGHTSTREAM_H
#define TESSERA_DIALECTS_GRAPH_WEIGHTS_WEIGHTSTREAM_H

#include "dialects/Graph/Weights/ElementFunctions.h"
#include "dialects/Graph/Weights/StridedView.h"
#include "dialects/Graph/Weights/WeightSource.h"

#include <functional>
#include <memory>

namespace tessera::graph {

/// A change of a view; false if its result is none.
using ViewStep = llvm::function_ref<bool(StridedView &)>;

class WeightStream {
public:
  virtual ~WeightStream() = default;

  /// Writes elements [begin, begin + count), in row-major order, to `target`.
  /// Booleans are bytes.
  virtual llvm::Error read(int64_t begin, int64_t count, char *target) = 0;

  /// The elements after `step`, or null where these must be stored first.
  virtual std::unique_ptr<WeightStream> remapped(ViewStep step) const {
    return nullptr;
  }

  /// Whether some elements are zeros that a packing has added.
  virtual bool isPadded() const { return false; }
};

using StreamPtr = std::unique_ptr<WeightStream>;

/// The bytes of one element in a weight; 0 for types that weights cannot have.
int64_t elementBytesOf(mlir::Type elementType);

/// Elements of `elementBytes` that `view` sees of `source`.
StreamPtr streamOf(std::shared_ptr<WeightSource> source, StridedView view,
                   int64_t elementBytes);

/// Elements of an attribute.
llvm::Expected<StreamPtr> streamOf(mlir::ElementsAttr elements);

/// An operation on elements of equal index.
struct ElementwiseWork {
  ElementFunction function;
  llvm::SmallVector<ElementKind> operands;
  ElementKind result;
  int64_t predicate = 0;
};

/// `work` on the elements of `operands`, which have one shape.
StreamPtr computed(const ElementwiseWork &work, std::vector<StreamPtr> operands);

/// Opens a part when it is read; nothing of it stays afterwards.
struct StreamPart {
  std::function<llvm::Expected<StreamPtr>()> open;
  int64_t count;
};

/// Parts, one after another.
StreamPtr joined(std::vector<StreamPart> parts, int64_t elementBytes);

/// The elements of `stream`, whose order no step may change.
StreamPtr withoutViews(StreamPtr stream);

/// Elements of `bits` bits in bytes, the first in the lowest ones.
StreamPtr unpacked(StreamPtr bytes, unsigned bits);

/// Of `data`, [outer, size, inner] elements of `elementBytes`, the entries `indices`
/// of the middle dimension.
struct TakenEntries {
  int64_t size, inner, elementBytes;
  std::vector<int64_t> indices;
};
StreamPtr taken(StreamPtr data, TakenEntries entries);

} // namespace tessera::graph

#endif // TESSERA_DIALECTS_GRAPH_WEIGHTS_WEIGHTSTREAM_H
