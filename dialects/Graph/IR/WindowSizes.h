// Sizes after windows, of tensors whose sizes are not known.
#ifndef TESSERA_DIALECTS_GRAPH_IR_WINDOWSIZES_H
#define TESSERA_DIALECTS_GRAPH_IR_WINDOWSIZES_H

#include "mlir/IR/AffineExpr.h"

namespace tessera::graph {

struct WindowSteps;

/// As windowOutputSize() of Graph.h for a `size` that is an expression, at least
/// as large as the window less its padding.
mlir::AffineExpr windowOutputSize(mlir::AffineExpr size,
                                  const WindowSteps &window);

} // namespace tessera::graph

#endif // TESSERA_DIALECTS_GRAPH_IR_WINDOWSIZES_H
