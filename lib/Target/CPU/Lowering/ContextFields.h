// Access to the fields of the run-time context from generated code.
#ifndef TESSERA_TARGET_CPU_CONTEXTFIELDS_H
#define TESSERA_TARGET_CPU_CONTEXTFIELDS_H

#include "dialects/Kernel/IR/Kernel.h"
#include "include/tessera/abi.h"

#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/IR/Builders.h"

#include <cstddef>

namespace tessera::cpu {

/// A field of TesseraContext that generated code reads or writes.
enum class ContextField : int32_t {
  size = offsetof(TesseraContext, size),
  symbols = offsetof(TesseraContext, symbols),
  inputs = offsetof(TesseraContext, inputs),
  outputs = offsetof(TesseraContext, outputs),
  weights = offsetof(TesseraContext, weights),
  arena = offsetof(TesseraContext, arena),
  offsets = offsetof(TesseraContext, offsets),
  parallelFor = offsetof(TesseraContext, parallelFor),
  pool = offsetof(TesseraContext, pool),
  errorMessage = offsetof(TesseraContext, errorMessage),
  inputStrides = offsetof(TesseraContext, inputStrides),
  taps = offsetof(TesseraContext, taps),
  afterCall = offsetof(TesseraContext, afterCall),
  observer = offsetof(TesseraContext, observer),
  outputStrides = offsetof(TesseraContext, outputStrides),
  units = offsetof(TesseraContext, units),
};

/// Discardable attribute of a func.call that a kernel.launch became: its number,
/// an i64, among those of its function.
constexpr llvm::StringLiteral kCallNumberAttr = "kernel.number";

/// Discardable attribute of a func.func that uses a unit which a system may refuse: a
/// kernel::Unit by name.
constexpr llvm::StringLiteral kUnitAttr = "kernel.unit";

/// The address `bytes` behind `base`.
mlir::Value emitAddress(mlir::OpBuilder &builder, mlir::Location loc,
                        mlir::Value base, int64_t bytes);

/// The value of a pointer field. It does not change during a run.
mlir::Value emitLoad(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value context, ContextField field);

/// Whether the system gave `unit`, an i1.
mlir::Value emitHasUnit(mlir::OpBuilder &builder, mlir::Location loc,
                        mlir::Value context, kernel::Unit unit);

/// Element `index` of the array of 8-byte elements that `field` points to, a
/// value of `type`. It does not change during a run.
mlir::Value emitLoad(mlir::OpBuilder &builder, mlir::Location loc,
                     mlir::Value context, ContextField field, int64_t index,
                     mlir::Type type);

/// Element `index` of an array of 8-byte elements, a value of `type`. It does not
/// change during a run.
mlir::Value emitElement(mlir::OpBuilder &builder, mlir::Location loc,
                        mlir::Value array, int64_t index, mlir::Type type);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_CONTEXTFIELDS_H
