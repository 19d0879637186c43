// The CPU that code is made for.
#include "lib/Target/CPU/Code/CpuTarget.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringMap.h"
#include "llvm/TargetParser/Host.h"
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

/// LLVM's cost tables of Zen 4 and 5 make it unroll and hoist loads until
/// register tiles spill (an f32 tile of 7x64 fell to 42 % of peak); those of
/// another CPU with AVX-512 do not.
llvm::StringRef tuningFor(llvm::StringRef cpu) {
  return cpu == "znver4" || cpu == "znver5" ? llvm::StringRef("emeraldrapids")
                                            : cpu;
}

llvm::Error unknownCpu(llvm::StringRef name) {
  return llvm::createStringError(
      "unknown CPU '" + name +
      "': expects x86-64-v2, x86-64-v3, x86-64-v4, native or an LLVM name such "
      "as znver3, znver4, sapphirerapids");
}

} // namespace

bool CpuTarget::has(llvm::StringRef feature) const {
  llvm::SmallVector<llvm::StringRef> list;
  llvm::StringRef(features).split(list, ',');
  return llvm::is_contained(list, ("+" + feature).str());
}

llvm::Expected<CpuTarget> resolveCpu(llvm::StringRef name) {
  bool native = name == "native";
  CpuTarget target;
  target.cpu = native ? llvm::sys::getHostCPUName().str() : name.str();
  if (llvm::X86::parseArchX86(target.cpu, /*Only64Bit=*/true) ==
      llvm::X86::CK_None) {
    if (!native)
      return unknownCpu(name);
    target.cpu = "x86-64-v2"; // a CPU newer than LLVM: its features say more
  }
  llvm::SmallVector<llvm::StringRef> known;
  llvm::X86::getFeaturesForCPU(target.cpu, known);
  llvm::StringMap<bool> host;
  if (native)
    host = llvm::sys::getHostCPUFeatures();

  llvm::SmallVector<std::string> features;
  for (llvm::StringRef feature : usedFeatures) {
    bool has = native ? host.lookup(feature)
                      : llvm::is_contained(known, feature);
    features.push_back(((has ? "+" : "-") + feature).str());
  }
  target.features = llvm::join(features, ",");
  target.tune = tuningFor(target.cpu).str();
  if (!target.has("sse4.2"))
    return llvm::createStringError("CPU '" + name +
                                   "' is older than x86-64-v2");
  return target;
}

std::string requiredFeatures(const CpuTarget &target) {
  llvm::SmallVector<llvm::StringRef> list, needed;
  llvm::StringRef(target.features).split(list, ',');
  for (llvm::StringRef feature : list)
    if (feature.consume_front("+"))
      needed.push_back(feature);
  return llvm::join(needed, ",");
}

} // namespace tessera::cpu
