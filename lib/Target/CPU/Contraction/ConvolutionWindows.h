// Convolutions as contractions: shifted windows instead of gathered columns.
#ifndef TESSERA_TARGET_CPU_CONVOLUTIONWINDOWS_H
#define TESSERA_TARGET_CPU_CONVOLUTIONWINDOWS_H

#include "dialects/Graph/IR/Graph.h"
#include "lib/Target/CPU/Contraction/ContractionMatcher.h"

namespace tessera::cpu {

/// The contraction that `conv` is. The row loop runs over the spatial dimension
/// with the most positions, so that a 1-d convolution with unit dimensions
/// around it is as fast as a plain one; a 1x1 convolution without padding runs
/// over all positions at once. The channels join the tap loop of the row
/// dimension where they are neighbours in memory. Fails with a diagnostic when
/// the filter's size is unknown.
mlir::FailureOr<Contraction> matchConvolution(graph::ConvOp conv);

/// Positions whose windows lie inside the input: [first, last).
struct InnerPositions {
  int64_t first, last;
};

/// Inner positions of `window` over `positions` positions; both sizes static.
InnerPositions innerPositions(const ContractionWindow &window,
                              int64_t positions);

/// Taps of `window`'s kernel that position `position` reads inside the input:
/// [first, last). The input's size is static.
InnerPositions innerTaps(const ContractionWindow &window, int64_t position);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_CONVOLUTIONWINDOWS_H
