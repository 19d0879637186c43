// Transcendental functions in terms of the GPU's special function unit.
#ifndef TESSERA_TARGET_PTX_APPROXIMATEMATH_H
#define TESSERA_TARGET_PTX_APPROXIMATEMATH_H

#include "mlir/IR/PatternMatch.h"

namespace tessera::ptx {

/// Patterns that replace math.erf, math.tanh, math.exp and math.rsqrt on f32,
/// f16 and bf16 scalars and vectors, and the vectors' other math functions as
/// far as MLIR has polynomials for them.
///
/// In f32 the error is at most a few units in the last place, relative to the
/// result; a function of a narrower operand or one with the `afn` flag may use
/// the unit's tanh (2^-11 relative) and an erf that is good to 1e-7 absolute; so
/// does an erf that is only added to constants of magnitude 1 and more.
/// NaN gives NaN; infinities give the limits.
void populateApproximateMathPatterns(mlir::RewritePatternSet &patterns);

} // namespace tessera::ptx

#endif // TESSERA_TARGET_PTX_APPROXIMATEMATH_H
