// The quantization dialect: operations and what formats are.
#ifndef TESSERA_DIALECTS_QUANTIZATION_IR_QUANTIZATION_H
#define TESSERA_DIALECTS_QUANTIZATION_IR_QUANTIZATION_H

#include "dialects/Interfaces/DimensionSource.h"

#include "mlir/Bytecode/BytecodeOpInterface.h"
#include "mlir/IR/BuiltinTypes.h"
#include "mlir/IR/Dialect.h"
#include "mlir/IR/OpDefinition.h"
#include "mlir/IR/OpImplementation.h"
#include "mlir/Interfaces/SideEffectInterfaces.h"

// Passes that are built elsewhere link these (docs/extending.md), whatever the
// visibility that this file is compiled with.
#pragma GCC visibility push(default)
#include "dialects/Quantization/IR/QuantizationDialect.h.inc"
#include "dialects/Quantization/IR/QuantizationEnums.h.inc"

#define GET_ATTRDEF_CLASSES
#include "dialects/Quantization/IR/QuantizationAttributes.h.inc"

#define GET_OP_CLASSES
#include "dialects/Quantization/IR/QuantizationOps.h.inc"

namespace tessera::quantization {

/// Whether the numbers of `format` are integers, and those without a sign.
bool isInteger(Format format);
bool isUnsigned(Format format);

/// Bits of a number, of which storage may have more.
unsigned bitsOf(Format format);

/// The least and the largest integer of `format`, which has integers.
int64_t leastOf(Format format);
int64_t largestOf(Format format);

/// The type of stored elements: i8, i16 or i32.
mlir::IntegerType storageOf(Format format, mlir::MLIRContext *context);

/// Whether products of `format` are those of bytes: integers of at most 8 bits.
inline bool isByteInteger(Format format) {
  return isInteger(format) && bitsOf(format) <= 8;
}

} // namespace tessera::quantization

#pragma GCC visibility pop

#endif // TESSERA_DIALECTS_QUANTIZATION_IR_QUANTIZATION_H
