// How large the integers of an input may be where they are indices.
#ifndef TESSERA_LIB_PIPELINE_INDEXLIMITS_H
#define TESSERA_LIB_PIPELINE_INDEXLIMITS_H

#include "mlir/IR/BuiltinOps.h"

#include <map>
#include <string>

namespace tessera {

/// For each integer input of an entry in graph state (by graph.name) whose
/// elements, moved or cast but not changed, index a dimension of known length:
/// the least such length. Token ids have the rows of their table.
std::map<std::string, int64_t> findIndexLimits(mlir::ModuleOp module);

} // namespace tessera

#endif // TESSERA_LIB_PIPELINE_INDEXLIMITS_H
