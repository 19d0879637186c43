// The shape of a kernel's attention for the cost model, at typical sizes.
#ifndef TESSERA_LIB_COSTMODEL_ATTENTIONSHAPES_H
#define TESSERA_LIB_COSTMODEL_ATTENTIONSHAPES_H

#include "dialects/Kernel/IR/Kernel.h"
#include "lib/CostModel/AttentionSchedule.h"

#include <optional>

namespace tessera {

/// The shape of the attention.sdpa of `kernel`, or nothing when it has none or its
/// head sizes are not known.
std::optional<AttentionShape> attentionShapeOf(kernel::FuncOp kernel);

} // namespace tessera

#endif // TESSERA_LIB_COSTMODEL_ATTENTIONSHAPES_H
