// Softmax in the forms that exporters write it, with what guards it.
#ifndef TESSERA_LIB_TRANSFORMS_GRAPH_RAISEATTENTIONSOFTMAX_H
#define TESSERA_LIB_TRANSFORMS_GRAPH_RAISEATTENTIONSOFTMAX_H

#include "mlir/IR/Value.h"
#include "llvm/ADT/SetVector.h"

#include <optional>

namespace tessera {

/// A softmax of `input` along `dimension`, whose result is `result`.
struct SoftmaxMatch {
  mlir::Value input, result;
  int64_t dimension;
};

/// Whether `result` is a softmax: `linalg.softmax`, or exponentials (of what is
/// left after the rows' maximum is subtracted, or plain) over their rows' sums.
/// `path` receives its operations.
std::optional<SoftmaxMatch>
matchSoftmax(mlir::Value result, llvm::SetVector<mlir::Operation *> &path);

/// If `value` is `guarded` where that is a number and 0 where it is NaN:
/// `guarded`, else null. `path` receives the operations.
///
///   %n = arith.cmpf uno, %p, %p
///   %v = arith.select %n, 0, %p
mlir::Value matchNanGuard(mlir::Value value,
                          llvm::SetVector<mlir::Operation *> &path);

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_GRAPH_RAISEATTENTIONSOFTMAX_H
