// The choice of attention's register tile and blocks for a machine.
//
// The estimate counts cycles of one row block against one block of keys:
//
//   products        rows * keys * (headDim + valueDim) / (lanes * MACs per cycle),
//                   more where loads are the bottleneck
//   exponentials    rows * keys / lanes, some cycles each
//   copies of keys  keys * headDim / lanes, and of values that are not read in place
//   rescaling       rows * valueDim / lanes, and some cycles of each row's softmax
//
// A task's scratch (queries, scores, results, one panel) is at most 64 KiB, so that
// longer row blocks, which spread the copies, leave shorter key blocks, which
// rescale more often.
#ifndef TESSERA_LIB_COSTMODEL_ATTENTIONSCHEDULE_H
#define TESSERA_LIB_COSTMODEL_ATTENTIONSCHEDULE_H

#include "dialects/Kernel/IR/Kernel.h"
#include "lib/CostModel/Machine.h"

namespace tessera {

/// Attention as the cost model sees it; sizes that vary have typical values.
struct AttentionShape {
  /// Batches times key heads.
  int64_t heads = 1;
  /// Rows of a key head (queries times query heads that read it), keys, and
  /// elements of a query and of a value.
  int64_t rows = 1, keys = 1, headDim = 1, valueDim = 1;
  /// Queries vary at run time: blocks must also suit many of them.
  bool rowsVary = false;
};

/// The schedule with the lowest estimate whose scratch fits a task, or nothing
/// where none fits because a head is too long. Depends on the shape and the
/// machine only, never on a number of threads.
std::optional<kernel::AttentionAttr>
chooseAttentionSchedule(mlir::MLIRContext *context, const AttentionShape &shape,
                        const Machine &machine);

/// Estimated cycles of one core for `shape` by tiles and blocks of `schedule`.
double estimateAttentionCycles(const AttentionShape &shape,
                               kernel::AttentionAttr schedule,
                               const Machine &machine);

/// Bytes of a task's scratch. `isShort`: in the form for few rows.
int64_t attentionScratchBytes(int64_t headDim, int64_t valueDim,
                              kernel::AttentionAttr schedule, bool isShort);

} // namespace tessera

#endif // TESSERA_LIB_COSTMODEL_ATTENTIONSCHEDULE_H
