// The arguments of a kernel as memrefs, for the element emitter.
#ifndef TESSERA_TARGET_CPU_MEMREFSOURCE_H
#define TESSERA_TARGET_CPU_MEMREFSOURCE_H

#include "lib/Target/Elements/ElementSource.h"

#include <memory>

namespace tessera::cpu {

/// `memrefs`: one for each tensor argument of a kernel, of the same shape and element
/// type (i8 for i1).
std::unique_ptr<ElementSource>
createMemrefSource(mlir::ArrayRef<mlir::Value> memrefs);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_MEMREFSOURCE_H
