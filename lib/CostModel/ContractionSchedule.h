// The choice of a contraction's register tile and tasks for a machine.
//
// The estimate counts cycles of the inner loop. A step of the contracted dimension
// with a tile of MR rows and NV vectors takes
//
//   max(MR * NV / MACs per cycle, latency bound, loads / 2, panel bytes / supply)
//
// where supply is 40 % of what the L2 cache delivers, because panels stream from
// it while the rows of the tile stay in the L1 cache. They stay there only if the
// rows do not compete for the same sets: rows at a stride of a multiple of size /
// ways share one set, and `ways` of them fill it.
#ifndef TESSERA_LIB_COSTMODEL_CONTRACTIONSCHEDULE_H
#define TESSERA_LIB_COSTMODEL_CONTRACTIONSCHEDULE_H

#include "dialects/Interfaces/Contraction.h"
#include "dialects/Kernel/IR/Kernel.h"
#include "lib/CostModel/KernelRoute.h"
#include "lib/CostModel/Machine.h"

#include <optional>

namespace tessera {

/// A contraction as the cost model sees it; sizes that vary have typical values.
struct ContractionShape {
  /// Product of the sizes of batches, groups and outer spatial dimensions.
  int64_t outer = 1;
  /// Rows (neighbouring pixels of a convolution), columns, and elements of the
  /// contracted dimensions (taps times channels).
  int64_t rows = 1, columns = 1, depth = 1;
  /// Bytes from a row's element to the next row's; 0: not known.
  int64_t rowStrideBytes = 0;
  /// Columns of a packed panel of the right operand; 0: not packed.
  int64_t panelWidth = 0;
  int64_t rhsElementBytes = 4;
  /// Rows vary at run time: the tile must also suit many of them.
  bool rowsVary = false;
  /// Windows over the rows reach into padding: a task takes whole rows.
  bool isWindowed = false;
  /// Depthwise: both operands vary along the columns.
  bool isDepthwise = false;
  kernel::MultiplyAccumulate accumulate = kernel::MultiplyAccumulate::F32;
};

/// Whether LLVM's CPU of `machine` has `feature`.
bool hasFeature(const Machine &machine, llvm::StringRef feature);

/// The multiply-accumulate for `product` that is the fastest on `machine`, or
/// nothing where it has none for the types.
std::optional<kernel::MultiplyAccumulate>
chooseMultiplyAccumulate(const Contraction &product, const Machine &machine);

/// The panels that `accumulate` reads: a row of them is one cache line of f32, and two
/// of pairs and quads, which tile loads take 16 of at a stride of 128 bytes.
PanelLayout panelLayoutOf(kernel::MultiplyAccumulate accumulate);

/// How many column tiles a tile of `rows` rows and `vectors` vectors takes at once,
/// at most `most`: a short tile must have enough sums in flight to cover the latency
/// of the multiply-add, within the registers. The rule of estimate and builder.
int64_t tilesAtOnce(int64_t rows, int64_t vectors, int64_t lanes, int64_t most);

/// The register tile with the lowest estimate, and tasks large enough to pay for
/// handing them out and small enough for 2 to 64 threads. Depends on the shape
/// and the machine only, never on a number of threads. Rows, vectors and task
/// sizes are within what the builder takes.
kernel::ContractionAttr
chooseContractionSchedule(mlir::MLIRContext *context,
                          const ContractionShape &shape,
                          const Machine &machine);

/// What chooseContractionSchedule gives, then a schedule for every other tile that
/// the registers, the panels and the L1 cache allow, by its estimate.
llvm::SmallVector<kernel::ScheduleAttrInterface>
contractionCandidates(mlir::MLIRContext *context, const ContractionShape &shape,
                      const Machine &machine);

/// Estimated cycles of one core for `shape` with tiles of `rows` x `vectors`
/// vectors of `machine.lanes`.
double estimateContractionCycles(const ContractionShape &shape, int64_t rows,
                                 int64_t vectors, const Machine &machine);

} // namespace tessera

#endif // TESSERA_LIB_COSTMODEL_CONTRACTIONSCHEDULE_H
