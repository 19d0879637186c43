// Removes the tensors of an entry whose kernels run on memrefs already.
#ifndef TESSERA_LIB_TRANSFORMS_BUFFER_REMOVETENSORS_H
#define TESSERA_LIB_TRANSFORMS_BUFFER_REMOVETENSORS_H

#include "mlir/Dialect/Func/IR/FuncOps.h"

namespace tessera {

/// Removes results, what loops carry and all operations that give tensors; scalars
/// stay:
///
///   %t, %i = scf.for … iter_args(%a = %x, %n = %c0) -> (tensor<4xf32>, index) { … }
///     ==>  %i = scf.for … iter_args(%n = %c0) -> (index) { … }
///
/// Arguments of the entry stay. Fails with a diagnostic at what reads a tensor
/// otherwise.
mlir::LogicalResult removeTensors(mlir::func::FuncOp entry);

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_BUFFER_REMOVETENSORS_H
