// The choice of tasks for the tile unit; see the header.
#include "lib/CostModel/TileSchedule.h"

#include "llvm/Support/MathExtras.h"

using namespace mlir;
using namespace tessera;
using llvm::alignTo;
using llvm::divideCeil;

/// Fewer rows wait for the memory, whatever multiplies them.
static constexpr int64_t kFewestRows = 4;
/// Shallower products are mostly the filling of tiles and the storing of sums.
static constexpr int64_t kLeastDepth = 16;

double tessera::tileMacs(kernel::MultiplyAccumulate kind,
                         const Machine &machine) {
  bool isBfloat = kind == kernel::MultiplyAccumulate::Bf16Tiles;
  return hasFeature(machine, isBfloat ? "amx-bf16" : "amx-int8")
             ? (isBfloat ? machine.tileBf16Macs : machine.tileInt8Macs)
             : 0;
}

/// Whether tiles take less cycles for a row of `product` than vectors. Rows whose
/// elements are no whole steps are copied, tap by tap: of an image of three channels
/// that takes longer than the products.
static bool gains(kernel::MultiplyAccumulate kind, const Contraction &product,
                  const Machine &machine) {
  constexpr double kCopyCycles = 8;
  constexpr int64_t kManyColumns = 256, kCopiedBytes = 64;
  int64_t step = kernel::stepLengthOf(kind), depth = 1;
  for (unsigned loop : product.reduction)
    depth *= product.loops[loop].size;
  int64_t inner = product.loops[product.reduction.back()].size;
  int64_t columns = product.loops[product.column].size;
  if (ShapedType::isDynamic(columns))
    columns = kManyColumns;
  bool isBfloat = kind == kernel::MultiplyAccumulate::Bf16Tiles;
  int64_t runs = divideCeil(inner * (isBfloat ? 2 : 1), kCopiedBytes);
  double copies = inner % step ? double(depth) / inner * runs : 0;
  double tiles = kCopyCycles * copies +
                 double(divideCeil(depth, step)) * step *
                     alignTo(columns, kBlockEdge) / tileMacs(kind, machine);
  double rate = isBfloat ? machine.f32MacsPerCycle
                         : machine.int8MacsPerCycle *
                               kernel::groupLengthOf(kind);
  double vectors = double(depth) * alignTo(columns, machine.lanes) /
                   (rate * machine.lanes);
  return tiles < vectors;
}

std::optional<kernel::MultiplyAccumulate>
tessera::chooseTiles(const Contraction &product, const Machine &machine) {
  Type lhs = product.lhsType(), rhs = product.rhsType();
  std::optional<kernel::MultiplyAccumulate> kind;
  if (lhs.isBF16() && rhs.isBF16() && product.sumType().isF32())
    kind = kernel::MultiplyAccumulate::Bf16Tiles;
  if (lhs.isInteger(8) && rhs.isInteger(8) && product.sumType().isInteger(32) &&
      product.lhsSignedness == Signedness::Unsigned &&
      product.rhsSignedness == Signedness::Signed)
    kind = kernel::MultiplyAccumulate::U8S8Tiles;
  int64_t rows = product.loops[product.row].size, depth = 1;
  for (unsigned loop : product.reduction)
    depth *= product.loops[loop].size;
  bool areFew = !ShapedType::isDynamic(rows) && rows < kFewestRows;
  if (!kind || areFew || depth < kLeastDepth ||
      tileMacs(*kind, machine) <= 0 || !gains(*kind, product, machine))
    return std::nullopt;
  return kind;
}

kernel::MultiplyAccumulate
tessera::vectorsLike(kernel::MultiplyAccumulate tiles) {
  return tiles == kernel::MultiplyAccumulate::Bf16Tiles
             ? kernel::MultiplyAccumulate::Bf16Pairs
             : kernel::MultiplyAccumulate::U8S8Quads;
}

double tessera::estimateTileCycles(const ContractionShape &shape,
                                   const Machine &machine) {
  int64_t step = kernel::stepLengthOf(shape.accumulate);
  double steps = divideCeil(shape.depth, step);
  double panels = divideCeil(shape.columns, kBlockEdge);
  // Of at most 16 rows a block has one tile of rows.
  double rowTiles = divideCeil(shape.rows, kTileEdge);
  double blocks = divideCeil(shape.rows, kBlockEdge) * panels;
  double macs = rowTiles * panels * steps * 2 * kTileSums * step /
                tileMacs(shape.accumulate, machine);
  // What a panel leaves of the L1 cache decides where it is read from.
  constexpr double kNear = 0.9, kFar = 0.72;
  double panelBytes = steps * kTileEdge * kBlockEdge * 4;
  macs /= panelBytes <= machine.l1Bytes ? kNear : kFar;
  double memory = double(shape.columns) * shape.depth * shape.rhsElementBytes /
                  machine.l3GigabytesPerSecond * machine.gigahertz;
  // A filter is read once for all lines of an image.
  if (shape.isWindowed)
    memory /= std::max<int64_t>(shape.outer, 1);
  double ends = blocks * kBlockEdge * 2 * machine.storeCycles;
  return shape.outer * std::max(macs, memory) + shape.outer * ends;
}

kernel::ContractionAttr
tessera::chooseTileSchedule(MLIRContext *context, const ContractionShape &shape,
                            const Machine &machine) {
  // A task pays for the configuration of the tiles; 64 threads share the tasks.
  constexpr double kConfigurationShare = 0.01;
  constexpr double kEnoughTasks = 256;
  double cycles = estimateTileCycles(shape, machine);
  double wanted =
      std::clamp(cycles * kConfigurationShare / machine.tileTaskCycles, 1.0,
                 kEnoughTasks);
  int64_t rows = std::max<int64_t>(shape.rows, 1),
          lines = std::max<int64_t>(shape.outer, 1);
  int64_t panels =
      std::max<int64_t>(1, divideCeil(shape.columns, kBlockEdge));
  int64_t rowBytes = std::max<int64_t>(1, shape.depth * shape.rhsElementBytes);
  int64_t rowsNear = std::max<int64_t>(
      kBlockEdge, machine.l2Bytes / 2 / rowBytes / kBlockEdge * kBlockEdge);
  int64_t taskRows =
      rows > rowsNear && !shape.isWindowed ? rowsNear : rows * lines;
  int64_t taskPanels = panels;
  auto tasks = [&] {
    double rowTasks = taskRows < rows
                          ? lines * double(divideCeil(rows, taskRows))
                          : double(divideCeil(lines, taskRows / rows));
    return rowTasks * divideCeil(panels, taskPanels);
  };
  int64_t least = shape.isWindowed ? std::max(rows, kBlockEdge) : kBlockEdge;
  // Lines of an image are copied by each task that reads them: where the panels stay
  // in the cache, tasks have some lines and all panels.
  constexpr int64_t kFewLines = 2;
  bool cutsLines = shape.isWindowed &&
                   shape.columns * rowBytes <= machine.l2Bytes / 2;
  while (tasks() < wanted) {
    if (cutsLines && taskRows / 2 >= kFewLines * rows)
      taskRows = divideCeil(taskRows, 2);
    else if (taskPanels > 1)
      taskPanels = divideCeil(taskPanels, 2);
    else if (taskRows / 2 >= least)
      taskRows = divideCeil(taskRows, 2);
    else
      break;
  }
  taskPanels = divideCeil(panels, divideCeil(panels, taskPanels));
  taskRows = alignTo(std::max(taskRows, kBlockEdge), kBlockEdge);
  bool prefetches = machine.prefetchPanels && rows > kBlockEdge;
  return kernel::ContractionAttr::get(
      context, kBlockEdge, /*vectors=*/2, /*lanes=*/kTileEdge, taskRows,
      taskPanels, prefetches ? 1 : 0, shape.accumulate);
}
