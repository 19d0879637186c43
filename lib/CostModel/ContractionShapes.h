// The shape of a kernel's contraction for the cost model, at typical sizes.
#ifndef TESSERA_LIB_COSTMODEL_CONTRACTIONSHAPES_H
#define TESSERA_LIB_COSTMODEL_CONTRACTIONSHAPES_H

#include "dialects/Kernel/IR/Kernel.h"
#include "lib/CostModel/ContractionSchedule.h"

#include <optional>

namespace tessera {

/// The shape of the contraction or convolution of `kernel`, or nothing when it has
/// none. A size takes the typical value of its symbol, read from the first
/// `kernel.call` of the kernel.
std::optional<ContractionShape> contractionShapeOf(kernel::FuncOp kernel);

} // namespace tessera

#endif // TESSERA_LIB_COSTMODEL_CONTRACTIONSHAPES_H
