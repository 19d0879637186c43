// Conversions of the quantization dialect, as passes.
#ifndef TESSERA_DIALECTS_QUANTIZATION_CONVERSION_PASSES_H
#define TESSERA_DIALECTS_QUANTIZATION_CONVERSION_PASSES_H

#include "mlir/Pass/Pass.h"

namespace tessera::quantization {

#define GEN_PASS_DECL
#include "dialects/Quantization/Conversion/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "dialects/Quantization/Conversion/Passes.h.inc"

} // namespace tessera::quantization

#endif // TESSERA_DIALECTS_QUANTIZATION_CONVERSION_PASSES_H
