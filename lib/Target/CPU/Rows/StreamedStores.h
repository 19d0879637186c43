// Stores past the caches, for kernels of rows whose tensors do not fit there.
//
// A store to a line that is in no cache reads it from memory first, and evicts
// another; a non-temporal store of the whole line does neither, but where the
// caches would have held it, it is slower. The sizes of a run choose:
//
//   y = relu(x)  ==>  if bytes(x) + bytes(y) >= streamBytes, and y and its rows
//                         begin at lines:
//                       tasks: vector.store ..., %y {nontemporal, alignment = 64}
//                              a fence, for the threads that read y
//                     else:
//                       tasks: vector.store ..., %y
#ifndef TESSERA_TARGET_CPU_STREAMEDSTORES_H
#define TESSERA_TARGET_CPU_STREAMEDSTORES_H

#include "lib/Target/CPU/Rows/RowKernel.h"

namespace tessera::cpu {

/// Whether this run is to store the outputs past the caches, i1; null where that
/// is never so. Fails with a diagnostic.
mlir::FailureOr<mlir::Value> emitIsStreamed(RowKernel &rows,
                                            mlir::OpBuilder &builder);

/// Puts the stores past the caches before it in order with what other threads do
/// once they know of the task's end.
void emitStoreFence(mlir::OpBuilder &builder, mlir::Location loc);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_STREAMEDSTORES_H
