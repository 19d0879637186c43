// Kernels for matrix products and convolutions.
#include "lib/Target/CPU/ContractionBuilder.h"

#include "mlir/Dialect/Func/IR/FuncOps.h"

using namespace mlir;
using namespace tessera;

LogicalResult cpu::emitContractionKernel(kernel::FuncOp kernel,
                                         func::FuncOp function) {
  return kernel.emitOpError("has no contraction that the builder knows");
}
