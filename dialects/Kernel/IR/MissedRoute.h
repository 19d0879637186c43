// Why a kernel takes another route than was meant for it.
#ifndef TESSERA_DIALECTS_KERNEL_IR_MISSEDROUTE_H
#define TESSERA_DIALECTS_KERNEL_IR_MISSEDROUTE_H

#include "llvm/ADT/StringRef.h"

namespace tessera::kernel {

/// The attribute of a `kernel.func` with the reason, as text, for which it left
/// the route of its first schedule.
inline constexpr llvm::StringLiteral kMissedAttr = "kernel.missed";

} // namespace tessera::kernel

#endif // TESSERA_DIALECTS_KERNEL_IR_MISSEDROUTE_H
