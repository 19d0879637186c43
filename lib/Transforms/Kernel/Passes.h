// Passes of the kernel state: what forms, merges and schedules kernels.
#ifndef TESSERA_LIB_TRANSFORMS_KERNEL_PASSES_H
#define TESSERA_LIB_TRANSFORMS_KERNEL_PASSES_H

#include "dialects/Graph/IR/Graph.h"
#include "dialects/Kernel/IR/Kernel.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Linalg/IR/Linalg.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/BuiltinOps.h"
#include "mlir/Pass/Pass.h"

namespace tessera {

#define GEN_PASS_DECL
#include "lib/Transforms/Kernel/Passes.h.inc"

#define GEN_PASS_REGISTRATION
#include "lib/Transforms/Kernel/Passes.h.inc"

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_KERNEL_PASSES_H
