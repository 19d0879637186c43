// Where the sizes of an operation's results come from.
#ifndef TESSERA_DIALECTS_INTERFACES_DIMENSIONSOURCE_H
#define TESSERA_DIALECTS_INTERFACES_DIMENSIONSOURCE_H

#include "mlir/IR/AffineExpr.h"
#include "mlir/IR/OpDefinition.h"

// Passes that are built elsewhere link these (docs/extending.md), whatever the
// visibility that this file is compiled with.
#pragma GCC visibility push(default)
#include "dialects/Interfaces/DimensionSource.h.inc"
#pragma GCC visibility pop

#endif // TESSERA_DIALECTS_INTERFACES_DIMENSIONSOURCE_H
