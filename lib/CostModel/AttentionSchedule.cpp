// The choice of attention's register tile and blocks.
#include "lib/CostModel/AttentionSchedule.h"

#include "llvm/Support/MathExtras.h"

#include <cmath>

using namespace mlir;
using namespace tessera;
using llvm::alignTo;
using llvm::divideCeil;

namespace {

/// What a task may allocate (the kernel ABI).
constexpr int64_t kScratchBytes = 64 << 10;
constexpr double kLoadsPerCycle = 2;
constexpr int64_t kMostRows = 14, kMostVectors = 4;
/// Cycles of a vector of exponentials: load, polynomial, store, and the pass that
/// finds the maximum.
constexpr double kExponentialCycles = 9;
/// Cycles of a row's softmax besides its vectors: two reductions of lanes, one
/// exponential.
constexpr double kRowCycles = 60;
/// Cycles of a vector of keys that is transposed into a panel, and of one that
/// is rescaled.
constexpr double kTransposeCycles = 6, kRescaleCycles = 2;

/// What the search varies.
struct Blocks {
  int64_t rows, vectors, queries, keys;
};

/// The form for few rows.
struct ShortBlocks {
  int64_t rows, keys;
};

} // namespace

/// `panelColumns`: columns of the panel, 0 without one.
static int64_t scratchBytes(int64_t headDim, int64_t valueDim, int64_t lanes,
                            int64_t rows, int64_t keys, int64_t panelColumns) {
  // Maximum, sum and shrinkage of each row.
  constexpr int64_t kRowValues = 3;
  int64_t elements = rows * (int64_t(alignTo(headDim, lanes)) + keys +
                             int64_t(alignTo(valueDim, lanes)) + kRowValues);
  elements += std::max(headDim, keys) * panelColumns;
  return elements * 4;
}

int64_t tessera::attentionScratchBytes(int64_t headDim, int64_t valueDim,
                                       kernel::AttentionAttr schedule,
                                       bool isShort) {
  int64_t lanes = schedule.getLanes();
  if (isShort)
    return scratchBytes(headDim, valueDim, lanes, schedule.getShortRows(),
                        schedule.getShortKeyBlock(), 0);
  return scratchBytes(headDim, valueDim, lanes, schedule.getQueryBlock(),
                      schedule.getKeyBlock(), schedule.getVectors() * lanes);
}

static double estimateCycles(const AttentionShape &shape, const Blocks &by,
                             const Machine &machine) {
  double rows = by.rows, vectors = by.vectors, lanes = machine.lanes;
  // One step of a tile's sum. As many sums as the latency covers leave no slack
  // for loads: such tiles measured 3 to 4 % slower.
  double latency = machine.macLatency + 1;
  double step = std::max({rows * vectors / machine.f32MacsPerCycle, latency,
                          (rows + vectors) / kLoadsPerCycle});
  double cyclesOfProduct = step / (rows * vectors * lanes);

  double blocks =
      std::max<double>(1, divideCeil(shape.rows, by.queries));
  double blockRows = double(shape.rows) / blocks;
  double keyBlocks = std::max<double>(1, divideCeil(shape.keys, by.keys));
  double keys = std::max<int64_t>(shape.keys, 1);
  double columns = vectors * lanes;
  // What does not fill a tile is computed all the same, or by lower tiles.
  double filledKeys = divideCeil(shape.keys, int64_t(columns)) * columns;
  double tiles = divideCeil(int64_t(std::ceil(blockRows)), by.rows);
  double filledRows = (blockRows + tiles * rows) / 2;

  double products = cyclesOfProduct * filledRows *
                    (filledKeys * shape.headDim + keys * shape.valueDim);
  // Every tile begins and ends with its sums.
  double ends = tiles * keyBlocks *
                (by.keys / columns + shape.valueDim / columns) *
                rows * vectors * (1 + machine.storeCycles);
  double exponentials = blockRows * keys / lanes * kExponentialCycles;
  double copies = keys * shape.headDim / lanes * kTransposeCycles;
  double rescaling = keyBlocks * blockRows *
                     (kRowCycles + shape.valueDim / lanes * kRescaleCycles);
  // Scores and values of a tile stay in the L1 cache.
  double tileBytes = (rows + columns) * by.keys * 4;
  double penalty = tileBytes > machine.l1Bytes ? 1.05 : 1.0;
  return shape.heads * blocks *
         (products * penalty + ends + exponentials + copies + rescaling);
}

double tessera::estimateAttentionCycles(const AttentionShape &shape,
                                        kernel::AttentionAttr schedule,
                                        const Machine &machine) {
  return estimateCycles(shape,
                        {schedule.getRows(), schedule.getVectors(),
                         schedule.getQueryBlock(), schedule.getKeyBlock()},
                        machine);
}

/// The keys and values of a block fit half of the L2 cache, its scores the
/// scratch.
static ShortBlocks chooseShort(const AttentionShape &shape,
                                               const Machine &machine) {
  constexpr int64_t kShortRows = 8;
  int64_t keyBytes = 4 * (shape.headDim + shape.valueDim);
  int64_t held = machine.l2Bytes / 2 / std::max<int64_t>(keyBytes, 1);
  int64_t rowBytes = 4 * (alignTo(shape.headDim, machine.lanes) +
                          alignTo(shape.valueDim, machine.lanes) + 3);
  int64_t fits = (kScratchBytes / kShortRows - rowBytes) / 4;
  int64_t keys = std::min(held, fits) / machine.lanes * machine.lanes;
  if (keys < machine.lanes)
    return {0, machine.lanes};
  return {kShortRows, keys};
}

std::optional<kernel::AttentionAttr>
tessera::chooseAttentionSchedule(MLIRContext *context,
                                 const AttentionShape &shape,
                                 const Machine &machine) {
  AttentionShape usual = shape;
  if (shape.rowsVary)
    usual.rows = std::max<int64_t>(shape.rows, 128);
  ShortBlocks few = chooseShort(shape, machine);
  std::optional<Blocks> best;
  double least = 0;
  auto consider = [&](const Blocks &by) {
    double cycles = estimateCycles(usual, by, machine);
    if (best && cycles >= least)
      return;
    best = by;
    least = cycles;
  };
  constexpr int64_t kMostQueries = 256, kMostKeys = 1024;
  for (int64_t vectors = 1; vectors <= kMostVectors; ++vectors)
    for (int64_t rows = 1; rows <= kMostRows; ++rows) {
      // Sums, a vector of each column, one element; one stays free.
      if (rows * vectors + vectors + 1 > machine.vectorRegisters - 1)
        break;
      int64_t columns = vectors * machine.lanes;
      for (int64_t queries = rows; queries <= kMostQueries; queries += rows)
        for (int64_t keys = columns;
             keys <= kMostKeys &&
             scratchBytes(shape.headDim, shape.valueDim, machine.lanes, queries,
                          keys, columns) <= kScratchBytes;
             keys += columns)
          consider({rows, vectors, queries, keys});
    }
  if (!best)
    return std::nullopt;
  return kernel::AttentionAttr::get(context, best->rows, best->vectors,
                                    machine.lanes, best->queries, best->keys,
                                    few.rows, few.keys);
}
