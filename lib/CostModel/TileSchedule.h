// The choice of tasks for the tile unit (AMX), whose block of 2 x 2 tiles is fixed.
//
// A step of a block is four products of tiles and takes four tiles of operands, 4 KB:
// near the peak where the panel stays in the L1 cache while rows stream, three quarters
// of it where both come from the L2 cache. So a task has as many rows as stay in half
// of the L2 cache, and panels in turn; columns are cut first, so that threads read
// different weights.
#ifndef TESSERA_LIB_COSTMODEL_TILESCHEDULE_H
#define TESSERA_LIB_COSTMODEL_TILESCHEDULE_H

#include "lib/CostModel/ContractionSchedule.h"

namespace tessera {

/// Rows and columns of a tile, its sums, and rows and columns of a block of tiles.
constexpr int64_t kTileEdge = 16, kTileSums = kTileEdge * kTileEdge,
                  kBlockEdge = 2 * kTileEdge;

/// Products of the tile unit in a cycle; 0: the machine has none of `kind`.
double tileMacs(kernel::MultiplyAccumulate kind, const Machine &machine);

/// The tile unit's form of a product with these operands that the machine has, or
/// nothing: the types must fit, and fewer rows or elements are faster by vectors.
std::optional<kernel::MultiplyAccumulate>
chooseTiles(const Contraction &product, const Machine &machine);

/// What reads the same panels by vectors.
kernel::MultiplyAccumulate vectorsLike(kernel::MultiplyAccumulate tiles);

/// Estimated cycles of one core for `shape`, whose accumulate is one of tiles.
double estimateTileCycles(const ContractionShape &shape,
                          const Machine &machine);

/// The schedule of such a shape.
kernel::ContractionAttr chooseTileSchedule(mlir::MLIRContext *context,
                                           const ContractionShape &shape,
                                           const Machine &machine);

} // namespace tessera

#endif // TESSERA_LIB_COSTMODEL_TILESCHEDULE_H
