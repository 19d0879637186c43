// Matches the caller's tensors with the ports of an entry and checks them.
#ifndef TESSERA_RUNTIME_BINDINGS_H
#define TESSERA_RUNTIME_BINDINGS_H

#include "ModelTable.h"
#include "Status.h"

#include <string>
#include <vector>

namespace tessera::runtime {

/// The tensor of each input, in the entry's order. Fails when a name is
/// unknown (the nearest is suggested) or given twice, or an input is missing.
Result<std::vector<const TesseraTensor *>>
matchInputs(const Entry &entry, const TesseraInputBinding *inputs,
            int64_t count);

/// The binding of each output and then of each tap; null where not wanted.
Result<std::vector<TesseraOutputBinding *>>
matchOutputs(const Entry &entry, TesseraOutputBinding *outputs, int64_t count);

/// Checks device, type, rank and sizes of the inputs and returns the size of
/// each symbol, then each computed size. Sizes must be in the symbol's range
/// and the same wherever the symbol occurs; the error names both places.
/// Computed sizes fail on overflow and on a divisor below one, and name what
/// they are.
Result<std::vector<int64_t>>
bindSymbols(const Entry &entry,
            const std::vector<const TesseraTensor *> &inputs);

/// Checks that the caller's tensor can take an output of this shape as it is:
/// on the host, same type and shape, dense, aligned, with memory. One that extends
/// an input may leave room to grow along the port's axis.
Status checkOutput(const Entry &entry, const Port &port,
                   const TesseraTensor &tensor,
                   const std::vector<int64_t> &shape);

/// The name that takes the fewest edits to reach, if they are few.
const std::string *nearestName(const std::string &name,
                               const std::vector<std::string> &names);

} // namespace tessera::runtime

#endif // TESSERA_RUNTIME_BINDINGS_H
