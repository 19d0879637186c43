// Passes that lead from the kernel state to the buffer state.
#ifndef TESSERA_LIB_TRANSFORMS_BUFFER_PASSES_H
#define TESSERA_LIB_TRANSFORMS_BUFFER_PASSES_H

#include "mlir/Pass/Pass.h"

namespace tessera {

#define GEN_PASS_DECL
#include "lib/Transforms/Buffer/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "lib/Transforms/Buffer/Passes.h.inc"

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_BUFFER_PASSES_H
