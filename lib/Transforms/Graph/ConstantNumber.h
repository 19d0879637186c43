// Tensors that are one number.
#ifndef TESSERA_LIB_TRANSFORMS_GRAPH_CONSTANTNUMBER_H
#define TESSERA_LIB_TRANSFORMS_GRAPH_CONSTANTNUMBER_H

#include "mlir/IR/Value.h"

#include <optional>

namespace tessera {

/// Whether `op` only changes the precision of floats.
bool isFloatCast(mlir::Operation *op);

/// The value of a constant whose elements are all one number, through broadcasts,
/// reshapes and arithmetic.
std::optional<double> constantNumber(mlir::Value value);

} // namespace tessera

#endif // TESSERA_LIB_TRANSFORMS_GRAPH_CONSTANTNUMBER_H
