// Positions and taps of windows that lie inside the input.
#ifndef TESSERA_TARGET_CPU_CONVOLUTIONWINDOWS_H
#define TESSERA_TARGET_CPU_CONVOLUTIONWINDOWS_H

#include "dialects/Interfaces/Contraction.h"
#include "lib/Target/Elements/ElementEmitter.h"

namespace tessera::cpu {

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

/// The size of the input of `window` at run time.
mlir::Value windowInput(mlir::OpBuilder &builder, mlir::Location loc,
                        const ContractionWindow &window,
                        ElementEmitter &elements);

/// Inner positions of `window` over `positions` positions at run time; `input` is the
/// size of its input.
std::pair<mlir::Value, mlir::Value>
innerPositions(mlir::OpBuilder &builder, mlir::Location loc,
          const ContractionWindow &window, mlir::Value input,
          mlir::Value positions);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_CONVOLUTIONWINDOWS_H
