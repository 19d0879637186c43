// The choice of a contraction's register tile and tasks.
#include "lib/CostModel/ContractionSchedule.h"

#include "llvm/Support/MathExtras.h"

#include <numeric>
#include <tuple>

using namespace mlir;
using namespace tessera;
using llvm::alignTo;
using llvm::divideCeil;

namespace {

/// Part of the L2 bandwidth that panels may use before they are a bottleneck.
constexpr double kSupplyShare = 0.4;
/// Vector loads per cycle of the cores we know.
constexpr double kLoadsPerCycle = 2;
constexpr int64_t kCacheLine = 64;
constexpr int64_t kMostRows = 14, kMostVectors = 6;

struct Tile {
  int64_t rows, vectors;
};

} // namespace

/// Registers that a tile needs: accumulators, a vector of each panel, one
/// element of the left operand. One register stays free for the compiler. A
/// depthwise tile holds a vector of the left operand for each accumulator, too,
/// for the taps of its overlapping windows.
static bool fitsRegisters(Tile tile, const ContractionShape &shape,
                          const Machine &machine) {
  int64_t sums = tile.rows * tile.vectors;
  return sums + tile.vectors + (shape.isDepthwise ? sums : 1) <=
         machine.vectorRegisters - 1;
}

/// Rows of the tile that compete for one set of the L1 cache.
static int64_t rowsPerSet(int64_t rows, const ContractionShape &shape,
                          const Machine &machine) {
  if (shape.rowStrideBytes == 0)
    return 1;
  int64_t period = std::max(machine.l1Bytes / machine.l1Ways, kCacheLine);
  int64_t step =
      std::max(kCacheLine, std::gcd(shape.rowStrideBytes, period));
  int64_t classes = std::max<int64_t>(1, period / step);
  return divideCeil(rows, classes);
}

/// Cycles of one step of the contracted dimension for `rows` rows and `vectors`
/// vectors.
static double stepCycles(int64_t rows, int64_t vectors,
                         const ContractionShape &shape,
                         const Machine &machine) {
  double macs = rows * vectors / machine.f32MacsPerCycle;
  double loads = shape.isDepthwise ? vectors + rows * vectors : vectors + rows;
  double bytes = vectors * machine.lanes * shape.rhsElementBytes;
  double supply = shape.isDepthwise
                      ? 0
                      : bytes / (kSupplyShare * machine.l2BytesPerCycle);
  // Short tiles take several column tiles at once until the sums in flight
  // cover the latency; what the registers do not allow is lost.
  int64_t wide = vectors;
  while (rows * wide < machine.f32MacsPerCycle * machine.macLatency &&
         fitsRegisters({rows, wide + vectors}, shape, machine))
    wide += vectors;
  double latency =
      double(machine.macLatency) * vectors / wide;
  return std::max({macs, latency, loads / kLoadsPerCycle, supply});
}

double tessera::estimateContractionCycles(const ContractionShape &shape,
                                          int64_t rows, int64_t vectors,
                                          const Machine &machine) {
  // A tile starts with empty accumulators and ends with stores.
  auto tileCycles = [&](int64_t tileRows, int64_t tileVectors) {
    double ends = 2 * machine.macLatency +
                  machine.storeCycles * tileRows * tileVectors;
    return ends + shape.depth * stepCycles(tileRows, tileVectors, shape,
                                           machine);
  };
  int64_t columns = vectors * machine.lanes;
  int64_t fullColumns = shape.columns / columns;
  int64_t restVectors = divideCeil(shape.columns % columns, machine.lanes);
  auto rowCycles = [&](int64_t tileRows) {
    double cycles = fullColumns * tileCycles(tileRows, vectors);
    return restVectors ? cycles + tileCycles(tileRows, restVectors) : cycles;
  };
  // Row tiles as the builder cuts them: the last two share their rows.
  int64_t full = shape.rows / rows, rest = shape.rows % rows;
  double cycles = 0;
  if (rest && full) {
    --full;
    rest += rows;
  }
  cycles += full * rowCycles(rows);
  if (rest > rows)
    cycles += rowCycles(divideCeil(rest, 2)) + rowCycles(rest / 2);
  else if (rest)
    cycles += rowCycles(rest);
  return cycles * shape.outer;
}

/// Tiles that the registers, the panels and the L1 cache allow.
static SmallVector<Tile> possibleTiles(const ContractionShape &shape,
                                       const Machine &machine) {
  SmallVector<Tile> tiles;
  for (int64_t vectors = 1; vectors <= kMostVectors; ++vectors) {
    int64_t columns = vectors * machine.lanes;
    // Panels narrower than a tile are read side by side, wider ones in parts.
    if (shape.panelWidth && columns % shape.panelWidth &&
        shape.panelWidth % columns)
      continue;
    // A part of a panel's row wastes the rest of the cache line that holds it.
    if (columns < std::min(shape.panelWidth, shape.columns))
      continue;
    for (int64_t rows = 1; rows <= kMostRows; ++rows)
      if (fitsRegisters({rows, vectors}, shape, machine) &&
          rowsPerSet(rows, shape, machine) <= machine.l1Ways)
        tiles.push_back({rows, vectors});
  }
  return tiles;
}

/// The tile of the lowest estimate. Estimates within one percent are equal; then
/// the rows that leave a quarter of each cache set free (the set test holds
/// exactly only when nothing else uses the cache), then the most rows, which
/// need the fewest panel bytes per product.
static Tile chooseTile(const ContractionShape &shape, const Machine &machine) {
  constexpr double kEqual = 1.01;
  SmallVector<Tile> tiles = possibleTiles(shape, machine);
  SmallVector<double> cycles;
  for (Tile tile : tiles)
    cycles.push_back(
        estimateContractionCycles(shape, tile.rows, tile.vectors, machine));
  double least = *llvm::min_element(cycles);
  auto crowding = [&](Tile tile) {
    return std::max<int64_t>(0, rowsPerSet(tile.rows, shape, machine) -
                                    machine.l1Ways * 3 / 4);
  };
  std::optional<Tile> best;
  for (auto [tile, estimate] : llvm::zip(tiles, cycles)) {
    if (estimate > least * kEqual)
      continue;
    if (!best || std::make_pair(-crowding(tile), tile.rows) >
                     std::make_pair(-crowding(*best), best->rows))
      best = tile;
  }
  return *best;
}

/// The shape that a tile is chosen for: it must suit many rows too.
static ContractionShape usualShape(const ContractionShape &shape) {
  ContractionShape usual = shape;
  if (shape.rowsVary)
    usual.rows = std::max<int64_t>(shape.rows, 4 * kMostRows);
  return usual;
}

/// The schedule with `tile`, and with the tasks that suit it.
static kernel::ContractionAttr scheduleWith(Tile tile, MLIRContext *context,
                                            const ContractionShape &shape,
                                            const Machine &machine) {
  // Enough cycles to pay for handing a task out, and enough tasks to balance
  // the threads of the largest machine we plan for. Batches may be smaller than
  // the typical one: no task is much longer than what hides its own cost.
  constexpr double kTaskCycles = 50e3;
  constexpr double kMostTaskCycles = 400e3;
  constexpr double kEnoughTasks = 256;
  double cycles =
      estimateContractionCycles(shape, tile.rows, tile.vectors, machine);
  auto wanted = static_cast<int64_t>(
      std::max(std::clamp(cycles / kTaskCycles, 1.0, kEnoughTasks),
               cycles / kMostTaskCycles));

  int64_t columns = tile.vectors * machine.lanes;
  int64_t columnTiles = std::max<int64_t>(1, divideCeil(shape.columns, columns));
  // The panels of a task stay in half of the L2 cache while rows pass.
  int64_t panelBytes = shape.depth * columns * shape.rhsElementBytes;
  int64_t taskPanels = std::clamp<int64_t>(
      machine.l2Bytes / 2 / std::max<int64_t>(1, panelBytes), 1, columnTiles);
  int64_t rows = std::max<int64_t>(shape.rows, 1);
  int64_t lines = std::max<int64_t>(shape.outer, 1);
  int64_t least = shape.isWindowed ? rows : 1;
  int64_t taskRows = rows * lines;
  auto tasks = [&]() -> int64_t {
    int64_t rowTasks = taskRows < rows
                           ? lines * int64_t(divideCeil(rows, taskRows))
                           : int64_t(divideCeil(lines, taskRows / rows));
    return rowTasks * divideCeil(columnTiles, taskPanels);
  };
  // Rows first: a task with many panels reads its rows once. Below some tiles
  // of rows the panels are read too often.
  constexpr int64_t kFewTiles = 8;
  while (tasks() < wanted) {
    if (taskRows / 2 >= std::max(least, kFewTiles * tile.rows))
      taskRows = divideCeil(taskRows, 2);
    else if (taskPanels > 1)
      taskPanels = divideCeil(taskPanels, 2);
    else if (taskRows / 2 >= std::max(least, tile.rows))
      taskRows = divideCeil(taskRows, 2);
    else
      break;
  }
  // Equal shares; and run-time sizes may be larger than typical ones.
  taskPanels = divideCeil(columnTiles, divideCeil(columnTiles, taskPanels));
  taskRows = alignTo(std::max(taskRows, tile.rows), tile.rows);
  if (rows <= tile.rows && lines == 1)
    taskRows = kFewTiles * tile.rows;
  return kernel::ContractionAttr::get(
      context, tile.rows, tile.vectors, machine.lanes, taskRows, taskPanels,
      /*depth=*/0, machine.prefetchPanels ? 16 : 0);
}

kernel::ContractionAttr
tessera::chooseContractionSchedule(MLIRContext *context,
                                   const ContractionShape &shape,
                                   const Machine &machine) {
  return scheduleWith(chooseTile(usualShape(shape), machine), context, shape,
                      machine);
}

SmallVector<kernel::ScheduleAttrInterface>
tessera::contractionCandidates(MLIRContext *context,
                               const ContractionShape &shape,
                               const Machine &machine) {
  ContractionShape usual = usualShape(shape);
  SmallVector<Tile> tiles = possibleTiles(usual, machine);
  auto key = [&](Tile tile) {
    return std::make_tuple(
        estimateContractionCycles(usual, tile.rows, tile.vectors, machine),
        tile.rows, tile.vectors);
  };
  llvm::sort(tiles, [&](Tile a, Tile b) { return key(a) < key(b); });
  SmallVector<kernel::ScheduleAttrInterface> schedules = {
      chooseContractionSchedule(context, shape, machine)};
  for (Tile tile : tiles)
    if (auto schedule = scheduleWith(tile, context, shape, machine);
        schedule != schedules.front())
      schedules.push_back(schedule);
  return schedules;
}
