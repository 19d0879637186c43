// The contraction at the root of a kernel, checked before anything is emitted.
#ifndef TESSERA_TARGET_CPU_CONTRACTIONMATCHER_H
#define TESSERA_TARGET_CPU_CONTRACTIONMATCHER_H

#include "dialects/Interfaces/Contraction.h"
#include "dialects/Kernel/IR/Kernel.h"

namespace tessera::cpu {

/// Why `product` cannot be built by `schedule`; empty: it can.
std::string refusalOfContraction(const Contraction &product,
                                 kernel::ContractionAttr schedule);

/// Finds the one contraction or convolution of `kernel`. Fails with a diagnostic
/// when there is none or several, or it has no form that the builder knows, or
/// none that the schedule's multiply-accumulate takes.
mlir::FailureOr<Contraction> matchContraction(kernel::FuncOp kernel,
                                              kernel::ContractionAttr schedule);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_CONTRACTIONMATCHER_H
