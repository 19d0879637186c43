// The shape of a kernel's contraction for the cost model, at typical sizes.
#ifndef TESSERA_LIB_COSTMODEL_CONTRACTIONSHAPES_H
#define TESSERA_LIB_COSTMODEL_CONTRACTIONSHAPES_H

#include "dialects/Kernel/IR/Kernel.h"
#include "lib/CostModel/ContractionSchedule.h"

#include <optional>

namespace tessera {

/// The contraction or convolution of `kernel`, or nothing when it has none or one
/// without rows and columns.
std::optional<Contraction> contractionIn(kernel::FuncOp kernel);

/// The shape of `product`, of `kernel`, as `accumulate` takes it. A size takes the
/// typical value of its symbol, read from the first `kernel.call` of the kernel.
ContractionShape shapeOf(const Contraction &product, kernel::FuncOp kernel,
                         kernel::MultiplyAccumulate accumulate);

} // namespace tessera

#endif // TESSERA_LIB_COSTMODEL_CONTRACTIONSHAPES_H
