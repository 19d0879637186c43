// Passes on quantized tensors in the graph state, before any fold.
#ifndef TESSERA_LIB_TRANSFORMS_GRAPH_QUANTIZATION_PASSES_H
#define TESSERA_LIB_TRANSFORMS_GRAPH_QUANTIZATION_PASSES_H

#include "mlir/Pass/Pass.h"

namespace tessera::quantization {

#define GEN_PASS_DECL
#include "lib/Transforms/Graph/Quantization/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "lib/Transforms/Graph/Quantization/Passes.h.inc"

} // namespace tessera::quantization

#endif // TESSERA_LIB_TRANSFORMS_GRAPH_QUANTIZATION_PASSES_H
