// The quantization dialect's registration.
#include "dialects/Quantization/IR/Quantization.h"

#include "mlir/IR/Builders.h"
#include "mlir/IR/DialectImplementation.h"
#include "llvm/ADT/TypeSwitch.h"

#include "dialects/Quantization/IR/QuantizationDialect.cpp.inc"
#include "dialects/Quantization/IR/QuantizationEnums.cpp.inc"
#define GET_ATTRDEF_CLASSES
#include "dialects/Quantization/IR/QuantizationAttributes.cpp.inc"

using namespace mlir;
using namespace tessera::quantization;

void QuantizationDialect::initialize() {
  addAttributes<
#define GET_ATTRDEF_LIST
#include "dialects/Quantization/IR/QuantizationAttributes.cpp.inc"
      >();
  addOperations<
#define GET_OP_LIST
#include "dialects/Quantization/IR/QuantizationOps.cpp.inc"
      >();
}
