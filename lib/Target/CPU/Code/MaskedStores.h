// Masked stores that LLVM's code generator gets wrong.
#ifndef TESSERA_TARGET_CPU_MASKEDSTORES_H
#define TESSERA_TARGET_CPU_MASKEDSTORES_H

namespace llvm {
class Module;
} // namespace llvm

namespace tessera::cpu {

/// Takes masked stores of integers of 8 and 16 bits apart whose mask is known:
///
///   masked.store(<16 x i8> %v, %p, <first 9>)
///     ==>  store <8 x i8> (the first 8 of %v), %p;  store i8 %v[8], %p + 8
///
/// LLVM 22 joins such a store with the truncation of wider integers before it, and
/// where one lane is left of that on AVX-512 it stores the wide integer: four bytes
/// for one. After optimisation, which finds out masks.
void splitNarrowMaskedStores(llvm::Module &code);

} // namespace tessera::cpu

#endif // TESSERA_TARGET_CPU_MASKEDSTORES_H
