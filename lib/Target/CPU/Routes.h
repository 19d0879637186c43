// The routes of the CPU target: what takes a kernel, and what emits it.
#ifndef TESSERA_TARGET_CPU_ROUTES_H
#define TESSERA_TARGET_CPU_ROUTES_H

#include "lib/CostModel/KernelRoute.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tessera::cpu {

/// The target's name in the registry of routes.
inline constexpr llvm::StringLiteral kTarget = "cpu";

class CpuRoute : public KernelRoute {
public:
  /// Emits the body of `kernel` by `schedule` into `function`, before its return. The
  /// arguments are the context pointer, a memref for each tensor and the sizes. May
  /// change the kernel's body. Fails with a diagnostic, of a schedule that the route
  /// does not admit.
  virtual mlir::LogicalResult emit(kernel::FuncOp kernel,
                                   kernel::ScheduleAttrInterface schedule,
                                   mlir::func::FuncOp function) const = 0;
};

// Contraction/ContractionRoute.cpp: matrix products and convolutions.
std::unique_ptr<CpuRoute> createContractionRoute();
// Attention/AttentionRoute.cpp
std::unique_ptr<CpuRoute> createAttentionRoute();
// Rows/RowRoute.cpp: elementwise work, reductions, pooling, data movement.
std::unique_ptr<CpuRoute> createRowRoute();
// Generic/GenericRoute.cpp: all kernels.
std::unique_ptr<CpuRoute> createGenericRoute();

/// Adds the target's routes to the kernel dialect of contexts made from `registry`.
void registerRoutes(mlir::DialectRegistry &registry);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_ROUTES_H
