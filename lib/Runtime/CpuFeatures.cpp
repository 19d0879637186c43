// Bit positions: Intel SDM volume 2A (CPUID), AMD APM volume 3 appendix E.
#include "CpuFeatures.h"

#include <cerrno>
#include <cpuid.h>
#include <cstring>
#include <sys/syscall.h>
#include <unistd.h>

namespace tessera::runtime {
namespace {

enum Register { A, B, C, D };

/// Register state that the operating system must save (XCR0 bits).
enum StateBits : unsigned {
  none = 0,
  ymm = 0x6,      // XMM, YMM
  zmm = 0xe6,     // and opmask, ZMM
  tile = 0x60000, // TILECFG, TILEDATA
};

struct Feature {
  const char *name;
  unsigned leaf, subleaf;
  Register reg;
  unsigned bit;
  unsigned state;
};

constexpr unsigned extended = 0x80000001;

// clang-format off
constexpr Feature features[] = {
    {"x87", 1, 0, D, 0, none},         {"cx8", 1, 0, D, 8, none},
    {"cmov", 1, 0, D, 15, none},       {"mmx", 1, 0, D, 23, none},
    {"fxsr", 1, 0, D, 24, none},       {"sse", 1, 0, D, 25, none},
    {"sse2", 1, 0, D, 26, none},       {"sse3", 1, 0, C, 0, none},
    {"pclmul", 1, 0, C, 1, none},      {"ssse3", 1, 0, C, 9, none},
    {"fma", 1, 0, C, 12, ymm},         {"cx16", 1, 0, C, 13, none},
    {"sse4.1", 1, 0, C, 19, none},     {"sse4.2", 1, 0, C, 20, none},
    {"crc32", 1, 0, C, 20, none},      {"movbe", 1, 0, C, 22, none},
    {"popcnt", 1, 0, C, 23, none},     {"aes", 1, 0, C, 25, none},
    {"xsave", 1, 0, C, 27, none},      {"avx", 1, 0, C, 28, ymm},
    {"f16c", 1, 0, C, 29, ymm},        {"rdrnd", 1, 0, C, 30, none},
    {"fsgsbase", 7, 0, B, 0, none},    {"bmi", 7, 0, B, 3, none},
    {"avx2", 7, 0, B, 5, ymm},         {"bmi2", 7, 0, B, 8, none},
    {"invpcid", 7, 0, B, 10, none},    {"rtm", 7, 0, B, 11, none},
    {"avx512f", 7, 0, B, 16, zmm},     {"avx512dq", 7, 0, B, 17, zmm},
    {"rdseed", 7, 0, B, 18, none},     {"adx", 7, 0, B, 19, none},
    {"avx512ifma", 7, 0, B, 21, zmm},  {"clflushopt", 7, 0, B, 23, none},
    {"clwb", 7, 0, B, 24, none},       {"avx512cd", 7, 0, B, 28, zmm},
    {"sha", 7, 0, B, 29, none},        {"avx512bw", 7, 0, B, 30, zmm},
    {"avx512vl", 7, 0, B, 31, zmm},    {"avx512vbmi", 7, 0, C, 1, zmm},
    {"pku", 7, 0, C, 4, none},         {"waitpkg", 7, 0, C, 5, none},
    {"avx512vbmi2", 7, 0, C, 6, zmm},  {"shstk", 7, 0, C, 7, none},
    {"gfni", 7, 0, C, 8, none},        {"vaes", 7, 0, C, 9, ymm},
    {"vpclmulqdq", 7, 0, C, 10, ymm},  {"avx512vnni", 7, 0, C, 11, zmm},
    {"avx512bitalg", 7, 0, C, 12, zmm},
    {"avx512vpopcntdq", 7, 0, C, 14, zmm},
    {"rdpid", 7, 0, C, 22, none},      {"cldemote", 7, 0, C, 25, none},
    {"movdiri", 7, 0, C, 27, none},    {"movdir64b", 7, 0, C, 28, none},
    {"enqcmd", 7, 0, C, 29, none},     {"uintr", 7, 0, D, 5, none},
    {"avx512vp2intersect", 7, 0, D, 8, zmm},
    {"serialize", 7, 0, D, 14, none},  {"tsxldtrk", 7, 0, D, 16, none},
    {"amx-bf16", 7, 0, D, 22, tile},   {"avx512fp16", 7, 0, D, 23, zmm},
    {"amx-tile", 7, 0, D, 24, tile},   {"amx-int8", 7, 0, D, 25, tile},
    {"avxvnni", 7, 1, A, 4, ymm},      {"avx512bf16", 7, 1, A, 5, zmm},
    {"cmpccxadd", 7, 1, A, 7, none},   {"amx-fp16", 7, 1, A, 21, tile},
    {"avxifma", 7, 1, A, 23, ymm},     {"avxvnniint8", 7, 1, D, 4, ymm},
    {"avxneconvert", 7, 1, D, 5, ymm}, {"avxvnniint16", 7, 1, D, 10, ymm},
    {"prefetchi", 7, 1, D, 14, none},  {"xsaveopt", 13, 1, A, 0, none},
    {"xsavec", 13, 1, A, 1, none},     {"xsaves", 13, 1, A, 3, none},
    {"sahf", extended, 0, C, 0, none}, {"lzcnt", extended, 0, C, 5, none},
    {"sse4a", extended, 0, C, 6, none},
    {"prfchw", extended, 0, C, 8, none},
    {"xop", extended, 0, C, 11, ymm},  {"fma4", extended, 0, C, 16, ymm},
    {"tbm", extended, 0, C, 21, none}, {"mwaitx", extended, 0, C, 29, none},
    {"64bit", extended, 0, D, 29, none},
    {"clzero", 0x80000008, 0, B, 0, none},
    {"rdpru", 0x80000008, 0, B, 4, none},
    {"wbnoinvd", 0x80000008, 0, B, 9, none},
};
// clang-format on

/// XCR0, or 0 when the operating system does not use XSAVE.
unsigned enabledState() {
  unsigned regs[4];
  if (!__get_cpuid(1, &regs[A], &regs[B], &regs[C], &regs[D]) ||
      !(regs[C] & (1u << 27)))
    return 0;
  unsigned low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
}

std::set<std::string_view> detect() {
  std::set<std::string_view> found;
  unsigned state = enabledState();
  for (const Feature &feature : features) {
    unsigned regs[4];
    if (__get_cpuid_count(feature.leaf, feature.subleaf, &regs[A], &regs[B],
                          &regs[C], &regs[D]) &&
        (regs[feature.reg] >> feature.bit & 1) &&
        (state & feature.state) == feature.state)
      found.insert(feature.name);
  }
  return found;
}

} // namespace

const std::set<std::string_view> &cpuFeatures() {
  static const std::set<std::string_view> detected = detect();
  return detected;
}

bool isKnownCpuFeature(std::string_view name) {
  for (const Feature &feature : features)
    if (name == feature.name)
      return true;
  return false;
}

Status checkCpuFeatures(std::string_view needed,
                        const std::set<std::string_view> &available) {
  std::string missing, unknown;
  while (!needed.empty()) {
    size_t comma = needed.find(',');
    std::string_view name = needed.substr(0, comma);
    needed.remove_prefix(comma == std::string_view::npos ? needed.size()
                                                         : comma + 1);
    if (name.empty() || available.count(name))
      continue;
    std::string &list = isKnownCpuFeature(name) ? missing : unknown;
    list.append(list.empty() ? "" : ", ").append(name);
  }
  if (!unknown.empty())
    return failure(
        TESSERA_UNSUPPORTED_MACHINE,
        "needs CPU features that this runtime does not know: ", unknown);
  if (!missing.empty())
    return failure(TESSERA_UNSUPPORTED_MACHINE,
                   "needs CPU features that this machine lacks: ", missing,
                   "; compile with --cpu for this machine");
  return Status();
}

Status enableCpuFeatures(std::string_view needed) {
  if (needed.find("amx-") == std::string_view::npos)
    return Status();
  // Linux 5.16, Documentation/arch/x86/xstate.rst; not in older headers.
  constexpr int requestPermission = 0x1023; // ARCH_REQ_XCOMP_PERM
  constexpr int tileData = 18;
  if (syscall(SYS_arch_prctl, requestPermission, tileData) == 0)
    return Status();
  return failure(TESSERA_UNSUPPORTED_MACHINE,
                 "needs AMX tiles, which the operating system does not give: ",
                 strerror(errno));
}

} // namespace tessera::runtime
