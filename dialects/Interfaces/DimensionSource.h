// Where the sizes of an operation's results come from.
#ifndef TESSERA_DIALECTS_INTERFACES_DIMENSIONSOURCE_H
#define TESSERA_DIALECTS_INTERFACES_DIMENSIONSOURCE_H

#include "mlir/IR/OpDefinition.h"

#include "dialects/Interfaces/DimensionSource.h.inc"

#endif // TESSERA_DIALECTS_INTERFACES_DIMENSIONSOURCE_H
