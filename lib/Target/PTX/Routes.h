// The routes of the PTX target, whose device is an sm_90a: what takes a kernel, and
// what emits it.
#ifndef TESSERA_TARGET_PTX_ROUTES_H
#define TESSERA_TARGET_PTX_ROUTES_H

#include "lib/CostModel/KernelRoute.h"

namespace tessera::ptx {

/// The target's name in the registry of routes.
inline constexpr llvm::StringLiteral kTarget = "ptx";

/// What one H100 was measured to do, with all of its processors.
inline constexpr double kFlopsPerSecond = 700e12; // products of f16 and bf16
inline constexpr double kBytesPerSecond = 2.7e12;
inline constexpr int64_t kProcessors = 132;

class PtxRoute : public KernelRoute {
public:
  bool needsMachine() const override { return false; }

  /// Builds `kernel` by `schedule` as a function of the gpu.module that `builder`
  /// points into. Fails with a diagnostic, of a schedule that the route does not
  /// admit.
  virtual mlir::LogicalResult
  emit(mlir::OpBuilder &builder, kernel::FuncOp kernel,
       kernel::ScheduleAttrInterface schedule) const = 0;
};

// WarpgroupRoute.cpp: matrix products of f16 and bf16.
std::unique_ptr<PtxRoute> createWarpgroupRoute();
// ElementwiseRoute.cpp: what computes each element on its own.
std::unique_ptr<PtxRoute> createElementwiseRoute();

/// Bytes of all tensor arguments of `kernel` at typical sizes.
double argumentBytes(kernel::FuncOp kernel);

/// Adds the target's routes to the kernel dialect of contexts made from `registry`.
void registerRoutes(mlir::DialectRegistry &registry);

} // namespace tessera::ptx

#endif // TESSERA_TARGET_PTX_ROUTES_H
