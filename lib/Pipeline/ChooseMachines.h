// The machines that a compilation is for, as its options say.
#ifndef TESSERA_LIB_PIPELINE_CHOOSEMACHINES_H
#define TESSERA_LIB_PIPELINE_CHOOSEMACHINES_H

#include "lib/CostModel/Machine.h"
#include "lib/Pipeline/CompileOptions.h"

namespace tessera {

/// The machine of `machineFile`, or of each name in `cpu`, or this one: at least one.
/// Fails for what is unknown, for contradictions, and for several machines where the
/// output is not a library.
llvm::Expected<std::vector<Machine>>
chooseMachines(const CompileOptions &options);

} // namespace tessera

#endif // TESSERA_LIB_PIPELINE_CHOOSEMACHINES_H
