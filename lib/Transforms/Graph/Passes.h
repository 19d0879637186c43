// Passes on the graph state.
#ifndef TESSERA_LIB_TRANSFORMS_GRAPH_PASSES_H
#define TESSERA_LIB_TRANSFORMS_GRAPH_PASSES_H

#include "dialects/Attention/IR/Attention.h"

#include "mlir/Pass/Pass.h"

namespace tessera {

#define GEN_PASS_DECL
#include "lib/Transforms/Graph/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "lib/Transforms/Graph/Passes.h.inc"

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_GRAPH_PASSES_H
