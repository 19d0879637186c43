// The machine of a module: the attribute `kernel.machine`, which is set once and
// is what every pass and the object code take the machine from.
#ifndef TESSERA_LIB_COSTMODEL_MODULEMACHINE_H
#define TESSERA_LIB_COSTMODEL_MODULEMACHINE_H

#include "lib/CostModel/Machine.h"

#include "mlir/IR/BuiltinOps.h"

namespace tessera {

/// Whether the module has a machine.
bool hasMachine(mlir::ModuleOp module);

/// The module's machine. Fails with a diagnostic at the module if it has none, or
/// one that machineFrom refuses.
mlir::FailureOr<Machine> machineOf(mlir::ModuleOp module);

/// Gives the module all fields of `machine`.
void setMachine(mlir::ModuleOp module, const Machine &machine);

} // namespace tessera

#endif // TESSERA_LIB_COSTMODEL_MODULEMACHINE_H
