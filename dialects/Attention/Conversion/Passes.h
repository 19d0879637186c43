// Conversions of the attention dialect, as passes.
#ifndef TESSERA_DIALECTS_ATTENTION_CONVERSION_PASSES_H
#define TESSERA_DIALECTS_ATTENTION_CONVERSION_PASSES_H

#include "mlir/Pass/Pass.h"

namespace tessera::attention {

#define GEN_PASS_DECL
#include "dialects/Attention/Conversion/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "dialects/Attention/Conversion/Passes.h.inc"

} // namespace tessera::attention

#endif // TESSERA_DIALECTS_ATTENTION_CONVERSION_PASSES_H
