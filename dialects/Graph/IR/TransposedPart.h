// The transpose of a part of a weight, as a part: of two transposes none is left.
#ifndef TESSERA_DIALECTS_GRAPH_IR_TRANSPOSEDPART_H
#define TESSERA_DIALECTS_GRAPH_IR_TRANSPOSEDPART_H

#include "dialects/Graph/IR/Graph.h"

namespace tessera::graph {

/// The transpose of the matrix that `part` makes. Joined columns are the transpose of
/// joined rows, since a `#graph.concat` joins along the first dimension.
PartAttr transposed(PartAttr part);

} // namespace tessera::graph

#endif // TESSERA_DIALECTS_GRAPH_IR_TRANSPOSEDPART_H
