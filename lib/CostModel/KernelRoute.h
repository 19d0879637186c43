// The ways from a kernel to code, as passes see them.
//
// A target registers its routes; a pass asks them which schedules a kernel could
// have, which of these its body fits and how long they would take, and never names a
// schedule's attribute or emits a kernel to find out:
//
//   for (const KernelRoute *route : routesOf(context, "cpu"))
//     for (auto schedule : route->candidates(kernel, machine, reason))
//       if (route->admits(kernel, schedule, reason))
//         … route->estimateSeconds(kernel, schedule, machine)
#ifndef TESSERA_LIB_COSTMODEL_KERNELROUTE_H
#define TESSERA_LIB_COSTMODEL_KERNELROUTE_H

#include "dialects/Interfaces/Contraction.h"
#include "dialects/Kernel/IR/Kernel.h"
#include "lib/CostModel/Machine.h"

#include <memory>
#include <optional>
#include <string>

namespace tessera {

/// A number that describes a kernel to a cost model: flops, bytes, rows …
struct Feature {
  llvm::StringRef name;
  double value;
};

/// How a product reads its right operand [depth, columns] the fastest:
/// [ceil(all columns / columns), ceil(depth / group), columns, group].
struct PanelLayout {
  /// Columns of a panel.
  int64_t columns;
  /// Neighbours of the contracted dimension that lie together.
  int64_t group = 1;
};

/// One way from kernels to code. Has no state: all is in the kernel, the schedule
/// and the machine.
class KernelRoute {
public:
  virtual ~KernelRoute();

  /// Whether `schedule` is one of this route's.
  virtual bool takes(kernel::ScheduleAttrInterface schedule) const = 0;

  /// Schedules for `kernel` on `machine`, the best one first. None where the kernel's
  /// root is not of the kind that the route is for, and where it is but has no
  /// schedule: `reason` then says why.
  virtual llvm::SmallVector<kernel::ScheduleAttrInterface>
  candidates(kernel::FuncOp kernel, const Machine &machine,
             std::string &reason) const = 0;

  /// Whether the route can emit `kernel` by `schedule`; `reason` says what stops it.
  /// What is admitted is emitted without an error.
  virtual bool admits(kernel::FuncOp kernel,
                      kernel::ScheduleAttrInterface schedule,
                      std::string &reason) const = 0;

  /// Seconds that one core, or a whole device, takes for `kernel` by `schedule`, at
  /// typical sizes.
  virtual double estimateSeconds(kernel::FuncOp kernel,
                                 kernel::ScheduleAttrInterface schedule,
                                 const Machine &machine) const = 0;

  /// What the estimate is made from.
  virtual llvm::SmallVector<Feature>
  features(kernel::FuncOp kernel, kernel::ScheduleAttrInterface schedule) const = 0;

  /// The panels that kernels of `product` read on `machine`, where the route has any:
  /// weights are stored so (kernel-pack-weights).
  virtual std::optional<PanelLayout>
  operandLayout(const Contraction &product, const Machine &machine) const {
    return std::nullopt;
  }

  /// Whether schedules and estimates depend on the module's machine, which is a CPU.
  virtual bool needsMachine() const { return true; }

  /// Whether kernels of this route read and write tensors at strides that only a run
  /// tells, as the caller's caches have.
  virtual bool readsStrides() const { return true; }
};

/// The routes of all targets that the program has, by the target's name.
class KernelRoutes : public mlir::DialectInterface::Base<KernelRoutes> {
public:
  MLIR_DEFINE_EXPLICIT_INTERNAL_INLINE_TYPE_ID(KernelRoutes)

  explicit KernelRoutes(mlir::Dialect *dialect) : Base(dialect) {}

  /// The routes of `target` in the kernel dialect's context, for a target to add
  /// its own to, from the most special to the one that takes every kernel, or most.
  static llvm::SmallVectorImpl<std::unique_ptr<KernelRoute>> &
  of(kernel::KernelDialect *dialect, llvm::StringRef target);

private:
  llvm::StringMap<llvm::SmallVector<std::unique_ptr<KernelRoute>>> routes;
};

/// The routes of `target`, from the most special to the one that takes every kernel, or
/// most; none where the program lacks the target.
llvm::SmallVector<const KernelRoute *> routesOf(mlir::MLIRContext *context,
                                                llvm::StringRef target);

/// The route of `target` that takes `schedule`, guarded or not; or null.
const KernelRoute *routeFor(llvm::StringRef target,
                            kernel::ScheduleAttrInterface schedule);

/// The first diagnostic of `check`, if it fails. What it says goes no further.
std::optional<std::string>
firstDiagnostic(mlir::MLIRContext *context,
                llvm::function_ref<mlir::LogicalResult()> check);

} // namespace tessera

#endif // TESSERA_LIB_COSTMODEL_KERNELROUTE_H
