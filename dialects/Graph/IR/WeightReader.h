// A weight on its way through its recipe: what a step is applied to.
#ifndef TESSERA_DIALECTS_GRAPH_IR_WEIGHTREADER_H
#define TESSERA_DIALECTS_GRAPH_IR_WEIGHTREADER_H

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Graph/Weights/WeightStream.h"

namespace tessera::graph {

/// Writes all `count` elements of a stream, `elementBytes` each, to where they can be
/// read in any order: a temporary file or memory.
using StoreElements = std::function<llvm::Expected<WeightSource>(
    WeightStream &stream, int64_t count, int64_t elementBytes)>;

/// Keeps them in memory: for weights that are known to be small.
llvm::Expected<WeightSource> storeInMemory(WeightStream &stream, int64_t count,
                                           int64_t elementBytes);

/// The elements of a part. Reading takes memory for a few blocks of elements; a
/// source that is read in another order is mapped.
class WeightReader {
public:
  /// Opens what `part`, which is valid, is made of. `store` must outlive the reader.
  static llvm::Expected<WeightReader> open(PartAttr part,
                                           const StoreElements &store);

  mlir::RankedTensorType type() const { return elementsType; }
  int64_t elementBytes() const {
    return elementBytesOf(elementsType.getElementType());
  }

  /// Elements [begin, begin + count) in row-major order.
  llvm::Error read(int64_t begin, int64_t count, char *target) {
    return stream->read(begin, count, target);
  }

  /// For the methods `apply` of steps; each gives elements of `type`.

  /// The elements in another order. They are stored first if that is no view of the
  /// sources.
  llvm::Error mapIndices(mlir::RankedTensorType type, ViewStep step);
  /// The same elements in row-major order.
  llvm::Error reshape(mlir::RankedTensorType type);
  /// `work` on the elements and those of `others`; these are operand number
  /// `position`.
  void compute(mlir::RankedTensorType type, const ElementwiseWork &work,
               std::vector<StreamPtr> others, unsigned position);
  /// What `make` makes of the elements.
  void replace(mlir::RankedTensorType type,
               llvm::function_ref<StreamPtr(StreamPtr)> make);
  /// The elements of `part`, a stream of its own.
  llvm::Expected<StreamPtr> openOperand(PartAttr part) const;

private:
  WeightReader(StreamPtr stream, mlir::RankedTensorType type,
               const StoreElements &store)
      : stream(std::move(stream)), elementsType(type), store(&store) {}

  static StreamPtr openParts(ConcatAttr concat, int64_t elementBytes,
                             const StoreElements &store);

  StreamPtr stream;
  mlir::RankedTensorType elementsType;
  const StoreElements *store;
};

/// All elements of `part`, if they are at most `mostBytes`; fails if its bytes cannot be
/// read.
llvm::Expected<mlir::DenseElementsAttr> elementsOf(PartAttr part,
                                                   int64_t mostBytes);

} // namespace tessera::graph

#endif // TESSERA_DIALECTS_GRAPH_IR_WEIGHTREADER_H
