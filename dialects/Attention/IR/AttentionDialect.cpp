// The attention dialect's registration.
#include "dialects/Attention/IR/Attention.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/Math/IR/Math.h"
#include "mlir/Dialect/Tensor/IR/Tensor.h"
#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

#include "dialects/Attention/IR/AttentionDialect.cpp.inc"
#include "dialects/Attention/IR/AttentionEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Attention/IR/AttentionAttributes.cpp.inc"

using namespace mlir;
using namespace tessera::attention;

void AttentionDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Attention/IR/AttentionAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Attention/IR/AttentionOps.cpp.inc"
      >();
}
