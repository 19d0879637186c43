// The attention dialect: operations and their interfaces.
#ifndef TESSERA_DIALECTS_ATTENTION_IR_ATTENTION_H
#define TESSERA_DIALECTS_ATTENTION_IR_ATTENTION_H

#include "dialects/Interfaces/DimensionSource.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/ControlFlowInterfaces.h"
#include "mlir/Interfaces/InferTypeOpInterface.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

// Passes that are built elsewhere link these (docs/extending.md), whatever the
// visibility that this file is compiled with.
#pragma GCC visibility push(default)
#include "dialects/Attention/IR/AttentionDialect.h.inc"
#include "dialects/Attention/IR/AttentionEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Attention/IR/AttentionAttributes.h.inc"

#define GET_OP_CLASSES
#include "dialects/Attention/IR/AttentionOps.h.inc"

#pragma GCC visibility pop

#endif // TESSERA_DIALECTS_ATTENTION_IR_ATTENTION_H
