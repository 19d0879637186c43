// The choice of vectors and tasks for kernels of rows.
#ifndef TESSERA_LIB_COSTMODEL_ROWSCHEDULE_H
#define TESSERA_LIB_COSTMODEL_ROWSCHEDULE_H

#include "dialects/Kernel/IR/Kernel.h"
#include "lib/CostModel/Machine.h"

namespace tessera {

/// The machine's lanes, four vectors at a time, and tasks that run for about
/// 8 microseconds: handing a task out costs up to one, so that what runs for
/// less stays serial. An element takes the longer of its arithmetic and its
/// bytes, at the rate of the third level of cache.
kernel::RowsAttr chooseRowSchedule(kernel::FuncOp kernel,
                                   const Machine &machine);

/// Work of one element of the iteration space.
struct RowWork {
  /// Bytes of the tensors of the highest rank; cycles with vectors of `lanes`.
  double bytes = 0, cycles = 0;
};
RowWork rowWorkOf(kernel::FuncOp kernel, int64_t lanes);

/// Elements of the largest tensor of the kernel's body, at typical sizes.
double iterationSpaceOf(kernel::FuncOp kernel);

/// Iterations of the innermost loops of all operations of the kernel's body, at
/// typical sizes.
double loopIterationsOf(kernel::FuncOp kernel);

/// Estimated seconds for one element of the kernel's iteration space, on one
/// core.
double estimateRowSeconds(kernel::FuncOp kernel, const Machine &machine);

} // namespace tessera

#endif // TESSERA_LIB_COSTMODEL_ROWSCHEDULE_H
