// The CPU that code is made for.
#ifndef TESSERA_TARGET_CPU_CPUTARGET_H
#define TESSERA_TARGET_CPU_CPUTARGET_H

#include "lib/CostModel/Machine.h"

#include "llvm/Support/Error.h"

#include <string>

namespace tessera::cpu {

/// What LLVM is told. Names are LLVM's.
struct CpuTarget {
  /// "x86-64-v3", "znver4".
  std::string cpu;
  /// "+avx2,-avx512f,…": all features that code may use are named.
  std::string features;
  /// Whose costs the instruction scheduler assumes.
  std::string tune;

  bool has(llvm::StringRef feature) const;
};

/// The target of a machine's `cpu`, tuned for its `tuneCpu`. Fails if LLVM knows no
/// such x86-64 CPU or level, or if it is older than x86-64-v2.
llvm::Expected<CpuTarget> targetFor(const Machine &machine);

/// The features that a machine must have to run code for `target`, in the
/// table's form: LLVM names separated by commas, of those that generated code
/// can contain.
std::string requiredFeatures(const CpuTarget &target);

/// In the same form, the features of units that a system may refuse (AMX), which code
/// for `target` may use where the run says so; "" if there are none.
std::string optionalFeatures(const CpuTarget &target);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_CPUTARGET_H
