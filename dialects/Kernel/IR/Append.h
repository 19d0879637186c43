// Caches: outputs that extend an input in its place.
#ifndef TESSERA_DIALECTS_KERNEL_IR_APPEND_H
#define TESSERA_DIALECTS_KERNEL_IR_APPEND_H

#include "dialects/Kernel/IR/Kernel.h"

// As in Kernel.h.
#pragma GCC visibility push(default)
#define GET_OP_CLASSES
#include "dialects/Kernel/IR/AppendOps.h.inc"
#pragma GCC visibility pop

namespace tessera::kernel {

/// Attribute of a `kernel.entry`: for each output the axis along which it extends
/// the input that its port names as alias (an array of i64; 0 for the others).
constexpr llvm::StringLiteral kAppendAxesAttr = "kernel.append_axes";

/// The memref of an output that is appended to along `dimension`, and of the input
/// that it extends: dense row-major from that dimension on, with the caller's
/// strides before it.
mlir::MemRefType appendedType(mlir::RankedTensorType tensor, int64_t dimension);

} // namespace tessera::kernel

#endif // TESSERA_DIALECTS_KERNEL_IR_APPEND_H
