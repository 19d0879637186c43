// Operations that take elements from a tensor as they are: views, slices,
// transposes, broadcasts, gathers.
#ifndef TESSERA_DIALECTS_INTERFACES_MOVEMENT_H
#define TESSERA_DIALECTS_INTERFACES_MOVEMENT_H

#include "mlir/IR/OpDefinition.h"

namespace mlir {
class DialectRegistry;
} // namespace mlir

// Passes that are built elsewhere link these (docs/extending.md), whatever the
// visibility that this file is compiled with.
#pragma GCC visibility push(default)
namespace tessera {

/// How the elements of a result are those of the source, in the order of what it
/// costs to have them.
enum class Movement {
  /// All of them in the same row-major order: another shape of the same dense bytes.
  ///   tensor.expand_shape, collapse_shape, cast, graph.reshape
  View,
  /// Some of them, a constant distance apart along each dimension: the same memory
  /// with another offset, sizes and strides.
  ///   tensor.extract_slice
  Slice,
  /// At indices that are arithmetic of the result's: code that reads them there, or
  /// a copy.
  ///   linalg.transpose, broadcast, unpack; graph.broadcast_to, reverse
  IndexMap,
  /// At indices that are read from another tensor.
  ///   graph.gather, gather_points
  Gather
};

} // namespace tessera

#include "dialects/Interfaces/Movement.h.inc"

namespace tessera {

/// How `op` moves elements; nothing for null and for what computes any.
std::optional<Movement> movementOf(mlir::Operation *op);

/// Whether `op` is another view of stored bytes, which needs no code: a reshape.
inline bool isView(mlir::Operation *op) {
  return movementOf(op) == Movement::View;
}

/// Whether the result of `op` is memory of its source: views and slices.
inline bool isPartOfSource(mlir::Operation *op) {
  std::optional<Movement> movement = movementOf(op);
  return movement && *movement <= Movement::Slice;
}

/// Whether `op` only maps indices: all movements but those that read their indices.
inline bool isIndexMap(mlir::Operation *op) {
  std::optional<Movement> movement = movementOf(op);
  return movement && *movement <= Movement::IndexMap;
}

/// What the view `op` is a view of; null for everything else.
mlir::Value viewSource(mlir::Operation *op);

/// Gives the operations of tensor and linalg the interface.
void registerMovements(mlir::DialectRegistry &registry);

} // namespace tessera
#pragma GCC visibility pop

#endif // TESSERA_DIALECTS_INTERFACES_MOVEMENT_H
