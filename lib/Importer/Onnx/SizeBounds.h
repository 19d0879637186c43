/// What the ranges of named sizes say about an expression.
#ifndef TESSERA_IMPORTER_ONNX_SIZEBOUNDS_H
#define TESSERA_IMPORTER_ONNX_SIZEBOUNDS_H

#include "lib/Importer/Onnx/NodeContext.h"

#include <optional>

namespace tessera::onnx_importer {

/// Bounds of a size, inclusive; an absent one is not known.
struct SizeBounds {
  std::optional<int64_t> least, most;
};

/// Bounds of `size` by the ranges of the `graph.symbol`s in it: interval
/// arithmetic, without regard to a symbol that occurs twice. With seq in
/// [1, 512]:  2 * seq + 3  is in [5, 1027].
SizeBounds boundsOf(NodeContext &node, mlir::AffineExpr size);

/// Whether `a` <= `b` is known, by the bounds of their difference.
bool isAtMost(NodeContext &node, mlir::AffineExpr a, mlir::AffineExpr b);

} // namespace tessera::onnx_importer

#endif
