// Gives each place of an entry a kernel call of its own.
#ifndef TESSERA_LIB_TRANSFORMS_BUFFER_SEPARATERESULTS_H
#define TESSERA_LIB_TRANSFORMS_BUFFER_SEPARATERESULTS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tessera {

/// Calls a kernel again where its result would have to be in two places: two copies of
/// one value are made by equal kernels, whose calls have become one.
///
///   %c = kernel.call @copy …; return %c, %c
///     ==>  %c = kernel.call @copy …; %d = kernel.call @copy …; return %c, %d
///
/// So with the results of branches and loops, and with what a loop begins with.
void separateResults(mlir::func::FuncOp entry);

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_BUFFER_SEPARATERESULTS_H
