// The CPU that code is made for.
#include "lib/Target/CPU/Code/CpuTarget.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/TargetParser/X86TargetParser.h"

namespace tessera::cpu {
namespace {

/// Features whose instructions LLVM or our emitters put in code. Others, as for
/// system calls or cryptography, do not matter to us.
constexpr llvm::StringLiteral usedFeatures[] = {
    "sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "cx16", "sahf", "avx",
    "avx2", "fma", "f16c", "bmi", "bmi2", "lzcnt", "movbe", "prfchw",
    "avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl", "avx512ifma",
    "avx512vbmi", "avx512vbmi2", "avx512vnni", "avx512bitalg",
    "avx512vpopcntdq", "avx512bf16", "avx512fp16", "avxvnni", "avxifma",
    "avxvnniint8", "avxneconvert", "gfni"};

/// Of units that a system may refuse.
constexpr llvm::StringLiteral unitFeatures[] = {"amx-tile", "amx-bf16",
                                                "amx-int8"};

/// The features of `target` that are or are not of units.
std::string featuresOf(const CpuTarget &target, bool areOfUnits) {
  llvm::SmallVector<llvm::StringRef> list, found;
  llvm::StringRef(target.features).split(list, ',');
  for (llvm::StringRef feature : list)
    if (feature.consume_front("+") &&
        llvm::is_contained(unitFeatures, feature) == areOfUnits)
      found.push_back(feature);
  return llvm::join(found, ",");
}

llvm::Error unknownCpu(llvm::StringRef name) {
  return llvm::createStringError(
      "unknown CPU '" + name +
      "': expects x86-64-v2, x86-64-v3, x86-64-v4 or an LLVM name such as "
      "znver3, znver4, sapphirerapids");
}

} // namespace

bool CpuTarget::has(llvm::StringRef feature) const {
  llvm::SmallVector<llvm::StringRef> list;
  llvm::StringRef(features).split(list, ',');
  return llvm::is_contained(list, ("+" + feature).str());
}

llvm::Expected<CpuTarget> targetFor(const Machine &machine) {
  CpuTarget target{machine.cpu, /*features=*/"", machine.tuneCpu};
  for (llvm::StringRef name : {machine.cpu, machine.tuneCpu})
    if (llvm::X86::parseArchX86(name, /*Only64Bit=*/true) ==
        llvm::X86::CK_None)
      return unknownCpu(name);
  llvm::SmallVector<llvm::StringRef> known;
  llvm::X86::getFeaturesForCPU(target.cpu, known);
  llvm::SmallVector<std::string> features;
  for (llvm::ArrayRef<llvm::StringLiteral> used :
       {llvm::ArrayRef(usedFeatures), llvm::ArrayRef(unitFeatures)})
    for (llvm::StringRef feature : used)
      features.push_back(
          ((llvm::is_contained(known, feature) ? "+" : "-") + feature).str());
  target.features = llvm::join(features, ",");
  if (!target.has("sse4.2"))
    return llvm::createStringError("CPU '" + target.cpu +
                                   "' is older than x86-64-v2");
  return target;
}

std::string requiredFeatures(const CpuTarget &target) {
  return featuresOf(target, /*areOfUnits=*/false);
}

std::string optionalFeatures(const CpuTarget &target) {
  return featuresOf(target, /*areOfUnits=*/true);
}

} // namespace tessera::cpu
