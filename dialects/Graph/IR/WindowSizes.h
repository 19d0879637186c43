// Sizes after windows, of tensors whose sizes are not known.
#ifndef TESSERA_DIALECTS_GRAPH_IR_WINDOWSIZES_H
#define TESSERA_DIALECTS_GRAPH_IR_WINDOWSIZES_H

#include "mlir/IR/AffineExpr.h"

namespace tessera::graph {

/// As windowOutputSize() of Graph.h for a `size` that is an expression, at least
/// as large as the window less its padding.
mlir::AffineExpr windowOutputSize(mlir::AffineExpr size, int64_t kernel,
                                  int64_t stride, int64_t dilation,
                                  int64_t padLow, int64_t padHigh,
                                  bool ceilMode = false);

} // namespace tessera::graph

#endif // TESSERA_DIALECTS_GRAPH_IR_WINDOWSIZES_H
