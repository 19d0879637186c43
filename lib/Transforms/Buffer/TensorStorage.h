// The memrefs of an entry's tensors, once these have places.
#ifndef TESSERA_LIB_TRANSFORMS_BUFFER_TENSORSTORAGE_H
#define TESSERA_LIB_TRANSFORMS_BUFFER_TENSORSTORAGE_H

#include "lib/Transforms/Buffer/EntryPorts.h"
#include "lib/Transforms/Buffer/TensorLives.h"

namespace tessera {

class TensorStorage {
public:
  TensorStorage(graph::SizeAnalysis &sizes, EntrySizes &entrySizes,
                const EntryPorts &ports, const TensorLives &lives)
      : sizes(sizes), entrySizes(entrySizes), ports(ports), lives(lives) {}

  /// Gives `tensor`, and all that have its bytes, a place. Returns whether it had none.
  bool setPlace(mlir::Value tensor, Place place) {
    return places.try_emplace(lives.placeOf(tensor), place).second;
  }

  /// Of `tensor` or of what has its bytes; null if it has none.
  const Place *placeOf(mlir::Value tensor) const {
    auto it = places.find(lives.placeOf(tensor));
    return it == places.end() ? nullptr : &it->second;
  }

  /// The memref of `tensor`, made before `builder`'s insertion point. `context`: the
  /// context pointer. Fails with a diagnostic at `loc` where it has no place, where
  /// its sizes depend on data, and where what has the caller's strides is reshaped
  /// otherwise than by splitting or joining dimensions.
  mlir::FailureOr<mlir::Value> create(mlir::OpBuilder &builder, mlir::Location loc,
                                      mlir::Value context, mlir::Value tensor) const;

private:
  mlir::FailureOr<llvm::SmallVector<mlir::Value>>
  dynamicSizes(mlir::OpBuilder &builder, mlir::Location loc,
               mlir::Value tensor) const;
  /// The memref of `view`, a reshape of what has the caller's strides.
  mlir::FailureOr<mlir::Value> stridedView(mlir::OpBuilder &builder,
                                           mlir::Location loc, mlir::Value context,
                                           mlir::Operation *view) const;
  /// The part of an append's storage that its operand `part` is.
  mlir::FailureOr<mlir::Value> partOf(mlir::OpBuilder &builder, mlir::Location loc,
                                      mlir::Value context,
                                      mlir::Value part) const;

  graph::SizeAnalysis &sizes;
  EntrySizes &entrySizes;
  const EntryPorts &ports;
  const TensorLives &lives;
  llvm::DenseMap<mlir::Value, Place> places;
};

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_BUFFER_TENSORSTORAGE_H
