// The choice of a contraction's register tile and tasks.
#include "lib/CostModel/ContractionSchedule.h"
#include "lib/CostModel/TileSchedule.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/Support/MathExtras.h"
#include "llvm/TargetParser/X86TargetParser.h"

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
/// What a task may allocate (the kernel ABI).
constexpr int64_t kScratchBytes = 64 << 10;
constexpr int64_t kMostRows = 14, kMostVectors = 6;

struct Tile {
  int64_t rows, vectors;
};

} // namespace

//===----------------------------------------------------------------------===//
// Multiply-accumulates
//===----------------------------------------------------------------------===//

bool tessera::hasFeature(const Machine &machine, StringRef feature) {
  SmallVector<StringRef> features;
  if (llvm::X86::parseArchX86(machine.cpu) != llvm::X86::CK_None)
    llvm::X86::getFeaturesForCPU(machine.cpu, features);
  return llvm::is_contained(features, feature);
}

/// Steps of full vectors, or tiles, in a cycle; 0: the machine has none.
static double stepsPerCycle(kernel::MultiplyAccumulate kind,
                            const Machine &machine) {
  switch (kind) {
  case kernel::MultiplyAccumulate::F32:
  case kernel::MultiplyAccumulate::BytesInF32:
    return machine.f32MacsPerCycle;
  case kernel::MultiplyAccumulate::Bf16Pairs:
    return hasFeature(machine, "avx512bf16") ? machine.bf16MacsPerCycle : 0;
  case kernel::MultiplyAccumulate::U8S8Quads:
    return hasFeature(machine, "avx512vnni") ||
                   (machine.lanes == 8 && hasFeature(machine, "avxvnni"))
               ? machine.int8MacsPerCycle
               : 0;
  case kernel::MultiplyAccumulate::Bf16Tiles:
  case kernel::MultiplyAccumulate::U8S8Tiles:
    return tileMacs(kind, machine) /
           (kTileSums * double(kernel::stepLengthOf(kind)));
  }
  llvm_unreachable("all multiply-accumulates have a rate");
}

std::optional<kernel::MultiplyAccumulate>
tessera::chooseMultiplyAccumulate(const Contraction &product,
                                  const Machine &machine) {
  using kernel::MultiplyAccumulate;
  // Steps of several elements are those of contracted dimensions of known size, of
  // operands that differ in what they have.
  bool isGrouped =
      !product.lhsIsVector && llvm::none_of(product.reduction, [&](unsigned i) {
        return ShapedType::isDynamic(product.loops[i].size);
      });
  if (isGrouped)
    if (auto tiles = chooseTiles(product, machine))
      return tiles;
  Type lhs = product.lhsType(), rhs = product.rhsType();
  if (product.sumType().isInteger(32)) {
    bool isSigned = product.rhsSignedness == Signedness::Signed;
    if (!lhs.isInteger(8) || !rhs.isInteger(8) || !isSigned)
      return std::nullopt;
    if (isGrouped && product.lhsSignedness == Signedness::Unsigned &&
        stepsPerCycle(MultiplyAccumulate::U8S8Quads, machine) > 0)
      return MultiplyAccumulate::U8S8Quads;
    return MultiplyAccumulate::BytesInF32;
  }
  auto isFloat = [](Type type) {
    return type.isF32() || type.isF16() || type.isBF16();
  };
  if (!product.sumType().isF32() || !isFloat(lhs) || !isFloat(rhs))
    return std::nullopt;
  // Pairs need their operands interleaved, which f32 does not.
  constexpr double kGain = 1.5;
  if (lhs.isBF16() && rhs.isBF16() && isGrouped &&
      stepsPerCycle(MultiplyAccumulate::Bf16Pairs, machine) * 2 >=
          kGain * machine.f32MacsPerCycle)
    return MultiplyAccumulate::Bf16Pairs;
  return MultiplyAccumulate::F32;
}

PanelLayout tessera::panelLayoutOf(kernel::MultiplyAccumulate accumulate) {
  switch (accumulate) {
  case kernel::MultiplyAccumulate::F32:
  case kernel::MultiplyAccumulate::BytesInF32:
    return {16, 1};
  case kernel::MultiplyAccumulate::Bf16Pairs:
  case kernel::MultiplyAccumulate::Bf16Tiles:
    return {32, 2};
  case kernel::MultiplyAccumulate::U8S8Quads:
  case kernel::MultiplyAccumulate::U8S8Tiles:
    return {32, 4};
  }
  llvm_unreachable("all multiply-accumulates have panels");
}

//===----------------------------------------------------------------------===//
// Registers
//===----------------------------------------------------------------------===//

int64_t tessera::tilesAtOnce(int64_t rows, int64_t vectors, int64_t lanes,
                             int64_t most) {
  // Two multiply-accumulates a cycle that take four.
  constexpr int64_t kSumsInFlight = 8;
  // The shorter side of the tile stays in registers, of the other one element.
  int64_t registers = lanes == 16 ? 31 : 15;
  auto fits = [&](int64_t tiles) {
    int64_t sums = rows * vectors * tiles;
    return sums + std::min(rows, vectors * tiles) + 1 <= registers;
  };
  int64_t tiles = 1;
  while (rows * vectors * tiles < kSumsInFlight && fits(tiles + 1) &&
         tiles + 1 <= most)
    ++tiles;
  return tiles;
}

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
/// vectors, of which `atOnce` tiles are computed together.
static double stepCycles(Tile tile, int64_t atOnce,
                         const ContractionShape &shape,
                         const Machine &machine) {
  double rows = tile.rows, vectors = tile.vectors;
  double rate = stepsPerCycle(shape.accumulate, machine);
  double macs = rows * vectors / rate;
  double loads = shape.isDepthwise ? vectors + rows * vectors : vectors + rows;
  double bytes = vectors * machine.lanes * shape.rhsElementBytes *
                 kernel::stepLengthOf(shape.accumulate);
  double supply = shape.isDepthwise
                      ? 0
                      : bytes / (kSupplyShare * machine.l2BytesPerCycle);
  double latency = double(machine.macLatency) / atOnce;
  return std::max({macs, latency, loads / kLoadsPerCycle, supply});
}

double tessera::estimateContractionCycles(const ContractionShape &shape,
                                          int64_t rows, int64_t vectors,
                                          const Machine &machine) {
  if (kernel::isTiled(shape.accumulate))
    return estimateTileCycles(shape, machine);
  // A tile starts with empty accumulators and ends with stores.
  int64_t steps =
      divideCeil(shape.depth, kernel::stepLengthOf(shape.accumulate));
  auto tileCycles = [&](int64_t tileRows, int64_t tileVectors, int64_t most) {
    double ends = 2 * machine.macLatency +
                  machine.storeCycles * tileRows * tileVectors;
    int64_t atOnce = tilesAtOnce(tileRows, tileVectors, machine.lanes, most);
    return ends + steps * stepCycles({tileRows, tileVectors}, atOnce, shape,
                                     machine);
  };
  int64_t columns = vectors * machine.lanes;
  int64_t fullColumns = shape.columns / columns;
  int64_t restVectors = divideCeil(shape.columns % columns, machine.lanes);
  auto rowCycles = [&](int64_t tileRows) {
    double cycles = fullColumns * tileCycles(tileRows, vectors, fullColumns);
    return restVectors ? cycles + tileCycles(tileRows, restVectors, 1) : cycles;
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

/// Bytes of a column whose elements lie in groups.
static int64_t groupedBytes(const ContractionShape &shape) {
  return alignTo(shape.depth, kernel::stepLengthOf(shape.accumulate)) *
         shape.rhsElementBytes;
}

/// Tiles that the registers, the panels and the L1 cache allow.
static SmallVector<Tile> possibleTiles(const ContractionShape &shape,
                                       const Machine &machine) {
  SmallVector<Tile> tiles;
  int64_t group = kernel::stepLengthOf(shape.accumulate);
  for (int64_t vectors = 1; vectors <= kMostVectors; ++vectors) {
    int64_t columns = vectors * machine.lanes;
    // Panels narrower than a tile are read side by side, wider ones in parts.
    if (shape.panelWidth && columns % shape.panelWidth &&
        shape.panelWidth % columns)
      continue;
    // A part of a panel's row wastes the rest of the cache line that holds it.
    if (columns < std::min(shape.panelWidth, shape.columns) &&
        columns * group * shape.rhsElementBytes % kCacheLine != 0)
      continue;
    // Groups that no recipe has packed are copied by each task.
    if (group > 1 && !shape.panelWidth && vectors > 1 &&
        columns * groupedBytes(shape) > kScratchBytes)
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
  // Broadcasts of groups are shared by all vectors.
  bool isGrouped = kernel::stepLengthOf(shape.accumulate) > 1;
  auto rank = [&](Tile tile) {
    return std::make_tuple(-crowding(tile), tile.rows,
                           isGrouped ? tile.vectors : 0);
  };
  std::optional<Tile> best;
  for (auto [tile, estimate] : llvm::zip(tiles, cycles)) {
    if (estimate > least * kEqual)
      continue;
    if (!best || rank(tile) > rank(*best))
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
  bool copies =
      kernel::stepLengthOf(shape.accumulate) > 1 && !shape.panelWidth;
  int64_t few = (copies ? 4 : 1) * kFewTiles * tile.rows;
  while (tasks() < wanted) {
    if (taskRows / 2 >= std::max(least, few))
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
      machine.prefetchPanels ? 16 : 0, shape.accumulate);
}

kernel::ContractionAttr
tessera::chooseContractionSchedule(MLIRContext *context,
                                   const ContractionShape &shape,
                                   const Machine &machine) {
  if (kernel::isTiled(shape.accumulate))
    return chooseTileSchedule(context, shape, machine);
  return scheduleWith(chooseTile(usualShape(shape), machine), context, shape,
                      machine);
}

SmallVector<kernel::ScheduleAttrInterface>
tessera::contractionCandidates(MLIRContext *context,
                               const ContractionShape &shape,
                               const Machine &machine) {
  if (kernel::isTiled(shape.accumulate))
    return {chooseContractionSchedule(context, shape, machine)};
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
