// An entry around a single kernel, so that a test can run it on arrays.
#ifndef TESSERA_TEST_MLIRTOLIBRARY_WRAPKERNEL_H
#define TESSERA_TEST_MLIRTOLIBRARY_WRAPKERNEL_H

#include "mlir/IR/BuiltinOps.h"

namespace tessera::test {

/// Adds to `module` the function and `kernel.entry` that run its only
/// `kernel.func` or, if there are more, the one called `name`. Other functions are erased.
/// Inputs are called in0, in1 …, outputs out0 …; each index argument i of the
/// kernel is the symbol s<i>. It is bound by an input dimension that is this
/// symbol, else by the length of an extra i8 input `size<i>`.
mlir::LogicalResult wrapKernel(mlir::ModuleOp module, mlir::StringRef name);

} // namespace tessera::test

#endif // TESSERA_TEST_MLIRTOLIBRARY_WRAPKERNEL_H
