// What the attention builder knows of its root.
#ifndef TESSERA_TARGET_CPU_ATTENTIONMATCHER_H
#define TESSERA_TARGET_CPU_ATTENTIONMATCHER_H

#include "dialects/Attention/IR/Attention.h"
#include "dialects/Kernel/IR/Kernel.h"

namespace tessera::cpu {

/// An attention.sdpa whose sizes the builder can use. `batch`, `queries` and
/// `keys` may be dynamic.
struct Attention {
  attention::SdpaOp root;
  int64_t batch = 0, keyHeads = 0, queries = 0, keys = 0;
  /// Query heads of one key head; elements of a query and of a value.
  int64_t group = 1, headDim = 0, valueDim = 0;
  /// Query i sees keys from i + offset - left to i + offset + right, where these
  /// are set: the window, or right = 0 for causal attention.
  std::optional<int64_t> left, right;

  /// Rows of one key head, group * queries; may be dynamic.
  int64_t rows() const {
    return mlir::ShapedType::isDynamic(queries) ? queries : group * queries;
  }
  /// Whether a score is more than a scaled product.
  bool changesScores() {
    return root.getSoftcap() || root.getBias() || root.getMask() || left;
  }
};

/// Finds the one attention of `kernel`. Fails with a diagnostic when there is none
/// or several, or it has a part that the builder lacks.
mlir::FailureOr<Attention> matchAttention(kernel::FuncOp kernel);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_ATTENTIONMATCHER_H
