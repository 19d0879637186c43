// The kernel dialect: operations and attributes.
#ifndef TESSERA_DIALECTS_KERNEL_IR_KERNEL_H
#define TESSERA_DIALECTS_KERNEL_IR_KERNEL_H

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/IntegerSet.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/IR/SymbolTable.h"
#include "mlir/Interfaces/CallInterfaces.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/DestinationStyleOpInterface.h"
#include "mlir/Interfaces/FunctionInterfaces.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

// Passes that are built elsewhere link these (docs/extending.md), whatever the
// visibility that this file is compiled with.
#pragma GCC visibility push(default)
#include "dialects/Kernel/IR/KernelDialect.h.inc"
#include "dialects/Kernel/IR/KernelEnums.h.inc"

#include "dialects/Kernel/IR/KernelAttrInterfaces.h.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Kernel/IR/KernelAttributes.h.inc"

namespace tessera::kernel {
class YieldOp;

/// Whether a computed size of this kind is the bits of a float.
inline bool givesFloat(ComputedSizeKind kind) {
  return kind >= ComputedSizeKind::ToFloat &&
         kind < ComputedSizeKind::FloatLess;
}

/// Elements of the contracted dimension that a step of `kind` takes.
int64_t stepLengthOf(MultiplyAccumulate kind);
/// Elements of the contracted dimension that lie together in a panel of the right
/// operand, in 32 bits where they are several.
int64_t groupLengthOf(MultiplyAccumulate kind);
/// Whether `kind` is one of the tile unit.
bool isTiled(MultiplyAccumulate kind);

/// The unit that its instructions belong to; none where every machine that has them
/// gives them.
Unit unitOf(MultiplyAccumulate kind);
} // namespace tessera::kernel

#define GET_OP_CLASSES
#include "dialects/Kernel/IR/KernelOps.h.inc"

#pragma GCC visibility pop

#endif // TESSERA_DIALECTS_KERNEL_IR_KERNEL_H
