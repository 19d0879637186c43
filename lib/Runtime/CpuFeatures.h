// What this CPU can execute, in LLVM's names of features.
#ifndef TESSERA_RUNTIME_CPUFEATURES_H
#define TESSERA_RUNTIME_CPUFEATURES_H

#include "Status.h"

#include <set>
#include <string>
#include <string_view>

namespace tessera::runtime {

/// The features of this CPU that the operating system also lets us use (AVX
/// needs saved registers), by LLVM's names: "avx2", "avx512vnni".
const std::set<std::string_view> &cpuFeatures();

/// True if `name` is a feature that cpuFeatures() could report on some CPU.
bool isKnownCpuFeature(std::string_view name);

/// Checks that each of the comma-separated `needed` is in `available`; the
/// error lists those that are missing. A name we do not know is refused: we
/// could not tell whether its instructions fault.
Status checkCpuFeatures(std::string_view needed,
                        const std::set<std::string_view> &available);

/// Asks the operating system for register state that it gives on request only:
/// AMX tiles, without which the first tile instruction would end the process.
/// Call when checkCpuFeatures(needed) has succeeded. Fails where the system refuses,
/// as where a thread's signal stack is too small for the tiles.
Status enableCpuFeatures(std::string_view needed);

} // namespace tessera::runtime

#endif // TESSERA_RUNTIME_CPUFEATURES_H
