// A model's LLVM IR in parts, each optimised and made object code on its own, on as
// many threads as there are.
//
//   @tessera_module, @main, small kernels     part 0
//   @conv, @conv.task                         part 1
//   @rows, @rows.task, @rows_1 …              part 2
//
// Where the cuts are depends on the code only: the bytes are the same with any number
// of threads.
#ifndef TESSERA_TARGET_CPU_CODEPARTS_H
#define TESSERA_TARGET_CPU_CODEPARTS_H

#include "lib/Target/CPU/Code/CpuTarget.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringRef.h"
#include "llvm/Support/Error.h"

#include <vector>

namespace llvm {
class Module;
class ThreadPoolInterface;
} // namespace llvm

namespace tessera::cpu {

/// Bytes of bitcode or of object code.
using CodeBytes = llvm::SmallVector<char, 0>;

/// Cuts `code`, not optimised, into parts, as bitcode; none if it is too small or has
/// variables that parts would have to share. What an entry calls becomes a hidden symbol with
/// `suffix` where it is in a part of its own; constants and functions that several
/// parts use are in each of them. Arguments that are the same constant in all calls
/// are that constant in the part, those without a use are gone.
std::vector<CodeBytes> cutIntoParts(llvm::Module &code, llvm::StringRef suffix);

/// Seconds that threads took, all of them together.
struct PartSeconds {
  double optimization = 0, codeGeneration = 0;
};

/// Object code of each of `parts`, in their order, by `threads` or, if that is null,
/// by this thread. Half of the threads take the largest that is left, the others the
/// smallest, so that few large ones are in memory at once and all end together. Adds
/// to `seconds`.
llvm::Expected<std::vector<CodeBytes>>
compileParts(std::vector<CodeBytes> parts, const CpuTarget &target,
             unsigned optLevel, llvm::ThreadPoolInterface *threads,
             PartSeconds &seconds);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_CODEPARTS_H
